"""What is written to a connection is out for whoever looks elsewhere: at the socket, from
another thread, after the loop."""

import os
import socket
import subprocess
import sys
import textwrap
import threading

import pytest

from helpers.scenarios import described, outcome, turns
from helpers.transports import (
    KINDS,
    Peer,
    Plain,
    connected,
    in_callback,
    on_transports,
    on_transports_but,
)

on_kinds = pytest.mark.parametrize("kind", KINDS)


SOCKETS = {
    "fileno": lambda sock: os.write(sock.fileno(), b"b"),
    "dup": lambda sock: sock.dup().send(b"b"),
    "getsockname": lambda sock: os.write(sock.fileno(), b"b") and sock.getsockname(),
    "setsockopt": lambda sock: (
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1) or os.write(sock.fileno(), b"b")
    ),
}


@on_transports
@on_kinds
@pytest.mark.parametrize("when", ["before", "after", "number"])
@pytest.mark.parametrize("way", SOCKETS)
@pytest.mark.filterwarnings("ignore:Using .* method on sockets:DeprecationWarning")
def test_the_socket_is_used_between_two_writes(run, kind, when, way):
    def scenario(loop, trace):
        protocol = Plain(trace)
        with connected(loop, protocol, kind) as sock:
            transport = protocol.transport

            def write():
                own = transport.get_extra_info("socket") if when != "after" else None
                number = own.fileno() if when == "number" else None
                transport.write(b"a")
                if number is not None:
                    os.write(number, b"b")
                else:
                    SOCKETS[way](own or transport.get_extra_info("socket"))
                transport.write(b"c")

            in_callback(loop, write)
            trace.append(Peer(sock, transport).received())

    assert run(scenario) == [("connection_made",), b"abc"]


@on_transports
@on_kinds
@pytest.mark.parametrize("how", [socket.SHUT_WR, socket.SHUT_RDWR])
def test_the_socket_is_shut_down_after_a_write(run, kind, how):
    def scenario(loop, trace):
        protocol = Plain(trace)
        with connected(loop, protocol, kind) as sock:
            transport = protocol.transport
            own = transport.get_extra_info("socket")

            def write():
                transport.write(b"a")
                own.shutdown(how)

            in_callback(loop, write)
            turns(loop, 3)
            trace.append(Peer(sock, transport).received())
            trace.append(transport.is_closing())

    ended = [("eof_received",), ("connection_lost", None)] if how == socket.SHUT_RDWR else []
    expected = [("connection_made",), *ended, (b"a", "EOF"), bool(ended)]
    assert run(scenario) == expected


@on_transports
@on_kinds
@pytest.mark.parametrize("count", [1, 3])
def test_while_the_loop_does_not_run(run, kind, count):
    def scenario(loop, trace):
        protocol = Plain(trace)
        with connected(loop, protocol, kind) as sock:
            peer = Peer(sock, protocol.transport)
            for number in range(count):
                protocol.transport.write(b"%d" % number)
            trace.append((protocol.transport.get_write_buffer_size(), peer.received()))
            protocol.transport.writelines([b"in", b" one"])
            protocol.transport.close()
            # Nothing is told before the loop runs.
            trace.append((peer.received(), protocol.lost))
            turns(loop)

    end = ("connection_lost", None)
    assert run(scenario) == [*(("connection_made",), (0, b"012"[:count]), (b"in one", False), end)]


@on_transports
@on_kinds
@pytest.mark.filterwarnings("ignore:unclosed transport:ResourceWarning")
def test_the_loop_is_closed_right_after(run, kind):
    def scenario(loop, trace):
        protocol = Plain(trace)
        with connected(loop, protocol, kind) as sock:
            peer = Peer(sock, protocol.transport)
            in_callback(loop, protocol.transport.write, b"one")
            protocol.transport.write(b"two")
            loop.close()
            trace.append(peer.received())
            trace.append(outcome(protocol.transport.write, b"three"))
            trace.append(peer.received())
            trace.append(outcome(protocol.transport.close))

    assert run(scenario)[:4] == [("connection_made",), b"onetwo", None, b"three"]


ERRORS = {"error": ValueError, "exit": SystemExit, "interrupt": KeyboardInterrupt}


@on_transports
@on_kinds
@pytest.mark.parametrize("way", ["stop", *ERRORS])
def test_the_callback_ends_the_loop(run, kind, way):
    def scenario(loop, trace):
        protocol = Plain(trace)
        with connected(loop, protocol, kind) as sock:
            peer = Peer(sock, protocol.transport)

            def write():
                protocol.transport.write(b"a")
                protocol.transport.write(b"b")
                if way == "stop":
                    loop.stop()
                else:
                    error = {
                        "error": ValueError,
                        "exit": SystemExit,
                        "interrupt": KeyboardInterrupt,
                    }
                    raise error[way]("mine")

            loop.call_soon(write)
            loop.call_soon(loop.stop)
            try:
                loop.run_forever()
            except BaseException as error:
                trace.append(described(error))
            trace.append(peer.received())
            turns(loop)
            protocol.transport.write(b"c")
            trace.append(peer.received())

    trace = run(scenario)
    assert trace[-2:] == [b"ab", b"c"]
    let_out = {"exit": ("SystemExit", "mine"), "interrupt": ("KeyboardInterrupt", "mine")}
    assert trace[1:-2] == [let_out[way]] if way in let_out else True
    assert ("reported" in [event[0] for event in trace]) == (way == "error")


