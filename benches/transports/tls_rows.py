"""The rows of TLS, of all faces: the same work on every peer's way to OpenSSL."""

from __future__ import annotations

from .rows import FALLBACK, IDLE_TLS, OURS, Row, Wanted

ASYNCIO = (OURS, FALLBACK, "uvloop", "aiofastnet", "asyncio", "C")
TWISTED = (OURS, FALLBACK, "epoll", "C")
# Without which a face has no TLS.
NEEDS = {"twisted": ("OpenSSL", "service_identity")}


def _echo(
    face: str,
    name: str,
    title: str,
    size: int,
    wanted: tuple[Wanted, ...],
    peers: tuple[str, ...],
    serve: str = "tls-echo",
    ours: str = OURS,
) -> Row:
    return Row(
        face,
        f"{name}-50x{size}",
        f"{title}, 50 connections x {size:,} bytes",
        serve,
        ("echo", "--connections", "50", "--size", str(size)),
        wanted,
        peers,
        tls=True,
        needs=NEEDS.get(face, ()),
        ours=ours,
    )


def _connect(face: str, name: str, wanted: tuple[Wanted, ...], peers: tuple[str, ...]) -> Row:
    return Row(
        face,
        name,
        "TLS connections made, full handshakes, ECDSA P-256; one message; closed by both",
        "tls-echo",
        ("handshake", "--connections", "50", "--size", "100"),
        wanted,
        peers,
        unit="connections/s",
        needs=NEEDS.get(face, ()),
        tls=True,
    )


def _memory(face: str, name: str, wanted: tuple[Wanted, ...], peers: tuple[str, ...]) -> Row:
    return Row(
        face,
        name,
        f"resident memory for an idle TLS connection, of {IDLE_TLS:,}, each used once",
        "tls-echo",
        (),
        wanted,
        peers,
        unit="bytes each",
        idle=IDLE_TLS,
        needs=NEEDS.get(face, ()),
        tls=True,
    )


ROWS = [
    _echo(
        "twisted",
        "tls",
        "TLS echo",
        1_000,
        (Wanted("epoll", 4.5),),
        TWISTED,
    ),
    _echo("twisted", "tls", "TLS echo", 100_000, (Wanted("epoll", 1.9),), TWISTED),
    _connect("twisted", "tls-connect", (Wanted("epoll", 1.5),), TWISTED),
    _memory("twisted", "tls-memory", (Wanted("epoll", 0.7),), TWISTED),
    _echo(
        "asyncio",
        "aio-tls",
        "TLS, Protocol echo",
        1_000,
        (Wanted("aiofastnet", 1.0), Wanted("uvloop", 1.5)),
        ASYNCIO,
    ),
    _echo(
        "asyncio",
        "aio-tls",
        "TLS, Protocol echo",
        100_000,
        (Wanted("aiofastnet", 1.0), Wanted("uvloop", 1.3)),
        ASYNCIO,
    ),
    _echo(
        "asyncio",
        "aio-tls-fallback",
        "TLS by the fallback engine, Protocol echo",
        1_000,
        (Wanted("uvloop", 1.0),),
        (FALLBACK, "uvloop", "aiofastnet", "asyncio"),
        ours=FALLBACK,
    ),
    _echo(
        "asyncio",
        "aio-tls-streams",
        "TLS, streams echo",
        1_000,
        (Wanted("uvloop", 1.4),),
        ASYNCIO,
        serve="tls-streams",
    ),
    _connect("asyncio", "aio-tls-connect", (Wanted("uvloop", 1.2),), ASYNCIO),
    _memory("asyncio", "aio-tls-memory", (Wanted("uvloop", 0.7),), ASYNCIO),
    _echo(
        "tornado",
        "tornado-tls",
        "TLS, IOStream echo",
        1_000,
        (),
        (OURS, "uvloop", "asyncio"),
    ),
]
