"""How asyncio's connections are made, as stock has it."""

import asyncio
import contextlib
import os
import socket
import tempfile

import pytest

from helpers.scenarios import open_fds, turns
from helpers.servers import LOCAL, outcome_of
from helpers.transports import Plain, on_transports


@contextlib.contextmanager
def listening(family=socket.AF_INET):
    with socket.socket(family) as sock:
        sock.bind((LOCAL, 0) if family == socket.AF_INET else "")
        sock.listen()
        yield sock


@on_transports
@pytest.mark.parametrize("way", ["host", "name", "sock", "local_addr", "happy", "interleave"])
def test_connected(run, way):
    def scenario(loop, trace):
        async def main():
            with listening() as server:
                host, port = server.getsockname()
                options = {"host": host, "port": port}
                if way == "name":
                    options["host"] = "localhost"
                elif way == "sock":
                    sock = socket.create_connection((host, port))
                    sock.setblocking(False)
                    options = {"sock": sock}
                elif way == "local_addr":
                    options["local_addr"] = ("127.0.0.1", 0)
                elif way == "happy":
                    options |= {"host": "localhost", "happy_eyeballs_delay": 0.1}
                elif way == "interleave":
                    options |= {"host": "localhost", "interleave": 1}
                protocol = Plain(trace)
                transport, same = await loop.create_connection(lambda: protocol, **options)
                trace.append((same is protocol, protocol.transport is transport))
                peer, name = server.accept()
                with peer:
                    trace.append(transport.get_extra_info("sockname") == name)
                    trace.append(transport.get_extra_info("peername")[:2] == (host, port))
                    transport.write(b"hello")
                    trace.append(await loop.run_in_executor(None, peer.recv, 10))
                    transport.close()
                    trace.append(await loop.run_in_executor(None, peer.recv, 10))

        loop.run_until_complete(main())

    assert run(scenario) == [
        *(("connection_made",), (True, True), True, True, b"hello", ("connection_lost", None)),
        b"",
    ]


WRONG = [
    {},
    {"host": LOCAL},
    {"host": LOCAL, "port": "no-such-service"},
    {"host": "no such host.", "port": 1},
    {"host": LOCAL, "port": 1, "sock": 1},
    {"host": LOCAL, "port": 1, "server_hostname": "x"},
    {"host": LOCAL, "port": 1, "ssl_handshake_timeout": 1},
    {"host": LOCAL, "port": 1, "local_addr": ("192.0.2.1", 0)},
    {"host": LOCAL, "port": 1, "local_addr": ("::1", 0)},
    {"host": LOCAL, "port": 1, "family": -1},
    {"host": "127.0.0.1", "port": 1},
    {"host": "localhost", "port": 1, "happy_eyeballs_delay": 0.01},
]


@on_transports
@pytest.mark.parametrize("arguments", WRONG, ids=str)
def test_what_cannot_be_connected(run, arguments):
    def scenario(loop, trace):
        before = set(open_fds())
        trace.append(
            loop.run_until_complete(outcome_of(loop.create_connection(Plain, **arguments)))
        )
        trace.append(set(open_fds()) - before)

    trace = run(scenario)
    assert isinstance(trace[0][0], str)
    assert trace[1] == set()


@on_transports
@pytest.mark.parametrize("way", ["closed", "datagram", "unconnected", "unix", "not one"])
def test_sockets_that_are_none(run, way):
    def scenario(loop, trace):
        sock = {
            "datagram": lambda: socket.socket(type=socket.SOCK_DGRAM),
            "unix": lambda: socket.socketpair()[0],
            "not one": lambda: 5,
        }.get(way, socket.socket)()
        if way == "closed":
            sock.close()
        elif way != "not one":
            sock.setblocking(False)
        protocol = Plain(trace)
        result = loop.run_until_complete(
            outcome_of(loop.create_connection(lambda: protocol, sock=sock))
        )
        trace.append(result[0] if isinstance(result[0], str) else "connected")
        turns(loop, 3)
        if way != "not one":
            trace.append(sock.fileno() == -1)
            sock.close()
        if protocol.transport:
            protocol.transport.abort()
            turns(loop, 2)

    trace = run(scenario)
    assert trace.count("connected") == (way in ("unconnected", "unix"))


