"""What a piece of work is, and what is wanted of it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

OURS = "tornado4"

# The peers of each face, in the order in which they are shown.
PEERS = {
    "asyncio": ("asyncio", "uvloop"),
    "twisted": ("epoll", "asyncio", "uvloop"),
    "tornado": ("asyncio", "uvloop"),
}

Round = Callable[[], float]


@dataclass(frozen=True)
class Target:
    """How many times as fast as a peer the project wants to be."""

    peer: str
    ratio: float


@dataclass(frozen=True)
class Work:
    """A piece of work that every host of a face does in the same way.

    ``prepare`` takes a host and gives a function that does ``operations``
    operations and returns how many seconds they took; it is called again and
    again. What it needs lasts as long as the context.
    """

    face: str
    name: str
    operations: int
    prepare: Callable[[Any], AbstractContextManager[Round]]
    target: Target | None = None

    @property
    def title(self) -> str:
        """The face and the name: what ``-k`` looks at."""
        return f"{self.face}: {self.name}"

    @property
    def hosts(self) -> tuple[str, ...]:
        """The names of all that do the work, ours first."""
        return (OURS, *PEERS[self.face])