@on_transports
@on_kinds
def test_from_another_thread_while_the_loop_waits(run, kind):
    # Not allowed, and done: stock sends it at once.
    def scenario(loop, trace):
        protocol = Plain(trace)
        with connected(loop, protocol, kind) as sock:
            sock.setblocking(True)
            sock.settimeout(10)

            def write():
                protocol.transport.write(b"from a thread")
                try:
                    trace.append(sock.recv(100))
                finally:
                    loop.call_soon_threadsafe(loop.stop)

            thread = threading.Thread(target=write)
            thread.start()
            loop.run_forever()
            thread.join()

    assert run(scenario) == [("connection_made",), b"from a thread"]


def waiting_callback(run, kind, count):
    """Run a callback that writes and waits for a thread, which has the other end and
    answers only when it has got what was written."""

    def scenario(loop, trace):
        protocol = Plain(trace)
        with connected(loop, protocol, kind) as sock:
            sock.setblocking(True)
            sock.settimeout(5)
            got = []

            def read():
                try:
                    while sum(map(len, got)) < count:
                        got.append(sock.recv(100))
                except TimeoutError:
                    got.append(b"nothing came")

            def write():
                thread = threading.Thread(target=read)
                thread.start()
                for _ in range(count):
                    protocol.transport.write(b"x")
                thread.join()
                trace.append(b"".join(got))

            in_callback(loop, write)

    assert run(scenario) == [("connection_made",), b"x" * count]


@on_transports_but("what is written in a callback is sent after it")
@pytest.mark.parametrize("kind", [kind for kind in KINDS if "server" in kind])
@pytest.mark.parametrize("count", [1, 4])
def test_a_callback_that_waits_for_another_thread(run, kind, count):
    waiting_callback(run, kind, count)


@on_transports
@pytest.mark.parametrize("kind", [kind for kind in KINDS if "client" in kind])
@pytest.mark.parametrize("count", [1, 4])
def test_a_callback_that_waits_where_somebody_has_the_socket(run, kind, count):
    # Nothing is held back there.
    waiting_callback(run, kind, count)


@on_transports
@on_kinds
def test_what_is_written_is_out_before_the_loop_waits(run, kind):
    def scenario(loop, trace):
        protocol = Plain(trace)
        with connected(loop, protocol, kind) as sock:
            sock.setblocking(True)
            sock.settimeout(10)

            def answer():
                trace.append(sock.recv(100))
                sock.send(b"answer")

            def answered(_protocol):
                loop.stop()

            protocol.hooks["data_received"] = answered
            thread = threading.Thread(target=answer)
            thread.start()
            # From a callback of each kind, and the loop has no reason to wake up again.
            loop.call_later(0.01, protocol.transport.write, b"timer")
            loop.run_forever()
            thread.join()

    assert run(scenario) == [("connection_made",), b"timer", ("data", b"answer")]


PROGRAM = """
    import asyncio, os, sys
    import tornado4

    loop = FACTORY()
    async def main():
        reader, writer = await asyncio.open_connection("127.0.0.1", int(sys.argv[1]))
        for part in (b"last ", b"words"):
            writer.write(part)
        END
    loop.run_until_complete(main())
"""
FACTORIES = {
    "stock": "asyncio.SelectorEventLoop",
    "tornado4": "tornado4.new_event_loop",
}
ENDS = ["sys.exit(0)", "os._exit(0)", "os.kill(os.getpid(), 9)", "os.abort()"]
NOT_YET_SENT = pytest.mark.xfail(
    reason="what is written in a callback is sent after it", strict=True
)


@pytest.mark.parametrize(
    ("factory", "end"),
    [
        *(("stock", end) for end in ENDS),
        ("tornado4", ENDS[0]),
        *(pytest.param("tornado4", end, marks=NOT_YET_SENT) for end in ENDS[1:]),
    ],
)
def test_the_process_ends_in_the_callback(factory, end):
    program = textwrap.dedent(PROGRAM).replace("FACTORY", FACTORIES[factory]).replace("END", end)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        command = [sys.executable, "-c", program, str(listening.getsockname()[1])]
        child = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        listening.settimeout(30)
        sock = listening.accept()[0]
        with sock:
            sock.settimeout(30)
            got = b""
            while data := sock.recv(100):
                got += data
        child.wait()
    assert got == b"last words"