@on_transports
@pytest.mark.parametrize("error", [ValueError, asyncio.CancelledError])
def test_a_factory_that_raises(run, error):
    def scenario(loop, trace):
        def factory():
            raise error("in the factory")

        async def main():
            with listening() as server:
                trace.append(
                    await outcome_of(loop.create_connection(factory, *server.getsockname()))
                )
                peer = server.accept()[0]
                with peer:
                    peer.settimeout(10)
                    trace.append("accepted")

        loop.run_until_complete(main())

    assert run(scenario) == [(error.__name__, "in the factory"), "accepted"]


@on_transports
@pytest.mark.parametrize("turn", range(6))
def test_cancelled_while_it_connects(run, turn):
    def scenario(loop, trace):
        async def main():
            with listening() as server:
                before = set(open_fds())
                task = loop.create_task(
                    loop.create_connection(lambda: Plain([]), *server.getsockname())
                )
                for _ in range(turn):
                    await asyncio.sleep(0)
                done = task.done()
                task.cancel()
                result = await outcome_of(task)
                if isinstance(result[0], str):
                    await asyncio.sleep(0.01)
                    trace.append(result)
                    trace.append(set(open_fds()) - before)
                else:
                    result[0].abort()
                    await asyncio.sleep(0)
                    trace.append("connected")
                assert done == (trace[-1] == "connected")

        loop.run_until_complete(main())
        # In which turn it is connected is nobody's affair.
        trace[:] = [event for event in trace if event != "connected"] or [
            *(("CancelledError", ""), set())
        ]

    assert run(scenario) == [("CancelledError", ""), set()]


@on_transports
def test_nobody_answers(run):
    def scenario(loop, trace):
        async def main():
            with socket.socket() as server, contextlib.ExitStack() as stack:
                server.bind((LOCAL, 0))
                server.listen(0)
                # Its queue is full: whoever comes now waits.
                for _ in range(4):
                    sock = stack.enter_context(socket.socket())
                    sock.setblocking(False)
                    sock.connect_ex(server.getsockname())
                before = set(open_fds())
                connecting = loop.create_connection(lambda: Plain([]), *server.getsockname())
                try:
                    await asyncio.wait_for(connecting, 0.1)
                except (asyncio.TimeoutError, TimeoutError):
                    trace.append("timed out")
                trace.append(set(open_fds()) - before)

        loop.run_until_complete(main())

    assert run(scenario) == ["timed out", set()]


@on_transports
@pytest.mark.parametrize("where", ["path", "abstract", "sock", "none", "closed", "long"])
def test_unix_connections(run, where):
    def scenario(loop, trace):
        async def main(place):
            path = os.path.join(place, "socket")
            with socket.socket(socket.AF_UNIX) as server:
                server.bind("\0" + path if where == "abstract" else path)
                server.listen()
                options = {"path": server.getsockname()}
                if where == "sock":
                    sock = socket.socket(socket.AF_UNIX)
                    sock.connect(path)
                    options = {"sock": sock}
                elif where == "none":
                    options = {"path": path + "no"}
                elif where == "closed":
                    server.close()
                elif where == "long":
                    options = {"path": path + "x" * 200}
                protocol = Plain(trace)
                made = await outcome_of(loop.create_unix_connection(lambda: protocol, **options))
                if protocol.transport is None:
                    trace.append((made[0], made[1].replace(place, "PLACE")))
                    return
                peer, _ = server.accept()
                with peer:
                    protocol.transport.write(b"hello")
                    trace.append(await loop.run_in_executor(None, peer.recv, 10))
                protocol.transport.close()
                await asyncio.sleep(0)

        with tempfile.TemporaryDirectory() as place:
            loop.run_until_complete(main(place))

    trace = run(scenario)
    if where in ("path", "abstract", "sock"):
        assert trace == [("connection_made",), b"hello", ("connection_lost", None)]
    else:
        assert len(trace) == 1
