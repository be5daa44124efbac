"""What a row is: what is measured, and what is wanted of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

OURS = "tornado4"
# Ours once more, without what the row is about.
ALONE = "tornado4, alone"
# Ours with the TLS engine that works on any OpenSSL.
FALLBACK = "tornado4, fallback"

# How many connections stay idle, in the rows that have such.
IDLE = 10_000
# The same of TLS, each of which takes a handshake first.
IDLE_TLS = 1_000

# The version that the load generator speaks where TLS is measured.
TLS_VERSION = "1.3"


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
    generator's mode and options; with ``tls`` it speaks TLS. ``idle`` connections are
    open beside that. With ``by_time`` the rate is that of the CPU time that the server
    took. ``needs`` are packages without which nobody can serve. ``ours`` is who is
    compared with the other peers.
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
    tls: bool = False
    ours: str = OURS

    @property
    def of_memory(self) -> bool:
        """Whether memory is measured. Less is better then."""
        return not self.load

    @property
    def mode(self) -> str:
        """The load generator's mode."""
        return self.load[0] if self.load else "echo"

    @property
    def options(self) -> tuple[str, ...]:
        """What the load generator is told of every connection."""
        return ("--tls", TLS_VERSION) if self.tls else ()

    def counted_by_time(self) -> Row:
        """Make the same row, counted for each second of CPU time."""
        if self.of_memory or self.by_time:
            return self
        return replace(self, title=f"{self.title}, by CPU time", by_time=True)
