"""The rows that are a growth curve's points: what becomes of an echo when there is more."""

from __future__ import annotations

from dataclasses import replace

from harness.peers import EPOLL
from harness.rows import OURS, Row

from .rows import echo

PEERS = {"asyncio": (OURS, "uvloop", "asyncio", "C"), "twisted": (OURS, EPOLL, "uvloop", "C")}
PREFIX = {"asyncio": "grow-aio", "twisted": "grow"}
# The last is as many as fit into the backlog.
CONNECTIONS = (5, 50, 500, 4_000)
SIZES = (100, 1_000, 10_000, 100_000, 1_000_000)
# The last is as many as fit below 20,000 open files, which is a common limit.
IDLE = (100, 1_000, 10_000, 19_900)
# How often each point is measured.
ROUNDS = 3


def _point(face: str, curve: str, at: int, shape: tuple[int, int], idle: int = 0) -> Row:
    beside = f", {idle:,} idle ones beside them" if idle else ""
    made = echo(
        face,
        "growth",
        PREFIX[face],
        "TCP echo",
        shape,
        PEERS[face],
        idle=idle,
        curve=(f"{face}-{curve}", at),
        rounds=ROUNDS,
    )
    name = f"{PREFIX[face]}-{curve}-{at}"
    return replace(made, name=name, title=made.title + beside)


ROWS = [
    row
    for face in PEERS
    for row in (
        *(_point(face, "connections", count, (count, 1_000)) for count in CONNECTIONS),
        *(_point(face, "size", size, (20, size)) for size in SIZES if face == "asyncio"),
        *(_point(face, "idle", count, (50, 1_000), count) for count in IDLE if face == "twisted"),
    )
]
