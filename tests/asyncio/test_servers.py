"""Servers of asyncio: how they are made, what they say, how they end, as stock has it."""

import asyncio
import contextlib
import gc
import socket
import sys

import pytest

from helpers.scenarios import open_fds, outcome, turns
from helpers.servers import LOCAL, ask, echoing, outcome_of, port_of
from helpers.transports import (
    Plain,
    events,
    normalized,
    on_transports,
)


def has_ipv6():
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as sock:
        sock.bind(("::1", 0))
        return True
    return False


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")

HOSTS = [
    LOCAL,
    pytest.param(None, marks=needs_ipv6),
    pytest.param("", marks=needs_ipv6),
    "0.0.0.0",
    [LOCAL],
    [LOCAL, "127.0.0.2"],
    (LOCAL, LOCAL),
    pytest.param("::1", marks=needs_ipv6),
    pytest.param([LOCAL, "::1"], marks=needs_ipv6),
]


@on_transports
@pytest.mark.parametrize("host", HOSTS, ids=str)
def test_hosts(run, host):
    def scenario(loop, trace):
        async def main():
            server = await loop.create_server(echoing([], []), host, 0)
            trace.append(isinstance(server, asyncio.AbstractServer))
            trace.append(sorted((sock.family, sock.type) for sock in server.sockets))
            for sock in server.sockets:
                name = sock.getsockname()
                trace.append(sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR) != 0)
                if sock.family == socket.AF_INET6:
                    trace.append(sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY))
                trace.append(await ask(loop, name))
            server.close()
            trace.append(server.sockets)
            await server.wait_closed()

        loop.run_until_complete(main())
        turns(loop, 3)

    trace = run(scenario)
    count = len(trace[1])
    assert count == (2 if host in (None, "", [LOCAL, "127.0.0.2"], [LOCAL, "::1"]) else 1)
    assert trace.count(b"hello") == count
    assert trace[-1] == ()


WRONG = [
    {"host": "no such host.", "port": 0},
    {"host": "192.0.2.1", "port": 0},
    {"host": LOCAL, "port": -1},
    {"host": LOCAL, "port": 70_000},
    {"host": LOCAL, "port": "http-no"},
    {},
    {"host": LOCAL, "port": 0, "sock": 1},
    {"sock": "text"},
    {"host": LOCAL, "port": 0, "ssl_handshake_timeout": 1},
    # Python 3.10 doesn't know of it.
    *(
        [{"host": LOCAL, "port": 0, "ssl_shutdown_timeout": 1}]
        if sys.version_info >= (3, 11)
        else []
    ),
    {"host": LOCAL, "port": 0, "family": -1},
    {"host": LOCAL, "port": 0, "family": socket.AF_UNIX},
    {"host": 5, "port": 0},
    {"host": LOCAL, "port": 0, "backlog": "x"},
]


@on_transports
@pytest.mark.parametrize("arguments", WRONG, ids=str)
def test_what_cannot_be(run, arguments):
    def scenario(loop, trace):
        gc.collect()  # what earlier tests have left
        before = open_fds()
        result = loop.run_until_complete(outcome_of(loop.create_server(Plain, **arguments)))
        trace.append(result if isinstance(result, tuple) else "made")
        gc.collect()
        turns(loop, 3)
        trace.append({key: value for key, value in open_fds().items() if key not in before})

    trace = run(scenario)
    assert trace[0] != "made"
    assert trace[-1] == {}


@on_transports
@pytest.mark.parametrize("reuse", ["reuse_port", "reuse_address", "neither"])
def test_an_address_that_is_in_use(run, reuse):
    def scenario(loop, trace):
        async def main():
            options = {} if reuse == "neither" else {reuse: True}
            first = await loop.create_server(Plain, LOCAL, 0, **options)
            port = port_of(first)
            second = await outcome_of(loop.create_server(Plain, LOCAL, port, **options))
            if isinstance(second, tuple):
                trace.append((second[0], second[1].replace(str(port), "PORT")))
            else:
                trace.append("both")
                second.close()
            first.close()
            # Free again at once.
            third = await loop.create_server(Plain, LOCAL, port)
            trace.append("third")
            third.close()

        loop.run_until_complete(main())

    trace = run(scenario)
    assert trace[-1] == "third"
    assert (trace[0] == "both") == (reuse == "reuse_port")


@on_transports
def test_serving_from_when_it_is_asked_to(run):
    def scenario(loop, trace):
        async def main():
            made = []
            server = await loop.create_server(echoing([], made), LOCAL, 0, start_serving=False)
            address = server.sockets[0].getsockname()
            trace.append((server.is_serving(), server.get_loop() is loop))
            trace.append((await outcome_of(ask(loop, address)))[0])
            for _ in range(2):
                trace.append(await server.start_serving())
                trace.append(server.is_serving())
            trace.append(await ask(loop, address))
            server.close()
            server.close()
            trace.append((server.is_serving(), server.sockets))
            trace.append((await outcome_of(ask(loop, address)))[0])
            trace.append(await outcome_of(server.start_serving()))
            trace.append((await outcome_of(server.serve_forever()))[0])

        loop.run_until_complete(main())

    trace = run(scenario)
    assert trace[0] == (False, True)
    assert trace[1] == "ConnectionRefusedError"
    assert trace[2:7] == [None, True, None, True, b"hello"]
    assert trace[7] == (False, ())
    assert trace[8] == "ConnectionRefusedError"


