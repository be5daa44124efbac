"""Tornado's streams, its own and the native ones, plain and over TLS; and its web."""

from __future__ import annotations

import random
import socket
import ssl
import struct
from typing import Any

from tornado import iostream as stock
from tornado.httpclient import AsyncHTTPClient
from tornado.httpserver import HTTPServer
from tornado.iostream import StreamClosedError
from tornado.netutil import bind_sockets
from tornado.tcpserver import TCPServer
from tornado.web import Application, RequestHandler

import tornado4.iostream as native

from .world import HOST, World, ending, some

END = b"\r\n"
HEAD = struct.Struct("!BI")


class OwnSSLIOStream(stock.SSLIOStream):
    """Tornado's own, but for what Python's `ssl` does to another one.

    Where the system has refused a write, `ssl` leaves that in OpenSSL's queue of the thread's
    errors, and whoever has to wait next takes it for its own failure (python/cpython#148594).
    Making a connection empties the queue.
    """

    def write_to_fd(self, data: memoryview) -> int:
        try:
            return super().write_to_fd(data)
        except OSError:
            self.empty_queue()
            raise

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        try:
            return super().read_from_fd(buf)
        except OSError:
            self.empty_queue()
            raise

    def empty_queue(self) -> None:
        ends = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.socket.context.wrap_bio(*ends, server_side=self.socket.server_side)


async def read_one(stream: Any) -> bytes:
    """A message; how it is read the message itself says."""
    head = await stream.read_bytes(HEAD.size)
    kind, length = HEAD.unpack(head)
    if kind == 0:
        body = await stream.read_bytes(length)
    elif kind == 1:
        body = bytearray(length)
        await stream.read_into(body)
    elif kind == 2:
        body = await stream.read_until(END)
    elif kind == 3:
        body = await stream.read_until_regex(rb"\r\n")
    else:
        body = b""
        while len(body) < length:
            body += await stream.read_bytes(length - len(body), partial=True)
    return head + bytes(body)


def message(chance: random.Random) -> bytes:
    kind = chance.randrange(5)
    body = some(chance, 50_000)
    if kind in (2, 3):
        body = body.hex().encode() + END
    return HEAD.pack(kind, len(body)) + body


async def serve(stream: Any) -> None:
    try:
        while True:
            await stream.write(await read_one(stream))
    except StreamClosedError:
        stream.close()


class Stock(TCPServer):
    async def handle_stream(self, stream: Any, address: object) -> None:
        if isinstance(stream, stock.SSLIOStream):
            stream.__class__ = OwnSSLIOStream
        await serve(stream)


class Native(TCPServer):
    """The stream that Tornado has made becomes one of ours, which has the same attributes."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        super().__init__()
        self.context = context

    async def handle_stream(self, stream: Any, address: object) -> None:
        stream.__class__ = native.IOStream
        if self.context is not None:
            stream = await stream.start_tls(True, self.context)
        await serve(stream)


class Echoes(RequestHandler):
    def post(self) -> None:
        self.write(self.request.body)


def listen(world: World, server: TCPServer) -> int:
    sockets = bind_sockets(0, HOST)
    server.add_sockets(sockets)
    world.closing.append(server.stop)  # type: ignore[arg-type]
    port: int = sockets[0].getsockname()[1]
    return port


def start(world: World, contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> dict[str, Any]:
    """Start the servers; return the visits to them."""
    ports = {
        "Tornado streams": listen(world, Native()),
        "Tornado's own streams": listen(world, Stock()),
        "Tornado TLS": listen(world, Native(contexts[0])),
        "Tornado's own TLS": listen(world, Stock(ssl_options=contexts[0])),
    }

    def over(name: str) -> Any:
        own, secured = "own" in name, "TLS" in name
        plain: Any = stock.IOStream if own else native.IOStream
        over_tls: Any = OwnSSLIOStream if own else native.SSLIOStream

        async def visit(world: World, chance: random.Random) -> None:
            raw = socket.socket()
            raw.setblocking(False)
            stream = over_tls(raw, ssl_options=contexts[1]) if secured else plain(raw)
            try:
                await stream.connect((HOST, ports[name]), server_hostname="localhost")
                await talk(name, world, chance, stream, half=not secured)
            finally:
                stream.close()

        return visit

    world.ports["Tornado web"] = listen(world, HTTPServer(Application([("/", Echoes)])))  # type: ignore[attr-defined]
    client = AsyncHTTPClient()
    world.closing.append(client.close)  # type: ignore[arg-type]

    async def visit_web(world: World, chance: random.Random) -> None:
        """A client of Tornado's, with a server of Tornado's or Twisted's."""
        data = some(chance)
        port = world.ports[chance.choice(["Twisted web", "Tornado web"])]  # type: ignore[attr-defined]
        answer = await client.fetch(f"http://{HOST}:{port}/", method="POST", body=data)
        world.compare("Tornado web", data, answer.body)

    return {**{name: over(name) for name in ports}, "Tornado web": visit_web}


async def talk(name: str, world: World, chance: random.Random, stream: Any, half: bool) -> None:
    for _ in range(chance.randrange(1, 6)):
        sent = message(chance)
        written = stream.write(sent)
        came = await read_one(stream)
        await written
        world.compare(name, sent, came)
    how = ending(chance, half)
    if how == "reset":
        # A reset, since nothing may linger.
        stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        stream.write(message(chance))
    elif how == "half":
        sent = message(chance)
        await stream.write(sent)
        stream.socket.shutdown(socket.SHUT_WR)
        world.compare(name, sent, await stream.read_until_close())
