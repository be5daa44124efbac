"""The rows of asyncio's face: one protocol, on every loop."""

from __future__ import annotations

from .rows import IDLE, OURS, Row, Wanted

LOOPS = (OURS, "uvloop", "aiofastnet", "rloop", "asyncio")
# Where rloop isn't: it has no UNIX sockets.
MORE = (OURS, "uvloop", "aiofastnet", "asyncio")


def _echo(
    name: str,
    title: str,
    serve: str,
    shape: tuple[int, int],
    wanted: tuple[Wanted, ...],
    peers: tuple[str, ...] = LOOPS,
) -> Row:
    connections, size = shape
    plural = "s" if connections > 1 else ""
    return Row(
        "asyncio",
        f"aio-{name}-{connections}x{size}",
        f"{title} echo, {connections} connection{plural} x {size:,} bytes",
        serve,
        ("echo", "--connections", str(connections), "--size", str(size)),
        wanted,
        peers,
    )


def _web(package: str, title: str, *needs: str) -> Row:
    return Row(
        "asyncio",
        f"aio-{package}",
        f"{title} hello, 50 connections kept alive",
        package,
        ("http", "--connections", "50"),
        (Wanted("uvloop", 1.1),),
        (*LOOPS, "C"),
        unit="requests/s",
        needs=(package, *needs),
    )


ROWS = [
    _echo(
        "echo",
        "Protocol",
        "echo",
        (50, 1_000),
        (Wanted("uvloop", 1.15), Wanted("aiofastnet", 1.05)),
        (*LOOPS, "C"),
    ),
    _echo("echo", "Protocol", "echo", (50, 100_000), (Wanted("uvloop", 1.05),), (*LOOPS, "C")),
    _echo("echo", "Protocol", "echo", (1, 1_000), (Wanted("uvloop", 1.7),), (*LOOPS, "C")),
    Row(
        "asyncio",
        "aio-four-writes",
        "four writes of 50 bytes for each message, 50 connections",
        "four",
        ("four", "--connections", "50", "--size", "50"),
        (Wanted("uvloop", 2.0),),
        (*LOOPS, "C"),
    ),
    _echo("buffered", "BufferedProtocol", "buffered", (50, 100_000), (Wanted("uvloop", 1.2),)),
    _echo("streams", "streams", "streams", (50, 1_000), (Wanted("uvloop", 1.1),)),
    _echo("unix", "UNIX socket, Protocol", "unix", (50, 1_000), (), MORE),
    Row(
        "asyncio",
        "aio-close",
        "connections accepted and closed, for each second of the server's CPU time",
        "close",
        ("close", "--connections", "1000"),
        (Wanted("uvloop", 1.5),),
        # rloop closes none but the first.
        (*MORE, "C"),
        unit="connections/s",
        # The client has as much to do as the server, so it would be the limit. It connects
        # while the server is stopped: a server that waits for it may spin.
        by_time=True,
    ),
    Row(
        "asyncio",
        "aio-udp",
        "UDP echo, 100 bytes, 50 under way",
        "udp",
        ("udp", "--connections", "50", "--size", "100"),
        (Wanted("uvloop", 1.2),),
        (*LOOPS, "C"),
        unit="datagrams/s",
    ),
    _web("uvicorn", "uvicorn (h11)", "h11"),
    _web("aiohttp", "aiohttp"),
    Row(
        "asyncio",
        "aio-memory",
        f"resident memory for an idle connection, of {IDLE:,}, its Protocol included",
        "echo",
        (),
        (Wanted("uvloop", 0.6),),
        LOOPS,
        unit="bytes each",
        idle=IDLE,
    ),
]
