"""Servers of asyncio: how they are made, what they say, how they end, as stock has it."""

import asyncio
import contextlib
import gc
import os
import resource
import socket
import sys
import tempfile

import pytest

from helpers.scenarios import described, open_fds, outcome, turns
from helpers.transports import (
    Plain,
    events,
    normalized,
    on_transports,
    ours_transports,
    run_until,
)

LOCAL = "127.0.0.1"


async def outcome_of(awaitable):
    """What it comes to, as `outcome` has it."""
    try:
        return await awaitable
    except (Exception, asyncio.CancelledError) as error:
        return described(error)


def port_of(server):
    return server.sockets[0].getsockname()[1]


def echoing(trace, made):
    """A factory of protocols that send back what they get."""

    def factory():
        def echo(protocol):
            protocol.transport.write(protocol.data)
            protocol.data = b""

        protocol = Plain(trace, data_received=echo)
        made.append(protocol)
        return protocol

    return factory


async def ask(loop, address, word=b"hello"):
    """Connect with a plain socket, send a word, and return what comes back."""
    family = socket.AF_INET6 if len(address) == 4 else socket.AF_INET
    if isinstance(address, str):
        family = socket.AF_UNIX
    with socket.socket(family) as sock:
        sock.setblocking(False)
        await loop.sock_connect(sock, address)
        await loop.sock_sendall(sock, word)
        return await loop.sock_recv(sock, 100)


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
    {"host": LOCAL, "port": 0, "ssl_shutdown_timeout": 1},
    {"host": LOCAL, "port": 0, "family": -1},
    {"host": LOCAL, "port": 0, "family": socket.AF_UNIX},
    {"host": 5, "port": 0},
    {"host": LOCAL, "port": 0, "backlog": "x"},
]


@on_transports
@pytest.mark.parametrize("arguments", WRONG, ids=str)
def test_what_cannot_be(run, arguments):
    def scenario(loop, trace):
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
@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("error", [ValueError, asyncio.CancelledError])
def test_a_factory_that_raises(run, debug, error):
    def scenario(loop, trace):
        def factory():
            if not failed:
                failed.append(True)
                raise error("in the factory")
            return echoing([], [])()

        async def main():
            server = await loop.create_server(factory, LOCAL, 0)
            address = server.sockets[0].getsockname()
            # Closed, when the socket is collected at the latest.
            with socket.create_connection(address) as sock:
                sock.setblocking(False)
                receiving = loop.create_task(loop.sock_recv(sock, 10))
                while not receiving.done():
                    await asyncio.sleep(0.001)
                    gc.collect()
                trace.append(receiving.result())
            trace.append(await ask(loop, address))
            server.close()
            await server.wait_closed()

        failed = []
        loop.set_debug(debug)
        loop.slow_callback_duration = 1000
        loop.run_until_complete(main())

    trace = run(scenario)
    assert trace[-2:] == [b"", b"hello"]
    if debug:
        assert dict(trace[0][1])["exception"] == (error.__name__, "in the factory")


@on_transports
@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_a_factory_that_raises_what_is_let_out(run, error):
    def scenario(loop, trace):
        def factory():
            if not failed:
                failed.append(True)
                raise error("in the factory")
            return echoing([], [])()

        failed = []
        server = loop.run_until_complete(loop.create_server(factory, LOCAL, 0))
        address = server.sockets[0].getsockname()
        with socket.create_connection(address):
            try:
                run_until(loop, lambda: False)
            except BaseException as let_out:
                trace.append(described(let_out))
            turns(loop, 3)
        trace.append(loop.run_until_complete(ask(loop, address)))
        server.close()

    assert run(scenario) == [(error.__name__, "in the factory"), b"hello"]


@pytest.mark.parametrize("result", [None, 5, object], ids=str)
def test_a_factory_that_makes_no_protocol(result):
    """Stock leaves such a connection open until it is collected, and says nothing. Ours
    may say something."""

    def scenario(loop, trace):
        server = loop.run_until_complete(loop.create_server(lambda: result, LOCAL, 0))
        with socket.create_connection(server.sockets[0].getsockname()) as sock:
            turns(loop, 6)
            sock.setblocking(False)
            trace.append(outcome(sock.recv, 10))
        server.close()
        turns(loop, 3)

    assert ours_transports(scenario)[-1] == b""


