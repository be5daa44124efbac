"""Tornado: IOStreams, handlers, subprocesses. Datagrams are asyncio's there."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Callable
from typing import Any

import tornado.ioloop
from tornado.iostream import IOStream, SSLIOStream, StreamClosedError
from tornado.netutil import bind_unix_socket
from tornado.process import Subprocess
from tornado.tcpclient import TCPClient
from tornado.tcpserver import TCPServer

from helpers.certificates import ssl_contexts
from helpers.faults.sides import Child, Side, Talk, error_of
from helpers.tls_errors import Careful
from tornado4 import iostream
from tornado4.ioloop import IOLoop

LOGGERS = [logging.getLogger(f"tornado.{name}") for name in ("application", "general")]


def kind_of(message: str) -> str:
    """Return what a message is about, without what it tells of its case."""
    return message.partition(":")[0].partition(" in callback ")[0]


class Told(logging.Handler):
    def __init__(self, side: Side) -> None:
        super().__init__(logging.WARNING)
        self.side = side

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        self.side.told.append(f"{kind_of(str(record.msg))}: {error_of(error)}")


class EchoServer(TCPServer):
    def __init__(self, side: TornadoSide, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.side = side

    async def handle_stream(self, stream: IOStream, address: Any) -> None:
        if not self.side.native and isinstance(stream, SSLIOStream):
            stream.__class__ = Careful
        connection = self.side.accepted(stream.socket.fileno())
        stream.set_close_callback(lambda: connection.lost.append(error_of(stream.error)))
        try:
            while True:
                await stream.write(await stream.read_bytes(100_000, partial=True))
        except StreamClosedError as error:
            if error.real_error is not stream.error:
                self.side.told.append(f"real_error {error_of(error.real_error)}")


class TornadoSide(Side):
    def __init__(self, kind: str) -> None:
        super().__init__()
        made = IOLoop if kind == "ours" else tornado.ioloop.IOLoop
        self.io_loop: Any = made(make_current=False)
        self.native = kind == "ours"
        if self.native:
            iostream.install()
        self.loop: Any = self.io_loop.asyncio_loop
        self.loop.set_exception_handler(self.report)
        self.handler = Told(self)
        for logger in LOGGERS:
            logger.addHandler(self.handler)
            logger.propagate = False
        self.servers: list[TCPServer] = []
        self.handled: list[socket.socket] = []

    def report(self, loop: Any, context: dict[str, Any]) -> None:
        self.told.append(f"{kind_of(context['message'])}: {error_of(context.get('exception'))}")

    def listen(self, transport: str, path: str) -> Any:
        async def listen() -> Any:
            context = ssl_contexts()[0] if transport == "tls" else None
            server = EchoServer(self, ssl_options=context)
            self.servers.append(server)
            if transport == "unix":
                server.add_socket(bind_unix_socket(path))
                return path
            server.listen(0, self.host)
            [listening] = server._sockets.values()
            return listening.getsockname()

        return self.io_loop.run_sync(listen)

    def connect(self, transport: str, address: Any, talk: Talk) -> None:

        async def connect() -> None:
            try:
                stream = await self.stream_to(transport, address)
            except (OSError, ssl.SSLError, StreamClosedError) as error:
                talk.failed.append(error_of(getattr(error, "real_error", error)))
                return
            lost = talk.connection.lost
            stream.set_close_callback(lambda: lost.append(error_of(stream.error)))
            try:
                while data := talk.next():
                    await stream.write(data)
                    while not talk.received(await stream.read_bytes(70_000, partial=True)):
                        pass
            except StreamClosedError:
                return
            stream.close()

        self.io_loop.add_callback(connect)

    async def stream_to(self, transport: str, address: Any) -> IOStream:
        if transport == "unix":
            stream = IOStream(socket.socket(socket.AF_UNIX))
            return await stream.connect(address)
        context = ssl_contexts()[1] if transport == "tls" else None
        if context is None:
            return await TCPClient().connect(*address)
        made = SSLIOStream if self.native else Careful
        stream = made(socket.socket(), ssl_options=context)
        return await stream.connect(address, server_hostname="test")

    def datagrams(self) -> Any:
        end = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        end.bind((self.host, 0))
        end.setblocking(False)

        def answer(fd: Any, events: int) -> None:
            data, address = end.recvfrom(100)
            end.sendto(data, address)

        self.io_loop.add_handler(end, answer, self.io_loop.READ)
        self.handled.append(end)
        return end.getsockname()

    def spawn(self, data: bytes) -> Child:
        child = Child()

        async def spawn() -> None:
            try:
                process = Subprocess(["cat"], stdin=Subprocess.STREAM, stdout=Subprocess.STREAM)
                ended = process.wait_for_exit(raise_error=False)
                read = process.stdout.read_until_close()
                await process.stdin.write(data)
                process.stdin.close()
                child.output = await read
                child.ended.append(await ended)
            except (OSError, StreamClosedError) as error:
                child.failed.append(error_of(getattr(error, "real_error", error)))

        self.io_loop.add_callback(spawn)
        return child

    def call_from_thread(self, function: Callable[..., Any], *args: Any) -> None:
        self.io_loop.add_callback(function, *args)

    def run(self) -> None:
        self.io_loop.start()

    def stop(self) -> None:
        self.io_loop.stop()

    def call_later(self, seconds: float, function: Callable[[], Any]) -> None:
        self.io_loop.call_later(seconds, function)

    def close(self) -> None:
        for server in self.servers:
            # It lacks a socket that it could not add.
            with contextlib.suppress(KeyError):
                server.stop()
        # It asks for the current IOLoop, which Python 3.14 has none for where no loop runs.
        asyncio.set_event_loop(self.loop)
        Subprocess.uninitialize()
        asyncio.set_event_loop(None)
        for end in self.handled:
            self.io_loop.remove_handler(end)
            end.close()
        for _ in range(3):
            self.loop.call_soon(self.loop.stop)
            self.loop.run_forever()
        self.io_loop.close()
        if self.native:
            iostream.uninstall()
        for logger in LOGGERS:
            logger.removeHandler(self.handler)
