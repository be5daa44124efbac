"""How the rows of servers are made."""

from __future__ import annotations

from typing import Any

from harness.rows import BYTES, WALL, Row

from .work import Resting, Serving

# How many connections stay idle, in the rows that have such; the same of TLS, each of which
# takes a handshake first.
IDLE, IDLE_TLS = 10_000, 1_000
# Without which Twisted has no TLS.
TLS_NEEDS = {"twisted": ("OpenSSL", "service_identity")}


def echo(
    face: str,
    group: str,
    name: str,
    title: str,
    shape: tuple[int, int],
    peers: tuple[str, ...],
    serve: str = "echo",
    mode: str = "echo",
    tls: bool = False,
    **more: Any,
) -> Row:
    """Make a row of messages that come back on so many connections, of such a size."""
    connections, size = shape
    plural = "s" if connections > 1 else ""
    load = (mode, "--connections", str(connections), "--size", str(size))
    if tls:
        more = {"needs": (*TLS_NEEDS.get(face, ()), "cryptography"), **more}
    return Row(
        face,
        group,
        f"{name}-{connections}x{size}",
        f"{title}, {connections:,} connection{plural} x {size:,} bytes",
        Serving(serve, load, more.pop("idle", 0), tls),
        peers,
        # Of one connection it is how long a message takes, and not what the loop does
        # meanwhile.
        by=WALL if connections == 1 else "cpu",
        **more,
    )


def served(
    face: str,
    group: str,
    name: str,
    title: str,
    serve: str,
    load: tuple[str, ...],
    peers: tuple[str, ...],
    tls: bool = False,
    idle: int = 0,
    **more: Any,
) -> Row:
    """Make a row of some other work."""
    if tls:
        more = {"needs": (*TLS_NEEDS.get(face, ()), "cryptography"), **more}
    return Row(face, group, name, title, Serving(serve, load, idle, tls), peers, **more)


def hello(face: str, name: str, title: str, serve: str, peers: tuple[str, ...], **more: Any) -> Row:
    """Make a row of a page of 13 bytes."""
    load = ("http", "--connections", "50")
    title = f"{title} hello, 50 connections kept alive"
    return served(face, "http", name, title, serve, load, peers, unit="requests", **more)


def closing(face: str, name: str, peers: tuple[str, ...], **more: Any) -> Row:
    """Make a row of connections that the server accepts and closes."""
    # The client has as much to do as the server, so it would be the limit. It connects
    # while the server is stopped: a server that waits for it may spin.
    load = ("close", "--connections", "1000")
    title = "connections accepted and closed"
    return served(face, "accept", name, title, "close", load, peers, unit="connections", **more)


def memory(
    face: str, name: str, title: str, peers: tuple[str, ...], tls: bool = False, **more: Any
) -> Row:
    """Make a row of the memory that idle connections take."""
    count = IDLE_TLS if tls else IDLE
    if tls:
        more = {"needs": (*TLS_NEEDS.get(face, ()), "cryptography"), **more}
    work = Resting("tls-echo" if tls else "echo", count, tls)
    title = f"resident memory for an idle {title}, of {count:,}"
    return Row(face, "memory", name, title, work, peers, unit="", by=BYTES, rounds=2, **more)
