"""A server on asyncio: ``python -m transports.serve_asyncio uvloop|asyncio WORK``.

It prints its port, and after the first connection the class of its transport.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

from .say import say, say_transport

BACKLOG = 4_096
HOST = "127.0.0.1"


class Plain(asyncio.Protocol):
    """Has its transport, as everything that writes."""

    transport: Any

    def connection_made(self, transport: Any) -> None:
        self.transport = transport


class Echo(Plain):
    """Sends everything back."""

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)


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


class DatagramEcho(asyncio.DatagramProtocol):
    """Sends each datagram back."""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        say_transport(transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.transport.sendto(data, addr)


def telling(protocol: type[Plain]) -> Callable[[], Plain]:
    """Make a factory that tells the first connection's transport."""
    told = False

    def factory() -> Plain:
        nonlocal told
        made = protocol()
        if not told:
            told = True
            loop = asyncio.get_running_loop()
            # There is no transport before the second turn.
            loop.call_soon(loop.call_soon, lambda: say_transport(made.transport))
        return made

    return factory


async def serve(work: str) -> None:
    """Open the port for that work."""
    loop = asyncio.get_running_loop()
    if work == "udp":
        transport, _ = await loop.create_datagram_endpoint(DatagramEcho, local_addr=(HOST, 0))
        say(port=transport.get_extra_info("sockname")[1])
        await asyncio.Event().wait()
    factory = telling({"echo": Echo, "four": Four, "close": Close}[work])
    server = await loop.create_server(factory, HOST, 0, backlog=BACKLOG)
    say(port=server.sockets[0].getsockname()[1])
    await server.serve_forever()


def main() -> None:
    """Serve until somebody ends this process."""
    name, work = sys.argv[1:]
    if name == "uvloop":
        import uvloop

        loop = uvloop.new_event_loop()
    else:
        loop = asyncio.SelectorEventLoop()
    loop.run_until_complete(serve(work))


if __name__ == "__main__":
    main()
