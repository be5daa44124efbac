"""The rows of Tornado's face: Tornado's servers, on our IOLoop and on its own."""

from __future__ import annotations

from harness.rows import OURS

from .rows import echo, hello, served

LOOPS = (OURS, "uvloop", "asyncio")
WITH_C = (*LOOPS, "C")
FACE = "tornado"

ROWS = [
    echo(
        FACE,
        "tcp",
        "tornado-echo",
        "IOStream echo",
        (50, 1_000),
        WITH_C,
        wanted={"uvloop": 2.0},
        quick=True,
    ),
    echo(
        FACE,
        "tcp",
        "tornado-echo",
        "IOStream echo",
        (50, 100_000),
        WITH_C,
        wanted={"uvloop": 1.5},
    ),
    hello(
        FACE,
        "tornado-web",
        "tornado.web",
        "http",
        WITH_C,
        wanted={"uvloop": 1.6, "asyncio": 1.9},
        quick=True,
    ),
    served(
        FACE,
        "http",
        "tornado-post",
        "tornado.web, 64 KiB up and down, 50 connections kept alive",
        "post",
        ("post", "--connections", "50", "--size", "65536"),
        LOOPS,
        unit="requests",
        wanted={"uvloop": 1.5},
    ),
    *(
        echo(
            FACE,
            "websocket",
            "tornado-ws",
            "tornado.websocket echo",
            (50, size),
            LOOPS,
            serve="ws",
            mode="ws",
            unit="messages",
            wanted={"uvloop": 1.5},
        )
        for size in (125, 65_536)
    ),
]
