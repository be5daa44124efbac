"""The rows of Twisted's face: a Twisted protocol, on our reactor and on Twisted's own."""

from __future__ import annotations

from harness.peers import ASYNCIO_REACTOR, EPOLL, UVLOOP_REACTOR
from harness.rows import ALONE, OURS

from .rows import IDLE, closing, echo, hello, memory, served

REACTORS = (OURS, EPOLL, ASYNCIO_REACTOR, UVLOOP_REACTOR)
# uvloop serves the same with a protocol of asyncio's.
TCP = (*REACTORS, "uvloop", "C")
# Where all of them would say the same once more.
FEWER = (OURS, EPOLL, UVLOOP_REACTOR, "uvloop", "C")
FACE = "twisted"

ROWS = [
    echo(
        FACE,
        "tcp",
        "echo",
        "TCP echo",
        (50, 1_000),
        TCP,
        wanted={EPOLL: 3.8, "uvloop": 1.25, "C": 0.85},
        quick=True,
    ),
    echo(
        FACE, "tcp", "echo", "TCP echo", (50, 100_000), FEWER, wanted={EPOLL: 2.1, "uvloop": 1.05}
    ),
    echo(FACE, "tcp", "echo", "TCP echo", (4, 1_000_000), FEWER, wanted={"uvloop": 1.0}),
    echo(FACE, "tcp", "echo", "TCP echo", (1, 1_000), FEWER, wanted={EPOLL: 1.7, "uvloop": 0.97}),
    served(
        FACE,
        "tcp",
        "four-writes",
        "four writes of 50 bytes for each message, 50 connections",
        "four",
        ("four", "--connections", "50", "--size", "50"),
        FEWER,
        wanted={"uvloop": 2.0},
    ),
    echo(
        FACE,
        "unix",
        "unix",
        "UNIX socket echo",
        (50, 1_000),
        (OURS, EPOLL, UVLOOP_REACTOR),
        serve="unix",
    ),
    closing(FACE, "close", FEWER, wanted={EPOLL: 2.0, "uvloop": 1.2}),
    served(
        FACE,
        "udp",
        "udp",
        "UDP echo, 100 bytes, 50 under way",
        "udp",
        ("udp", "--connections", "50", "--size", "100"),
        FEWER,
        unit="datagrams",
        wanted={EPOLL: 1.7},
    ),
    hello(FACE, "web", "twisted.web", "http", (*REACTORS, "C"), wanted={EPOLL: 1.3}, quick=True),
    hello(
        FACE,
        "web-log",
        "twisted.web, with its access log,",
        "http-log",
        (OURS, EPOLL, UVLOOP_REACTOR),
    ),
    echo(
        FACE,
        "websocket",
        "autobahn",
        "Autobahn, WebSocket echo",
        (50, 100),
        REACTORS,
        serve="ws",
        mode="ws",
        needs=("autobahn",),
        unit="messages",
    ),
    served(
        FACE,
        "idle",
        "idle",
        f"TCP echo, 50 connections x 1,000 bytes, {IDLE:,} idle ones beside them",
        "echo",
        ("echo", "--connections", "50", "--size", "1000"),
        (OURS, ALONE, EPOLL, "uvloop"),
        idle=IDLE,
        wanted={ALONE: 0.95},
    ),
    memory(FACE, "memory", "connection", (OURS, EPOLL, "uvloop"), wanted={EPOLL: 2.0}),
]
