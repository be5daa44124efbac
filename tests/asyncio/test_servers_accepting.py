"""What asyncio's servers accept: with factories that fail, without descriptors, at once."""

import asyncio
import contextlib
import gc
import os
import resource
import socket
import sys

import pytest

from helpers.scenarios import described, open_fds, outcome, turns
from helpers.servers import LOCAL, ask, echoing, outcome_of
from helpers.transports import (
    Plain,
    on_transports,
    ours_transports,
    run_until,
)


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
        # Stock may still try to go on with what is closed.
        loop.set_exception_handler(lambda loop, context: None)
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


@on_transports
@pytest.mark.parametrize(
    ("host", "to"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),
        ("::1", "::1"),
        ("::", "::1"),
        ("::ffff:127.0.0.1", "::ffff:127.0.0.1"),
        ("::ffff:0.0.0.0", "::ffff:127.0.0.1"),
    ],
)
def test_addresses_that_are_asked_for_when_the_connection_is_closed(run, host, to):
    def scenario(loop, trace):
        protocol = Plain(trace, connection_made=lambda protocol: protocol.transport.close())
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        sock.bind((host, 0))
        server = loop.run_until_complete(loop.create_server(lambda: protocol, sock=sock))
        port = sock.getsockname()[1]
        with socket.create_connection((to, port)) as peer:
            run_until(loop, lambda: protocol.lost)
            turns(loop)
            info = protocol.transport.get_extra_info
            trace.append(info("sockname") == peer.getpeername())
            trace.append(info("peername") == peer.getsockname())
            trace.append(info("socket").fileno())
        server.close()

    assert run(scenario)[-3:] == [True, True, -1]


@on_transports
@pytest.mark.parametrize("answer", [None, "seven", 1.5, -1, 2**40])
def test_a_listening_socket_whose_descriptor_is_none(run, answer):
    """It is looked up as a reader's is, and fails with the selectors' error."""

    def scenario(loop, trace):
        class Odd(socket.socket):
            lies = False

            def fileno(self):
                return answer if self.lies else super().fileno()

            def __repr__(self):
                return "<Odd>"

        async def main():
            with Odd() as sock:
                sock.bind((LOCAL, 0))
                server = await loop.create_server(echoing([], []), sock=sock, start_serving=False)
                sock.lies = True
                error, message = await outcome_of(server.start_serving())
                # What doesn't fit is told in PyO3's words.
                trace.append((error, message if error == "ValueError" else ""))
                sock.lies = False

        loop.run_until_complete(main())

    assert run(scenario)[0][0] == ("OverflowError" if answer == 2**40 else "ValueError")
