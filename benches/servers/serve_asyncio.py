"""A server on asyncio: ``python -m servers.serve_asyncio LOOP WORK FOLDER``.

It prints its port, or the path of its UNIX socket in that folder, and after the first
connection the class of its transport.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from harness.certificate import NAME
from harness.loops import new_loop
from harness.say import say, say_transport

from .serve_web import BACKLOG, bound, serve_aiohttp, serve_uvicorn, serve_websockets

HOST = "127.0.0.1"
BUFFER = 256 * 1_024
# What the works that are done over TLS begin with.
TLS = "tls-"


class Plain(asyncio.Protocol):
    """Has its transport, as everything that writes."""

    transport: Any

    def connection_made(self, transport: Any) -> None:
        self.transport = transport


class Echo(Plain):
    """Sends everything back."""

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


class BufferedEcho(asyncio.BufferedProtocol):
    """Sends everything back, read into a buffer of its own."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.buffer = bytearray(BUFFER)

    def get_buffer(self, _sizehint: int) -> bytearray:
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        # A copy: the next read may come before it is sent.
        self.transport.write(self.buffer[:nbytes])


class Four(Plain):
    """Writes in pieces, as much code does."""

    def data_received(self, data: bytes) -> None:
        write = self.transport.write
        write(data)
        write(data)
        write(data)
        write(data)


class Close(Plain):
    """Has nothing to say to anyone."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.close()


BODY = (
    b"<!DOCTYPE html><html><head><title>A page</title></head><body>"
    + b"<p>Nothing to see here.</p>" * 30
    + b"</body></html>"
)
PAGE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n"
    b"Content-Length: %d\r\n\r\n" % len(BODY)
) + BODY


class Pages(Plain):
    """Answers every request with the same page, and keeps the connection."""

    got = b""

    def data_received(self, data: bytes) -> None:
        *requests, self.got = (self.got + data).split(b"\r\n\r\n")
        self.transport.write(PAGE * len(requests))


class DatagramEcho(asyncio.DatagramProtocol):
    """Sends each datagram back."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        say_transport(transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.transport.sendto(data, addr)


def told_of(protocol: Any) -> None:
    """Tell a protocol's transport once it has one: in some turn, or after a handshake."""
    transport = getattr(protocol, "transport", None)
    if transport is None:
        asyncio.get_running_loop().call_later(0.001, told_of, protocol)
    else:
        say_transport(transport)


def telling(protocol: type[Any]) -> Callable[[], Any]:
    """Make a factory that tells the first connection's transport."""
    told = False

    def factory() -> Any:
        nonlocal told
        made = protocol()
        if not told:
            told = True
            told_of(made)
        return made

    return factory


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Sends everything back, by way of streams."""
    # The load generator leaves in the middle.
    with suppress(ConnectionError):
        while data := await reader.read(BUFFER):
            writer.write(data)
            await writer.drain()
    writer.close()


def telling_streams() -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]:
    """Make what is called with each connection's streams, and tells the first one's."""
    told = False

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Any:
        nonlocal told
        if not told:
            told = True
            say_transport(writer.transport)
        return echo(reader, writer)

    return connected


async def serve_datagrams() -> None:
    """Serve by UDP."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(DatagramEcho, local_addr=(HOST, 0))
    say(port=transport.get_extra_info("sockname")[1])
    await asyncio.Event().wait()


async def serve_unix() -> None:
    """Serve at a UNIX socket."""
    path = os.path.join(sys.argv[-1], str(os.getpid()))
    server = await asyncio.get_running_loop().create_unix_server(
        telling(Echo), path, backlog=BACKLOG
    )
    say(port=path)
    await forever(server)


async def forever(_server: asyncio.AbstractServer) -> None:
    """Keep a server. (Its own ``serve_forever`` makes rloop deaf.)"""
    await asyncio.Event().wait()


def secured() -> ssl.SSLContext:
    """Make a context with the certificate in the folder."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(os.path.join(sys.argv[-1], NAME))
    return context


async def serve(work: str) -> None:
    """Open the port for that work."""
    loop = asyncio.get_running_loop()
    tls, plain = work.startswith(TLS), work.removeprefix(TLS)
    options: dict[str, Any] = {
        "sock": bound(),
        "backlog": BACKLOG,
        "ssl": secured() if tls else None,
    }
    if plain == "streams":
        server = await asyncio.start_server(telling_streams(), **options)
    else:
        server = await loop.create_server(telling(PROTOCOLS[plain]), **options)
    await forever(server)


PROTOCOLS: dict[str, type[Any]] = {
    "echo": Echo,
    "four": Four,
    "buffered": BufferedEcho,
    "close": Close,
    "pages": Pages,
}
OTHERS: dict[str, Callable[[], Any]] = {
    "udp": serve_datagrams,
    "unix": serve_unix,
    "uvicorn": serve_uvicorn,
    "aiohttp": serve_aiohttp,
    "websockets": serve_websockets,
}


def main() -> None:
    """Serve until somebody ends this process."""
    name, work, _folder = sys.argv[1:]
    other = OTHERS.get(work)
    new_loop(name).run_until_complete(other() if other else serve(work))


if __name__ == "__main__":
    main()