@pytest.fixture
def soft_limit():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@on_transports
@pytest.mark.parametrize("count", [1, 5])
def test_no_descriptors_are_left(run, count, soft_limit):
    """Said, and the port accepts again a second after there are some."""

    def scenario(loop, trace):
        made = []
        server = loop.run_until_complete(loop.create_server(echoing([], made), LOCAL, 0))
        clients = [socket.socket() for _ in range(count)]
        address = server.sockets[0].getsockname()
        with contextlib.ExitStack() as stack:
            for client in clients:
                stack.enter_context(client)
                client.setblocking(False)
                client.connect_ex(address)
            gc.collect()
            most = max(open_fds()) + 1
            fill = []
            with contextlib.suppress(OSError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (most, soft_limit))
                while True:
                    fill.append(os.open(os.devnull, os.O_RDONLY))
            turns(loop, 5)
            for number in fill:
                os.close(number)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft_limit, soft_limit))
            # How many calls of accept() have failed is nobody's affair.
            del trace[1:]
            trace.append(len(made))
            run_until(loop, lambda: len(made) == count)
            trace.append(len(made))
            for client in clients:
                client.setblocking(True)
                client.settimeout(10)
                client.send(b"hello")
            answers = []
            for client in clients:
                client.setblocking(False)
                answers.append(loop.run_until_complete(loop.sock_recv(client, 10)))
            trace.append(answers)
        server.close()
        turns(loop, 3)

    trace = run(scenario)
    report = dict(trace[0][1])
    assert report["message"] == "socket.accept() out of system resource"
    assert report["exception"] == ("OSError", "[Errno 24] Too many open files")
    assert trace[1:] == [0, count, [b"hello"] * count]


@on_transports
def test_a_server_is_closed_while_it_has_no_descriptors(run, soft_limit):
    def scenario(loop, trace):
        made = []
        server = loop.run_until_complete(loop.create_server(echoing([], made), LOCAL, 0))
        with socket.create_connection(server.sockets[0].getsockname()):
            gc.collect()
            most = max(open_fds()) + 1
            fill = []
            with contextlib.suppress(OSError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (most, soft_limit))
                while True:
                    fill.append(os.open(os.devnull, os.O_RDONLY))
            turns(loop, 3)
            for number in fill:
                os.close(number)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft_limit, soft_limit))
            # A number that the port had, and that is another's now.
            number = server.sockets[0].fileno()
            server.close()
            left, right = socket.socketpair()
            with left, right:
                trace.append(number in (left.fileno(), right.fileno()))
                loop.run_until_complete(asyncio.sleep(1.2))
                trace.append(len(made))
            # Stock tries to go on with what is closed.
            trace[:] = [event for event in trace if not isinstance(event, tuple)]

    trace = run(scenario)
    assert trace == [True, 0]


@on_transports
@pytest.mark.parametrize("backlog", [1, 3, 100])
def test_many_at_once(run, backlog):
    def scenario(loop, trace):
        made = []
        server = loop.run_until_complete(
            loop.create_server(echoing([], made), LOCAL, 0, backlog=backlog)
        )
        with contextlib.ExitStack() as stack:
            clients = []
            # As many as wait at once, and then as many again.
            while len(clients) < 50:
                for _ in range(min(backlog, 50)):
                    client = stack.enter_context(socket.socket())
                    client.setblocking(False)
                    client.connect_ex(server.sockets[0].getsockname())
                    clients.append(client)
                run_until(loop, lambda: len([one for one in made if one.transport]) == len(clients))
            trace.append(len(made))
            names = {one.transport.get_extra_info("peername") for one in made}
            trace.append(names == {client.getsockname() for client in clients})
            server.close()
            for one in made:
                one.transport.abort()
            turns(loop, 3)
            trace.append(all(one.lost for one in made))

    assert run(scenario) == [51 if backlog == 3 else 50, True, True]


@on_transports
@pytest.mark.parametrize("where", ["path", "abstract", "abstract bytes", "pathlike", "sock"])
def test_unix_servers(run, where):
    def scenario(loop, trace):
        async def main(place):
            path = os.path.join(place, "socket")
            options = {
                "path": {"path": path},
                "abstract": {"path": "\0" + path},
                "abstract bytes": {"path": b"\0" + path.encode()},
                "pathlike": {"path": PathLike(path)},
            }.get(where)
            if options is None:
                sock = socket.socket(socket.AF_UNIX)
                sock.bind(path)
                options = {"sock": sock}
            made = []
            server = await loop.create_unix_server(echoing([], made), **options)
            if where.startswith("abstract"):
                again = await outcome_of(loop.create_unix_server(Plain, **options))
                trace.append((again[0], again[1].replace(place, "PLACE")))
            client = Plain(trace)
            address = server.sockets[0].getsockname()
            transport, _ = await loop.create_unix_connection(lambda: client, address)
            transport.write(b"hello")
            while not client.data:
                await asyncio.sleep(0)
            trace.append(transport.get_extra_info("peername") == address)
            trace.append(made[0].transport.get_extra_info("peername"))
            server.close()
            transport.close()
            await server.wait_closed()
            await asyncio.sleep(0.01)
            # Left behind until Python 3.13.
            trace.append(os.path.exists(path))

        with tempfile.TemporaryDirectory() as place:
            loop.run_until_complete(main(place))

    trace = run(scenario)
    assert ("data", b"hello") in trace
    assert trace[-2] == ("connection_lost", None)
    if where.startswith("abstract"):
        assert trace[0][0] == "OSError"


