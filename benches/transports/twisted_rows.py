"""The rows of Twisted's face: a Twisted protocol, on our reactor and on Twisted's own."""

from __future__ import annotations

from .rows import ALONE, IDLE, OURS, Row, Wanted

# uvloop and asyncio serve the same with protocols of asyncio's.
TCP = (OURS, "epoll", "uvloop", "asyncio", "C")


def _echo(connections: int, size: int, *wanted: Wanted) -> Row:
    plural = "s" if connections > 1 else ""
    return Row(
        "twisted",
        f"echo-{connections}x{size}",
        f"TCP echo, {connections} connection{plural} x {size:,} bytes",
        "echo",
        ("echo", "--connections", str(connections), "--size", str(size)),
        wanted,
        TCP,
    )


ROWS = [
    _echo(50, 1_000, Wanted("epoll", 3.8), Wanted("uvloop", 1.25), Wanted("C", 0.85)),
    _echo(50, 100_000, Wanted("epoll", 2.1), Wanted("uvloop", 1.05)),
    _echo(4, 1_000_000, Wanted("uvloop", 1.0)),
    _echo(1, 1_000, Wanted("epoll", 1.7), Wanted("uvloop", 0.97)),
    Row(
        "twisted",
        "four-writes",
        "four writes of 50 bytes for each message, 50 connections",
        "four",
        ("four", "--connections", "50", "--size", "50"),
        (Wanted("uvloop", 2.0),),
        TCP,
    ),
    Row(
        "twisted",
        "close",
        "connections accepted and closed, for each second of the server's CPU time",
        "close",
        ("close", "--connections", "1000"),
        (Wanted("epoll", 2.0), Wanted("uvloop", 1.2)),
        TCP,
        unit="connections/s",
        # The client has as much to do as the server, so it would be the limit. It connects
        # while the server is stopped: a server that waits for it may spin.
        by_time=True,
    ),
    Row(
        "twisted",
        "udp",
        "UDP echo, 100 bytes, 50 under way",
        "udp",
        ("udp", "--connections", "50", "--size", "100"),
        (Wanted("epoll", 1.7),),
        TCP,
        unit="datagrams/s",
    ),
    Row(
        "twisted",
        "web",
        "twisted.web hello, 50 connections kept alive",
        "http",
        ("http", "--connections", "50"),
        (Wanted("epoll", 1.3),),
        (OURS, "epoll", "C"),
        unit="requests/s",
    ),
    Row(
        "twisted",
        "idle",
        f"TCP echo, 50 connections x 1,000 bytes, {IDLE:,} idle ones beside them",
        "echo",
        ("echo", "--connections", "50", "--size", "1000"),
        (Wanted(ALONE, 0.95),),
        (OURS, ALONE, "epoll", "uvloop"),
        idle=IDLE,
    ),
    Row(
        "twisted",
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
