"""What a row is: what is measured, and what is wanted of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

OURS = "tornado4"
# Ours once more, without what the row is about.
ALONE = "tornado4, alone"

# How many connections stay idle, in the rows that have such.
IDLE = 10_000


@dataclass(frozen=True)
class Wanted:
    """How many times a peer's figure ours has to be.

    At least so many times as fast; at most so many times as much memory.
    """

    peer: str
    ratio: float


@dataclass(frozen=True)
class Row:
    """One kind of work on one face.

    ``serve`` names what the servers do, ``load`` what is done to them: the load
    generator's mode and options. ``idle`` connections are open beside that. With
    ``by_time`` the rate is that of the CPU time that the server took. ``needs``
    are packages without which nobody can serve.
    """

    face: str
    name: str
    title: str
    serve: str
    load: tuple[str, ...]
    wanted: tuple[Wanted, ...]
    peers: tuple[str, ...]
    unit: str = "round trips/s"
    idle: int = 0
    by_time: bool = False
    needs: tuple[str, ...] = ()

    @property
    def of_memory(self) -> bool:
        """Whether memory is measured. Less is better then."""
        return not self.load

    @property
    def mode(self) -> str:
        """The load generator's mode."""
        return self.load[0] if self.load else "echo"

    def counted_by_time(self) -> Row:
        """Make the same row, counted for each second of CPU time."""
        if self.of_memory or self.by_time:
            return self
        return replace(self, title=f"{self.title}, by CPU time", by_time=True)
