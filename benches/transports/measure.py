"""One measurement: one server, fresh and warm, under one load."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from .peers import Programs
from .processes import Child, Failed, cpus
from .rows import ALONE, Row

# A server starts, or a load says something, within so many seconds.
PATIENCE = 30.0


@dataclass(frozen=True)
class Sample:
    """What came out.

    ``value`` is a rate, or bytes, ``worked`` for how many seconds the server worked
    for each operation. ``busy`` is the share of the time in which the load generator
    didn't wait for the server, ``lost`` how many datagrams it had to send again,
    ``transport`` the class of the server's transports.
    """

    value: float
    worked: float | None
    busy: float | None
    lost: int
    transport: str | None


def measure(programs: Programs, row: Row, peer: str, seconds: float) -> Sample:
    """Measure a peer once.

    :raises Failed: The server or the load generator did.
    """
    with server(programs, row, peer) as (child, facts):
        port, transport = facts["port"], facts.get("transport")
        if row.of_memory:
            before = settled(child)
            with idle(programs, row, child, port):
                each = (settled(child) - before) / row.idle
            return Sample(each, None, None, 0, transport)
        with ExitStack() as stack:
            if row.idle and peer != ALONE:
                stack.enter_context(idle(programs, row, child, port))
            before = child.worked()
            options = [*row.load, *row.options, "--seconds", str(seconds)]
            if row.mode == "close":
                options += ["--server", str(child.pid)]
            counted = answer(load(programs, port, *options), seconds)
            if not counted["in_all"]:
                raise Failed(f"{child.name} got nothing done")
            each = (child.worked() - before) / counted["in_all"]
        value = 1 / each if row.by_time else counted["rate"]
        return Sample(value, each, counted["busy"], counted["lost"], transport)


@contextmanager
def server(programs: Programs, row: Row, peer: str) -> Iterator[tuple[Child, dict[str, Any]]]:
    """Have the peer serve, and give it a first connection that comes and goes.

    It is known then at which port it is, or at which path, and unless it is in C, which
    transports it has.
    """
    on, _ = cpus()
    with Child(f"the server on {peer}", programs.server(row, peer), on) as child:
        facts = child.answer(PATIENCE)
        while "port" not in facts:
            facts |= child.answer(PATIENCE)
        answer(load(programs, facts["port"], row.mode, "--once", *row.options))
        while "transport" not in facts and peer != "C":
            facts |= child.answer(PATIENCE)
        yield child, facts


def load(programs: Programs, port: int | str, mode: str, *options: str) -> Child:
    """Start the load generator."""
    _, on = cpus()
    return Child("the load generator", [programs.load, mode, str(port), *options], on)


def answer(running: Child, seconds: float = 0.0) -> dict[str, Any]:
    """Wait for what the load generator counts in so many seconds, and for its end."""
    with running:
        counted = running.answer(seconds + PATIENCE)
        running.finish(PATIENCE)
        return counted


@contextmanager
def idle(programs: Programs, row: Row, child: Child, port: int | str) -> Iterator[None]:
    """Have connections open that do nothing. They must all be there at the end."""
    files = child.open_files() + row.idle
    with load(programs, port, "idle", "--connections", str(row.idle), *row.options) as holder:
        holder.answer(PATIENCE)
        # The kernel has connected; now the server has to accept.
        deadline = time.monotonic() + PATIENCE
        while child.open_files() < files:
            if time.monotonic() > deadline:
                raise Failed(f"{child.name} didn't accept {row.idle:,} connections")
            time.sleep(0.1)
        yield
        holder.finish(PATIENCE)


def settled(child: Child) -> int:
    """Tell how much memory a process uses, once that doesn't change any more."""
    deadline = time.monotonic() + PATIENCE
    last, now = -1, child.resident()
    while last != now and time.monotonic() < deadline:
        time.sleep(0.2)
        last, now = now, child.resident()
    return now
