"""Every client against every service of another framework."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from tornado4.demo import clients
from tornado4.demo.services import Services
from tornado4.demo.words import expect, heard, said

TEXTS = [f"ping{n}" for n in range(19)] + ["long" * 1000]


class Pair(NamedTuple):
    client: str
    service: str
    ask: Callable[[Any, int, str], Awaitable[bytes]]

    @property
    def name(self) -> str:
        return f"{self.client} -> {self.service}"

    async def talk(self, services: Services, text: str) -> int:
        """Send a text, verify the answer and both loops; return the bytes of the two."""
        answer = await self.ask(services.reactor, services.ports[self.service], text)
        expect(answer, heard(said(self.service, text)))
        return len(text) + len(answer)

    async def check(self, services: Services) -> str:
        volume = sum([await self.talk(services, text) for text in TEXTS])
        return f"{len(TEXTS)} answers, {volume} bytes"


PAIRS = [
    Pair("Tornado AsyncHTTPClient", "Twisted web", clients.tornado_http),
    Pair("Tornado IOStream", "Twisted lines", clients.tornado_lines),
    Pair("Tornado IOStream", "asyncio lines", clients.tornado_lines),
    Pair("Twisted Agent", "Tornado web", clients.twisted_http),
    Pair("Twisted endpoint", "Tornado lines", clients.twisted_lines),
    Pair("Twisted endpoint", "asyncio lines", clients.twisted_lines),
    Pair("asyncio streams", "Tornado web", clients.asyncio_http),
    Pair("asyncio streams", "Tornado lines", clients.asyncio_lines),
    Pair("asyncio streams", "Twisted lines", clients.asyncio_lines),
]


async def relay(services: Services) -> str:
    """asyncio asks a Tornado handler, whose Twisted client asks a Twisted server."""
    port = services.ports["Tornado web"]
    answer = await clients.asyncio_http(services.reactor, port, "relay/ping")
    expect(answer, heard(heard(said("Twisted lines", "ping"))))
    return f"1 answer, {len(answer)} bytes"