class PathLike:
    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return self.path


@on_transports
def test_a_stale_path_is_taken_over_and_a_file_is_not(run):
    def scenario(loop, trace):
        async def main(place):
            path = os.path.join(place, "socket")
            with socket.socket(socket.AF_UNIX) as sock:
                sock.bind(path)
            server = await loop.create_unix_server(echoing([], []), path)
            trace.append(await ask(loop, path))
            server.close()
            file = os.path.join(place, "file")
            with open(file, "w"):
                pass
            for wrong in (file, place, path + "x" * 200, os.path.join(place, "no", "such")):
                found = await outcome_of(loop.create_unix_server(Plain, wrong))
                trace.append((found[0], found[1].replace(place, "PLACE")))
            os.unlink(path)
            for wrong in ({}, {"path": path, "sock": 1}):
                trace.append(await outcome_of(loop.create_unix_server(Plain, **wrong)))

        with tempfile.TemporaryDirectory() as place:
            loop.run_until_complete(main(place))

    trace = run(scenario)
    assert trace[0] == b"hello"
    assert {event[0] for event in trace[1:]} <= {
        "OSError",
        "ValueError",
        "FileNotFoundError",
        "TypeError",
    }


@on_transports
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
def test_connect_accepted_socket(run, family):
    def scenario(loop, trace):
        async def main():
            made = []
            theirs, ours = socket.socketpair() if family == socket.AF_UNIX else tcp_pair()
            with theirs:
                theirs.setblocking(False)
                ours.setblocking(False)
                transport, protocol = await loop.connect_accepted_socket(echoing(trace, made), ours)
                trace.append((protocol is made[0], protocol.transport is transport))
                await loop.sock_sendall(theirs, b"hello")
                trace.append(await loop.sock_recv(theirs, 10))
                transport.close()
                trace.append(await loop.sock_recv(theirs, 10))
            with socket.socket(type=socket.SOCK_DGRAM) as wrong:
                found = await outcome_of(loop.connect_accepted_socket(Plain, wrong))
                trace.append((found[0], "Stream Socket was expected" in found[1]))

        loop.run_until_complete(main())

    assert run(scenario) == [
        *(("connection_made",), (True, True), ("data", b"hello"), b"hello"),
        *(("connection_lost", None), b"", ("ValueError", True)),
    ]


def tcp_pair():
    with socket.create_server((LOCAL, 0)) as listening:
        theirs = socket.create_connection(listening.getsockname())
        return theirs, listening.accept()[0]


@on_transports
@pytest.mark.parametrize("keep", [False, True])
def test_what_is_accepted_has_its_options(run, keep):
    def scenario(loop, trace):
        made = []
        options = {"keep_alive": keep} if sys.version_info >= (3, 13) else {}
        server = loop.run_until_complete(loop.create_server(echoing([], made), LOCAL, 0, **options))
        with socket.create_connection(server.sockets[0].getsockname()) as sock:
            run_until(loop, lambda: made and made[0].transport)
            transport = made[0].transport
            own = transport.get_extra_info("socket")
            trace.append(own.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0)
            trace.append(own.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
            trace.append(os.get_blocking(own.fileno()))
            trace.append(os.get_inheritable(own.fileno()))
            trace.append(transport.get_extra_info("peername") == sock.getsockname())
            trace.append(transport.get_extra_info("sockname") == sock.getpeername())
            transport.abort()
        server.close()
        turns(loop, 3)

    trace = run(scenario)
    assert trace[0] is True
    assert trace[2:] == [False, False, True, True]


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


@on_transports
@pytest.mark.parametrize("when", ["before it is made", "within connection_made"])
def test_a_server_is_closed_while_it_accepts(run, when):
    def scenario(loop, trace):
        def factory():
            protocol = Plain(trace)
            made.append(protocol)
            if when == "before it is made":
                server.close()
            else:
                protocol.hooks["connection_made"] = lambda _: server.close()
            return protocol

        made = []
        server = loop.run_until_complete(loop.create_server(factory, LOCAL, 0))
        with socket.create_connection(server.sockets[0].getsockname()) as sock:
            turns(loop, 6)
            trace.append((len(made), server.is_serving()))
            if made[0].transport:
                sock.send(b"hello")
                run_until(loop, lambda: made[0].data or made[0].lost)
                made[0].transport.abort()
                turns(loop, 3)

    trace = run(scenario)
    assert (1, False) in trace
