"""What all kinds of work share: the bytes, the counts, the time, and what went wrong."""

from __future__ import annotations

import asyncio
import random
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
# A visit takes far less, but for a machine that does much else.
PATIENCE = 120.0
BLOCK = random.Random(1).randbytes(1 << 20)


class World:
    """One run of it."""

    def __init__(self, reactor: Any, folder: Path, seed: int, pause: float) -> None:
        self.reactor = reactor
        self.folder = folder
        self.pause = pause
        self.random = random.Random(seed)
        self.ended = False
        self.visits: Counter[str] = Counter()
        self.bytes = 0
        self.again = 0
        """Datagrams that the kernel has dropped, which were sent again."""
        self.wrong: list[str] = []
        self.closing: list[Callable[[], Awaitable[object] | None]] = []

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    def failed(self, what: str) -> None:
        # The first ones say why; a million of them would be a leak.
        if len(self.wrong) < 50:
            self.wrong.append(what)

    def compare(self, name: str, sent: bytes, came: bytes) -> None:
        """Every byte that has come back must be the one that was sent."""
        self.bytes += len(came)
        if sent != came:
            both = enumerate(zip(sent, came, strict=False))
            at = next((n for n, (one, other) in both if one != other), "the end")
            self.failed(f"{name}: {len(sent)} sent, {len(came)} came, different from {at} on")

    async def visit_until_the_end(
        self, name: str, visit: Callable[[World, random.Random], Awaitable[None]], seed: int
    ) -> None:
        """Make one visit after the other."""
        chance = random.Random(seed)
        while not self.ended:
            try:
                await asyncio.wait_for(visit(self, chance), PATIENCE)
            except Exception:
                self.failed(f"{name}: {traceback.format_exc(limit=-4)}")
            self.visits[name] += 1
            await asyncio.sleep(chance.uniform(0, self.pause))

    async def close(self) -> None:
        for close in reversed(self.closing):
            if (closed := close()) is not None:
                await closed


def some(chance: random.Random, most: int = 200_000) -> bytes:
    """Bytes of any length; mostly few."""
    length = int(most ** chance.random())
    start = chance.randrange(len(BLOCK) - length)
    return BLOCK[start : start + length]


def pieces(chance: random.Random, data: bytes) -> Iterator[bytes]:
    """The same in pieces of any length."""
    start = 0
    while start < len(data):
        length = int(len(data) ** chance.uniform(0.5, 1)) + 1
        yield data[start : start + length]
        start += length


def ending(chance: random.Random, half: bool = True) -> str:
    """How a visit ends, and whether nothing is read for a while before."""
    return chance.choice(["close", "close", "pause", "reset", "half" if half else "close"])
