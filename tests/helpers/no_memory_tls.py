"""The same with TLS, by either engine: what has come back is what was sent, up to somewhere."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any

from helpers import certificates
from helpers.no_memory import Guard, new_loop, scenario

SENT = bytes(range(251)) * 400


def turns(loop: Any, count: int = 6) -> None:
    """Tornado's streams want a loop that runs. That of asyncio's `run_forever` doesn't end well
    where the memory of what comes last in it fails."""
    for _ in range(count):
        loop._turn(0)


@contextlib.contextmanager
def running(loop: Any) -> Iterator[None]:
    asyncio._set_running_loop(loop)
    try:
        yield
    finally:
        asyncio._set_running_loop(None)


class Client:
    """Of TLS, that never blocks: the server is in the same thread."""

    def __init__(self, address: Any, turn: Callable[[], None]) -> None:
        raw = socket.create_connection(address)
        raw.setblocking(False)
        context = certificates.ssl_contexts()[1]
        self.turn = turn
        self.end = context.wrap_socket(
            raw, server_hostname="test", do_handshake_on_connect=False, suppress_ragged_eofs=True
        )
        self.tries(self.end.do_handshake)

    def tries(self, call: Callable[..., Any], *args: Any, most: int = 300) -> Any:
        for _ in range(most):
            try:
                return call(*args)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                # Or the server waits for what has to be said before it says more (Nagle).
                self.end.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
                self.turn()
        return None

    def send(self, data: bytes) -> None:
        while data:
            data = data[self.tries(self.end.send, data) or len(data) :]

    def came(self, wanted: int) -> bytes:
        """What comes, until it is all, the end, or nothing comes any more."""
        came = b""
        with contextlib.suppress(OSError):
            while len(came) < wanted and (piece := self.tries(self.end.recv, 65536, most=50)):
                came += piece
        return came


def visits(loop: Any, address: Any) -> Callable[[Guard], None]:
    # How far a connection gets, while an allocation fails, is up to how often the loop turns.
    chance = random.Random(9)

    def turn() -> None:
        turns(loop, 1)

    def some_turns() -> None:
        turns(loop, chance.choice([1, 2, 3, 6, 8]))

    def once(guard: Guard) -> None:
        def sometimes() -> contextlib.AbstractContextManager[None]:
            # The first that fails may end the connection, before the others.
            return guard() if chance.random() < 0.5 else contextlib.nullcontext()

        with running(loop):
            visit(sometimes)

    def visit(guard: Guard) -> None:
        client = Client(address, turn)
        with contextlib.closing(client.end):
            for size in (100, len(SENT)):
                with contextlib.suppress(OSError):
                    client.end.send(SENT[:16384][:size])
                    with guard():
                        some_turns()
                    client.send(SENT[16384:size])
                    with guard():
                        some_turns()
                came = client.came(size)
                assert SENT[:size].startswith(came), (size, len(came))
                if len(came) < size:
                    # Something is missing, so nothing may follow: the connection has ended.
                    assert client.came(1) == b""
                    break
        with guard():
            some_turns()
        turns(loop)
        again = Client(address, turn)
        with contextlib.closing(again.end):
            again.send(b"still there")
            assert again.came(11) == b"still there"
        turns(loop)

    return once


@scenario
def asyncio_tls() -> Callable[[Guard], None]:
    loop = new_loop()

    class Echo(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            self.transport.write(data[:10])
            self.transport.writelines([data[10:20], data[20:]])

    context = certificates.ssl_contexts()[0]
    server = loop.run_until_complete(loop.create_server(Echo, "127.0.0.1", 0, ssl=context))
    return visits(loop, server.sockets[0].getsockname())


@scenario
def twisted_tls() -> Callable[[Guard], None]:
    from twisted.internet import protocol
    from twisted.python import log

    from tornado4.platform.twisted import install

    log.startLoggingWithObserver(lambda event: None, setStdout=False)
    # Twisted's TLS uses the global one.
    reactor: Any = install()

    class Echo(protocol.Protocol):
        def dataReceived(self, data: bytes) -> None:
            self.transport.write(data[:10])
            self.transport.write(data[10:])

    factory = protocol.Factory.forProtocol(Echo)
    port = reactor.listenSSL(0, factory, certificates.server_context(), interface="127.0.0.1")
    return visits(reactor._asyncioEventloop, ("127.0.0.1", port.getHost().port))


@scenario
def tornado_tls() -> Callable[[Guard], None]:
    import logging

    from tornado.tcpserver import TCPServer

    import tornado4
    from tornado4.ioloop import IOLoop

    logging.disable()
    tornado4.iostream.install()
    io_loop = IOLoop(make_current=False)
    loop: Any = io_loop.asyncio_loop
    loop.set_exception_handler(lambda loop, context: None)

    class Server(TCPServer):
        async def handle_stream(self, stream: Any, address: object) -> None:
            try:
                while True:
                    await stream.write(await stream.read_bytes(65536, partial=True))
            except Exception:
                stream.close()

    async def serve() -> Any:
        from tornado.netutil import bind_sockets

        server = Server(ssl_options=certificates.ssl_contexts()[0])
        sockets = bind_sockets(0, "127.0.0.1")
        server.add_sockets(sockets)
        return server, sockets[0].getsockname()

    server, address = loop.run_until_complete(serve())
    once = visits(loop, address)
    once.server = server  # type: ignore[attr-defined]
    return once
