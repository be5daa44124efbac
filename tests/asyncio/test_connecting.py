"""How asyncio's connections are made, upgraded to TLS, and given files, as stock has it."""

import asyncio
import contextlib
import os
import socket
import tempfile

import pytest

from helpers.certificates import ssl_contexts
from helpers.scenarios import described, open_fds, outcome, turns
from helpers.transports import Buffered, Plain, on_transports

LOCAL = "127.0.0.1"


async def outcome_of(awaitable):
    """What it comes to, as `outcome` has it."""
    try:
        return await awaitable
    except (Exception, asyncio.CancelledError) as error:
        return described(error)


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


MODES = ["native", "fallback", "tls", "refused"]


async def pair(loop, first, second, **options):
    """Two connected transports of one loop, with their server."""
    server = await loop.create_server(lambda: first, LOCAL, 0)
    transport, _ = await loop.create_connection(lambda: second, *server.sockets[0].getsockname())
    while not first.transport:
        await asyncio.sleep(0)
    return server, first.transport, transport


@on_transports
@pytest.mark.parametrize("made", [Plain, Buffered])
@pytest.mark.parametrize("size", [10, 1_000_000])
@pytest.mark.parametrize("early", [False, True])
def test_start_tls(run, made, size, early):
    """Both ends begin TLS on a connection that has carried data, and data goes both ways."""

    def scenario(loop, trace):
        async def main():
            server_side, client_side = ssl_contexts()
            first, second = made([]), made([])
            server, left, right = await pair(loop, first, second)
            left.write(b"plain")
            right.write(b"plain too")
            while len(first.data) < 9 or len(second.data) < 5:
                await asyncio.sleep(0)
            first.data = second.data = b""
            starting = loop.create_task(loop.start_tls(left, first, server_side, server_side=True))
            if not early:
                await asyncio.sleep(0.01)
            other = await loop.start_tls(right, second, client_side, server_hostname="test")
            own = await starting
            trace.append([first.transport is left, second.transport is right])
            data = bytes(range(256)) * (size // 256) + b"."
            own.write(data)
            other.write(data[::-1])
            while len(first.data) < len(data) or len(second.data) < len(data):
                await asyncio.sleep(0)
            trace.append((first.data == data[::-1], second.data == data))
            trace.append(other.get_extra_info("ssl_object").version())
            trace.append(other.get_extra_info("peercert")["subject"])
            trace.append(other.get_extra_info("sockname") == own.get_extra_info("peername"))
            trace.append(outcome(other.write_eof))
            own.close()
            while not (first.lost and second.lost):
                await asyncio.sleep(0)
            trace.append([event for event in second.trace if event[0] != "data"])
            server.close()
            await server.wait_closed()

        loop.run_until_complete(main())

    trace = run(scenario)
    assert trace[:3] == [[True, True], (True, True), "TLSv1.3"]
    assert trace[-1][0] == ("connection_made",)
    assert trace[-1][-1] == ("connection_lost", None)


@on_transports
@pytest.mark.parametrize("side", ["server", "client"])
def test_start_tls_with_whom_it_fails(run, side):
    def scenario(loop, trace):
        async def main():
            server_side, client_side = ssl_contexts()
            first, second = Plain([]), Plain([])
            server, left, right = await pair(loop, first, second)
            if side == "server":
                starting = loop.start_tls(left, first, server_side, server_side=True)
                right.write(b"this is no TLS at all, and long enough to be seen")
            else:
                starting = loop.start_tls(right, second, client_side, server_hostname="test")
                left.write(b"this is no TLS at all, and long enough to be seen")
            result = await outcome_of(starting)
            trace.append(result[0])
            await asyncio.sleep(0.02)
            trace.append((left.is_closing(), right.is_closing()))
            left.abort()
            right.abort()
            server.close()
            await asyncio.sleep(0.02)

        loop.run_until_complete(main())

    trace = run(scenario)
    assert trace == ["SSLError", (True, True)]


@on_transports
@pytest.mark.parametrize("what", ["closed", "wrong context", "not compatible", "timeout"])
def test_start_tls_where_it_cannot_be(run, what):
    def scenario(loop, trace):
        async def main():
            server_side, _client_side = ssl_contexts()
            first, second = Plain([]), Plain([])
            server, left, right = await pair(loop, first, second)
            if what == "closed":
                left.close()
                await asyncio.sleep(0.01)
                starting = loop.start_tls(left, first, server_side, server_side=True)
            elif what == "wrong context":
                starting = loop.start_tls(left, first, None)
            elif what == "not compatible":
                starting = loop.start_tls(asyncio.Transport(), first, server_side)
            else:
                starting = loop.start_tls(
                    left, first, server_side, server_side=True, ssl_handshake_timeout=0.05
                )
            result = await outcome_of(asyncio.wait_for(starting, 0.5))
            trace.append(result[0] if isinstance(result, tuple) else type(result).__name__)
            left.abort()
            right.abort()
            server.close()
            await asyncio.sleep(0.01)

        loop.run_until_complete(main())

    names = {"closed": None, "timeout": "ConnectionAbortedError"}
    trace = run(scenario)
    if what != "closed":
        assert trace == [names.get(what, "TypeError")]


@on_transports
@pytest.mark.parametrize(
    ("mode", "offset", "count"),
    [
        *((mode, *which) for mode in MODES for which in [(0, None), (5, 100_000), (10**7, None)]),
        # Stock's TLS lets it be.
        *((mode, 0, 0) for mode in MODES if mode != "tls"),
    ],
)
def test_sendfile(run, mode, offset, count):
    size = 3_000_000
    data = os.urandom(1000) * (size // 1000)

    def scenario(loop, trace):
        async def main(file):
            server_side, client_side = ssl_contexts()
            first, second = Plain([]), Plain([])
            tls = mode == "tls"
            server = await loop.create_server(
                lambda: first, LOCAL, 0, ssl=server_side if tls else None
            )
            options = {"ssl": client_side, "server_hostname": "test"} if tls else {}
            right, _ = await loop.create_connection(
                lambda: second, *server.sockets[0].getsockname(), **options
            )
            right.write(b"before ")
            sending = loop.create_task(
                loop.sendfile(right, file, offset, count, fallback=mode != "refused")
            )
            await asyncio.sleep(0)
            if mode == "native" and offset < size and count != 0:
                trace.append((outcome(right.write, b"x") or ("done", ""))[0])
                trace.append(right.is_reading())
            result = await outcome_of(sending)
            trace.append(result)
            trace.append(file.tell())
            right.write(b" after")
            expected = b"before " + (b"" if isinstance(result, tuple) else sent) + b" after"
            while len(first.data) < len(expected):
                await asyncio.sleep(0)
            trace.append(first.data == expected)
            trace.append(right.is_reading())
            right.close()
            while not (first.lost and second.lost):
                await asyncio.sleep(0)
            server.close()

        sent = data[offset : None if count is None else offset + count]
        with tempfile.TemporaryFile() as file:
            file.write(data)
            file.seek(0)
            if mode == "fallback":
                # What has no descriptor.
                loop.run_until_complete(main(NoDescriptor(file)))
            else:
                loop.run_until_complete(main(file))

    trace = run(scenario)
    assert trace[-2:] == [True, True]
    if count == 0:
        assert ("ValueError", "count must be a positive integer (got 0)") in trace


class NoDescriptor:
    """A binary file without a descriptor, as one in memory or in an archive is."""

    mode = "rb"

    def __init__(self, file):
        self.file = file
        self.seek, self.tell = file.seek, file.tell
        self.readinto, self.read = file.readinto, file.read


@on_transports
@pytest.mark.parametrize(
    ("method", "args"),
    [
        *(("sock_recv", (10,)), ("sock_recv_into", (bytearray(10),)), ("sock_accept", ())),
        *(("sock_sendall", (b"x" * 10_000_000,)), ("sock_connect", ((LOCAL, 1),))),
    ],
)
def test_a_transports_socket_is_the_transports(run, method, args):
    def scenario(loop, trace):
        async def main():
            first, second = Plain([]), Plain([])
            server, left, right = await pair(loop, first, second)
            own = right.get_extra_info("socket")
            waiting = getattr(loop, method)(own._sock, *args)
            result = await outcome_of(asyncio.wait_for(waiting, 1))
            trace.append(result and (result[0], "is used by transport" in result[1]))
            with socket.socket(fileno=os.dup(own.fileno())) as other:
                # Another number for it is nobody's.
                other.setblocking(False)
                if method == "sock_recv":
                    left.write(b"hello")
                    right.pause_reading()
                    trace.append(await loop.sock_recv(other, 10))
            left.abort()
            right.abort()
            server.close()
            await asyncio.sleep(0.01)

        loop.run_until_complete(main())

    trace = run(scenario)
    if method in ("sock_recv", "sock_recv_into", "sock_sendall"):
        assert trace[0] == ("RuntimeError", True)


@on_transports
def test_a_transports_number_belongs_to_the_next_one_when_it_is_closed(run):
    def scenario(loop, trace):
        async def main():
            first, second = Plain([]), Plain([])
            server, left, right = await pair(loop, first, second)
            number = right.get_extra_info("socket").fileno()
            trace.append(outcome(loop.add_reader, number, print)[0])
            right.close()
            left.close()
            # From now on it may be watched, as far as it is open.
            trace.append(outcome(loop.remove_reader, number))
            while not (first.lost and second.lost):
                await asyncio.sleep(0)
            reader, writer = socket.socketpair()
            with reader, writer:
                trace.append(number in (reader.fileno(), writer.fileno()))
                for one, other in ((reader, writer), (writer, reader)):
                    loop.add_reader(one, trace.append, "readable")
                    other.send(b"x")
                    await asyncio.sleep(0.01)
                    loop.remove_reader(one)
            trace[:] = list(dict.fromkeys(trace))
            server.close()

        loop.run_until_complete(main())

    trace = run(scenario)
    assert trace == ["RuntimeError", False, True, "readable"]
