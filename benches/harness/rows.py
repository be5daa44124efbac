"""What a row is: what is measured, and of whom."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from .context import Context

OURS = "tornado4"
# Ours once more, without what the row is about.
ALONE = "tornado4, alone"
# Ours with the TLS engine that works on any OpenSSL.
FALLBACK = "tornado4, fallback"

# What a ratio is of. Each is a cost, so less is better, and ours is so many times as good as
# a peer as the peer's cost is ours.
CPU = "cpu"  # seconds of CPU time for an operation
WALL = "wall"  # seconds for an operation
BYTES = "bytes"  # of memory
COSTS = (CPU, WALL, BYTES)


class Failed(Exception):
    """Something ended, or said nothing, or something unexpected."""


class Missing(Failed):
    """What it takes isn't installed here."""


@dataclass(frozen=True)
class Sample:
    """What came out of one round of one peer.

    ``busy`` is the share of the time in which the load generator didn't wait for the
    server, ``lost`` how many datagrams it had to send again, ``latencies`` are
    percentiles in microseconds, ``transport`` is the class of the server's transports.
    """

    wall: float | None = None
    cpu: float | None = None
    bytes: float | None = None
    busy: float | None = None
    lost: int = 0
    latencies: Mapping[str, float] = field(default_factory=dict)
    transport: str | None = None


Round = Callable[[], Sample]


class Work(Protocol):
    """What is measured, and how."""

    def open(self, context: Context, row: Row, peer: str) -> AbstractContextManager[Round]:
        """Make ready whatever it takes; each call of what is returned is a round.

        :raises Missing: Somebody lacks what it takes.
        :raises Failed: It doesn't work.
        """

    def seconds(self, context: Context) -> float:
        """Guess how long a round takes, for the progress bar."""


@dataclass(frozen=True)
class Row:
    """One kind of work on one face.

    ``by`` is what ratios are of, ``wanted`` what the project wants them to be, ``needs``
    are packages without which nobody can do the work. ``ours`` is who is compared with the
    other peers. ``curve`` is the name of a growth curve and the row's place on it.
    ``rounds`` limits how often slow work is done; ``quick``: also done by ``--quick``.
    """

    face: str
    group: str
    name: str
    title: str
    work: Work
    peers: tuple[str, ...]
    unit: str = "round trips"
    by: str = CPU
    wanted: Mapping[str, float] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    ours: str = OURS
    curve: tuple[str, int] | None = None
    rounds: int | None = None
    quick: bool = False

    def described(self) -> dict[str, Any]:
        """Tell what of it is kept with its results."""
        words = ("face", "group", "name", "title", "unit", "by", "ours", "curve")
        return {word: getattr(self, word) for word in words}
