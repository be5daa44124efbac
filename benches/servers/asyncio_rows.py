"""The rows of asyncio's face: one protocol, on every loop."""

from __future__ import annotations

from harness.rows import OURS

from .rows import closing, echo, hello, memory, served

LOOPS = (OURS, "uvloop", "aiofastnet", "rloop", "asyncio")
# Where rloop isn't: it has no UNIX sockets, and closes no connection but the first.
MORE = (OURS, "uvloop", "aiofastnet", "asyncio")
WITH_C = (*LOOPS, "C")
MORE_WITH_C = (*MORE, "C")
FACE = "asyncio"

ROWS = [
    echo(
        FACE,
        "tcp",
        "aio-echo",
        "Protocol echo",
        (50, 1_000),
        WITH_C,
        wanted={"uvloop": 1.15, "aiofastnet": 1.05},
        quick=True,
    ),
    echo(
        FACE,
        "tcp",
        "aio-echo",
        "Protocol echo",
        (50, 100_000),
        MORE_WITH_C,
        wanted={"uvloop": 1.05},
    ),
    echo(FACE, "tcp", "aio-echo", "Protocol echo", (1, 1_000), MORE_WITH_C, wanted={"uvloop": 1.7}),
    served(
        FACE,
        "tcp",
        "aio-four-writes",
        "four writes of 50 bytes for each message, 50 connections",
        "four",
        ("four", "--connections", "50", "--size", "50"),
        MORE_WITH_C,
        wanted={"uvloop": 2.0},
    ),
    echo(
        FACE,
        "tcp",
        "aio-buffered",
        "BufferedProtocol echo",
        (50, 100_000),
        MORE,
        serve="buffered",
        wanted={"uvloop": 1.2},
    ),
    echo(
        FACE,
        "tcp",
        "aio-streams",
        "streams echo",
        (50, 1_000),
        LOOPS,
        serve="streams",
        wanted={"uvloop": 1.1},
    ),
    echo(FACE, "unix", "aio-unix", "UNIX socket, Protocol echo", (50, 1_000), MORE, serve="unix"),
    closing(FACE, "aio-close", MORE_WITH_C, wanted={"uvloop": 1.5}),
    served(
        FACE,
        "udp",
        "aio-udp",
        "UDP echo, 100 bytes, 50 under way",
        "udp",
        ("udp", "--connections", "50", "--size", "100"),
        WITH_C,
        unit="datagrams",
        wanted={"uvloop": 1.2},
        quick=True,
    ),
    hello(
        FACE,
        "aio-uvicorn",
        "uvicorn (h11)",
        "uvicorn",
        MORE_WITH_C,
        needs=("uvicorn", "h11"),
        wanted={"uvloop": 1.1},
    ),
    hello(
        FACE,
        "aio-aiohttp",
        "aiohttp",
        "aiohttp",
        MORE_WITH_C,
        needs=("aiohttp",),
        wanted={"uvloop": 1.1},
    ),
    echo(
        FACE,
        "websocket",
        "aio-websockets",
        "websockets, WebSocket echo",
        (50, 100),
        MORE,
        serve="websockets",
        mode="ws",
        needs=("websockets",),
        unit="messages",
    ),
    memory(FACE, "aio-memory", "connection", LOOPS, wanted={"uvloop": 1 / 0.6}),
]
