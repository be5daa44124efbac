"""The rows of TLS, of all faces: the same work on every peer's way to OpenSSL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.peers import ASYNCIO_REACTOR, EPOLL, UVLOOP_REACTOR
from harness.rows import FALLBACK, OURS, Row

from .rows import echo, memory, served

ASYNCIO = (OURS, FALLBACK, "uvloop", "aiofastnet", "asyncio", "C")
FEWER = (OURS, FALLBACK, EPOLL, UVLOOP_REACTOR, "C")
TWISTED = (OURS, FALLBACK, EPOLL, ASYNCIO_REACTOR, UVLOOP_REACTOR, "C")


def _echo(face: str, name: str, title: str, size: int, peers: tuple[str, ...], **more: Any) -> Row:
    more = {"serve": "tls-echo", **more}
    return echo(face, "tls", name, title, (50, size), peers, tls=True, **more)


def _connect(face: str, name: str, peers: tuple[str, ...], wanted: Mapping[str, float]) -> Row:
    return served(
        face,
        "tls",
        name,
        "TLS connections made, full handshakes, ECDSA P-256; one message; closed by both",
        "tls-echo",
        ("handshake", "--connections", "50", "--size", "100"),
        peers,
        tls=True,
        unit="connections",
        wanted=wanted,
    )


ROWS = [
    _echo("twisted", "tls", "TLS echo", 1_000, TWISTED, wanted={EPOLL: 4.5}, quick=True),
    _echo("twisted", "tls", "TLS echo", 100_000, FEWER, wanted={EPOLL: 1.9}),
    _connect("twisted", "tls-connect", FEWER, {EPOLL: 1.5}),
    memory(
        "twisted",
        "tls-memory",
        "TLS connection",
        (OURS, FALLBACK, EPOLL, "C"),
        tls=True,
        wanted={EPOLL: 1 / 0.7},
    ),
    _echo(
        "asyncio",
        "aio-tls",
        "TLS, Protocol echo",
        1_000,
        ASYNCIO,
        wanted={"aiofastnet": 1.0, "uvloop": 1.5},
        quick=True,
    ),
    _echo(
        "asyncio",
        "aio-tls",
        "TLS, Protocol echo",
        100_000,
        ASYNCIO,
        wanted={"aiofastnet": 1.0, "uvloop": 1.3},
    ),
    _echo(
        "asyncio",
        "aio-tls-fallback",
        "TLS by the fallback engine, Protocol echo",
        1_000,
        (FALLBACK, "uvloop", "aiofastnet", "asyncio"),
        wanted={"uvloop": 1.0},
        ours=FALLBACK,
    ),
    _echo(
        "asyncio",
        "aio-tls-streams",
        "TLS, streams echo",
        1_000,
        ASYNCIO,
        serve="tls-streams",
        wanted={"uvloop": 1.4},
    ),
    _connect("asyncio", "aio-tls-connect", ASYNCIO, {"uvloop": 1.2}),
    memory(
        "asyncio",
        "aio-tls-memory",
        "TLS connection",
        ASYNCIO,
        tls=True,
        wanted={"uvloop": 1 / 0.7},
    ),
    _echo(
        "tornado",
        "tornado-tls",
        "TLS, IOStream echo",
        1_000,
        (OURS, "uvloop", "asyncio"),
        wanted={"uvloop": 2.0},
    ),
]