@on_transports
@pytest.mark.parametrize("way", ["cancelled", "closed", "twice"])
def test_serve_forever(run, way):
    def scenario(loop, trace):
        async def main():
            server = await loop.create_server(echoing([], []), LOCAL, 0, start_serving=False)
            address = server.sockets[0].getsockname()
            task = loop.create_task(server.serve_forever())
            await asyncio.sleep(0)
            trace.append(server.is_serving())
            trace.append(await ask(loop, address))
            if way == "twice":
                again = await outcome_of(server.serve_forever())
                trace.append((again[0], "already being awaited" in again[1]))
            if way == "closed":
                server.close()
            else:
                task.cancel()
            trace.append(await outcome_of(task))
            trace.append((server.is_serving(), server.sockets))

        loop.run_until_complete(main())

    trace = run(scenario)
    assert trace[:2] == [True, b"hello"]
    assert trace[-2:] == [("CancelledError", ""), (False, ())]


@on_transports
@pytest.mark.parametrize("raises", [False, True])
def test_async_with(run, raises):
    def scenario(loop, trace):
        async def main():
            server = await loop.create_server(echoing([], []), LOCAL, 0)
            address = server.sockets[0].getsockname()
            async with server as same:
                trace.append(same is server)
                trace.append(await ask(loop, address))
                if raises:
                    raise ValueError("mine")

        trace.append(loop.run_until_complete(outcome_of(main())))

    assert run(scenario) == [True, b"hello", ("ValueError", "mine") if raises else None]


@on_transports
@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize("first", ["server", "clients"])
def test_wait_closed(run, count, first):
    """Whom it waits for is a matter of Python's version."""

    def scenario(loop, trace):
        async def main():
            made = []
            server = await loop.create_server(echoing(trace, made), LOCAL, 0)
            clients = [
                socket.create_connection(server.sockets[0].getsockname()) for _ in range(count)
            ]
            while len(made) < count or not all(protocol.transport for protocol in made):
                await asyncio.sleep(0)
            waiting = loop.create_task(server.wait_closed())
            await asyncio.sleep(0.01)
            trace.append(("waiting", waiting.done()))
            if first == "server":
                server.close()
                await asyncio.sleep(0.01)
                trace.append(("closed", waiting.done()))
                trace.append(("again", await_now(server.wait_closed())))
            for client in clients:
                client.close()
            while not all(protocol.lost for protocol in made):
                await asyncio.sleep(0)
            await asyncio.sleep(0.01)
            trace.append(("clients gone", waiting.done()))
            server.close()
            await asyncio.sleep(0.01)
            trace.append(("all gone", waiting.done()))
            waiting.cancel()
            await asyncio.wait([waiting])
            trace.append(("result", waiting.cancelled() or waiting.result()))

        def await_now(coroutine):
            try:
                coroutine.send(None)
            except StopIteration:
                return "done"
            coroutine.close()
            return "waits"

        loop.run_until_complete(main())

    trace = run(scenario)
    assert len(events(trace, "connection_lost")) == count
    assert trace[-2] == ("all gone", True)


@pytest.mark.skipif(sys.version_info < (3, 13), reason="new in Python 3.13")
@on_transports
@pytest.mark.parametrize("way", ["close_clients", "abort_clients"])
def test_the_clients_of_a_server(run, way):
    def scenario(loop, trace):
        async def main():
            made = []
            server = await loop.create_server(echoing(trace, made), LOCAL, 0)
            clients = [socket.create_connection(server.sockets[0].getsockname()) for _ in range(2)]
            while len(made) < 2 or not all(protocol.transport for protocol in made):
                await asyncio.sleep(0)
            server.close()
            getattr(server, way)()
            trace.append([protocol.transport.is_closing() for protocol in made])
            await server.wait_closed()
            for client in clients:
                with client:
                    trace.append(client.recv(10))

        loop.run_until_complete(main())

    lost = ("connection_lost", None)
    made = ("connection_made",)
    assert run(scenario) == [made, made, [True, True], lost, lost, b"", b""]


@on_transports
def test_what_a_server_is(run):
    def scenario(loop, trace):
        server = loop.run_until_complete(loop.create_server(Plain, LOCAL, 0))
        port = str(port_of(server))
        trace.append(normalized(repr(server)).replace(port, "PORT"))
        trace.append([type(sock).__name__ for sock in server.sockets])
        trace.append(type(server).__name__)
        fd = server.sockets[0].fileno()
        trace.append(outcome(loop.remove_reader, fd))
        server.close()
        trace.append(repr(server))

    trace = run(scenario)
    assert trace[1:3] == [["TransportSocket"], "Server"]
    assert trace[-1] == "<Server sockets=()>"
