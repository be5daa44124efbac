"""What is measured, and what is wanted of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

OURS = "tornado4"
# Ours once more, without what the row is about.
ALONE = "tornado4, alone"

TCP = (OURS, "epoll", "uvloop", "asyncio", "C")
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
    """One kind of work.

    ``serve`` names what the servers do, ``load`` what is done to them: the load
    generator's mode and options. ``idle`` connections are open beside that. With
    ``by_time`` the rate is that of the CPU time that the server took.
    """

    name: str
    title: str
    serve: str
    load: tuple[str, ...]
    wanted: tuple[Wanted, ...]
    peers: tuple[str, ...] = TCP
    unit: str = "round trips/s"
    idle: int = 0
    by_time: bool = False

    @property
    def of_memory(self) -> bool:
        """Whether memory is measured. Less is better then."""
        return not self.load

    def counted_by_time(self) -> Row:
        """Make the same row, counted for each second of CPU time."""
        if self.of_memory or self.by_time:
            return self
        return replace(self, title=f"{self.title}, by CPU time", by_time=True)


def _echo(connections: int, size: int, *wanted: Wanted) -> Row:
    plural = "s" if connections > 1 else ""
    return Row(
        f"echo-{connections}x{size}",
        f"TCP echo, {connections} connection{plural} x {size:,} bytes",
        "echo",
        ("echo", "--connections", str(connections), "--size", str(size)),
        wanted,
    )


ROWS = [
    _echo(50, 1_000, Wanted("epoll", 3.0), Wanted("uvloop", 1.05), Wanted("C", 0.85)),
    _echo(50, 100_000, Wanted("epoll", 2.1), Wanted("uvloop", 1.0)),
    _echo(4, 1_000_000, Wanted("uvloop", 1.0)),
    _echo(1, 1_000, Wanted("epoll", 1.7), Wanted("uvloop", 0.97)),
    Row(
        "four-writes",
        "four writes of 50 bytes for each message, 50 connections",
        "four",
        ("four", "--connections", "50", "--size", "50"),
        (Wanted("uvloop", 2.0),),
    ),
    Row(
        "close",
        "connections accepted and closed, for each second of the server's CPU time",
        "close",
        ("close", "--connections", "50"),
        (Wanted("epoll", 2.0),),
        unit="connections/s",
        # The client has as much to do as the server, so it would be the limit.
        by_time=True,
    ),
    Row(
        "udp",
        "UDP echo, 100 bytes, 50 under way",
        "udp",
        ("udp", "--connections", "50", "--size", "100"),
        (Wanted("epoll", 2.0),),
        unit="datagrams/s",
    ),
    Row(
        "web",
        "twisted.web hello, 50 connections kept alive",
        "http",
        ("http", "--connections", "50"),
        (Wanted("epoll", 1.3),),
        (OURS, "epoll", "C"),
        unit="requests/s",
    ),
    Row(
        "idle",
        f"TCP echo, 50 connections x 1,000 bytes, {IDLE:,} idle ones beside them",
        "echo",
        ("echo", "--connections", "50", "--size", "1000"),
        (Wanted(ALONE, 0.95),),
        (OURS, ALONE, "epoll", "uvloop"),
        idle=IDLE,
    ),
    Row(
        "memory",
        f"resident memory for an idle connection, of {IDLE:,}",
        "echo",
        (),
        (Wanted("epoll", 0.5),),
        (OURS, "epoll", "uvloop", "asyncio"),
        unit="bytes each",
        idle=IDLE,
    ),
]
