"""asyncio's connections where other loops, turns or threads come between."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import textwrap
import threading

import pytest
from twisted.internet.protocol import Factory, Protocol

from helpers.loops import LIMIT, tornado4_reactor
from helpers.reactors import io_loop, reactor  # noqa: F401
from helpers.scenarios import turns
from helpers.transports import Plain, connected, on_transports

# More than goes out at once.
MUCH = b"x" * 3_000_000


async def echo(reader, writer):
    while data := await reader.read(100_000):
        writer.write(data)
        await writer.drain()
    writer.close()


async def there_and_back(count):
    """Several clients of a server, each with an answer for all that it writes."""
    server = await asyncio.start_server(echo, "127.0.0.1", 0)

    async def client(data):
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        for start in range(0, len(data), 50_000):
            writer.write(data[start : start + 50_000])
        writer.write_eof()
        got = await reader.read()
        writer.close()
        await writer.wait_closed()
        return got == data

    found = await asyncio.gather(*(client(data) for data in [b"", b"hello", MUCH] * count))
    server.close()
    return found


def test_on_a_reactor_that_drives_the_loop(io_loop):  # noqa: F811
    """An IOLoop on any reactor of Twisted's: what is written goes out, whoever waits."""
    assert io_loop.run_sync(lambda: there_and_back(3), timeout=LIMIT) == [True] * 9


def test_beside_twisteds_connections_on_one_loop():
    """A Twisted server and an asyncio client of one loop, and the other way round."""
    with tornado4_reactor() as twisted:
        loop = twisted._asyncioEventloop

        class Echo(Protocol):
            def dataReceived(self, data):
                self.transport.write(data)

        async def main():
            port = twisted.listenTCP(0, Factory.forProtocol(Echo), interface="127.0.0.1")
            reader, writer = await asyncio.open_connection("127.0.0.1", port.getHost().port)
            writer.write(MUCH)
            got = await reader.readexactly(len(MUCH))
            writer.close()
            await port.stopListening().asFuture(loop)
            return got == MUCH, await there_and_back(2)

        result = loop.run_until_complete(asyncio.wait_for(main(), LIMIT))
    assert result == (True, [True] * 6)


def test_a_turn_within_a_callback_sends_what_that_has_written():
    """`reactor.iterate` in a callback that waits for the answer."""
    with tornado4_reactor() as twisted:
        loop = twisted._asyncioEventloop
        trace = []
        protocol = Plain(trace)
        with connected(loop, protocol) as peer:

            def ask():
                protocol.transport.write(b"question")
                protocol.transport.write(b"!")
                while True:
                    twisted.iterate(0.001)
                    with contextlib.suppress(BlockingIOError):
                        trace.append(peer.recv(100))
                        break
                peer.send(b"answer")
                while not protocol.data:
                    twisted.iterate(0.001)
                trace.append("answered")

            loop.call_soon(ask)
            turns(loop)
    assert trace == [("connection_made",), b"question!", ("data", b"answer"), "answered"]


NESTED = """
    import asyncio, PATCH, socket, tornado4
    loop = FACTORY()
    asyncio.set_event_loop(loop)
    PATCH.apply(loop)
    async def echo(reader, writer):
        while data := await reader.read(1000):
            writer.write(data)
        writer.close()
    async def main():
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        for number in range(3):
            writer.write(b"hel")
            writer.write(b"lo")
            print(loop.run_until_complete(reader.readexactly(5)))
        writer.close()
        loop.run_until_complete(writer.wait_closed())
        server.close()
    loop.run_until_complete(main())
"""


@pytest.mark.parametrize("patch", ["nest_asyncio", "nest_asyncio2"])
@pytest.mark.parametrize("factory", ["asyncio.SelectorEventLoop", "tornado4.new_event_loop"])
def test_a_nested_run_sends_what_was_written_before(factory, patch):
    """As cells of notebooks do that wait for an answer."""
    program = textwrap.dedent(NESTED).replace("PATCH", patch).replace("FACTORY", factory)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30
    )
    assert (done.stdout, done.stderr) == ("b'hello'\n" * 3, "")


@on_transports
@pytest.mark.parametrize("count", [1, 3])
def test_another_thread_writes_while_a_callback_waits_for_it(run, count):
    """It isn't allowed to, and stock sends it at once."""

    def scenario(loop, trace):
        protocol = Plain(trace)
        with connected(loop, protocol) as sock:
            sock.settimeout(5)

            def work():
                for _ in range(count):
                    protocol.transport.write(b"x")
                got = b""
                with contextlib.suppress(TimeoutError):
                    while len(got) < count:
                        got += sock.recv(100)
                trace.append(got)

            def wait():
                thread = threading.Thread(target=work)
                thread.start()
                thread.join()

            loop.call_soon(wait)
            turns(loop)

    assert run(scenario) == [("connection_made",), b"x" * count]


@on_transports
def test_a_loop_within_a_callback_of_another_loop(run):
    """The inner one's connections work; what the outer one's wrote goes out after it."""

    def scenario(loop, trace):
        protocol = Plain(trace)
        with connected(loop, protocol) as sock:

            def nest():
                protocol.transport.write(b"outer")
                inner = type(loop)()
                running = asyncio._get_running_loop()
                asyncio._set_running_loop(None)
                try:
                    trace.append(inner.run_until_complete(there_and_back(1)))
                finally:
                    asyncio._set_running_loop(running)
                    inner.close()

            loop.call_soon(nest)
            turns(loop)
            trace.append(sock.recv(100))

    assert run(scenario) == [("connection_made",), [True, True, True], b"outer"]


@on_transports
def test_the_process_forks_in_a_callback(run):
    """What was written goes out once, whatever the child does."""

    def scenario(loop, trace):
        protocol = Plain(trace)
        with connected(loop, protocol) as sock:

            def fork():
                protocol.transport.write(b"one ")
                child = subprocess.run([sys.executable, "-c", "print(1)"], stdout=subprocess.PIPE)
                protocol.transport.write(b"two")
                trace.append(child.stdout)

            loop.call_soon(fork)
            turns(loop)
            trace.append(sock.recv(100))

    assert run(scenario) == [("connection_made",), b"1\n", b"one two"]
