"""A row whose work a server does, for a load generator."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from harness.context import Context
from harness.peers import check_installed, is_reactor
from harness.processes import Child, cpus
from harness.results import PERCENTILES
from harness.rows import ALONE, Failed, Missing, Round, Row, Sample

# The version that the load generator speaks where TLS is measured.
TLS_VERSION = "1.3"
# How long a server is loaded before anything counts: when it is new, and then.
WARM_UP, AGAIN = 0.2, 0.05
# How many idle connections are made at once: fewer than the backlog, beyond which the kernel
# takes seconds to try again. Those with TLS take a handshake each.
AT_ONCE, AT_ONCE_TLS = 2_000, 250
# How many files a process has open beside the connections.
SPARE = 64


@dataclass(frozen=True)
class Serving:
    """What is served, and what is asked of it.

    ``serve`` names what the servers do, ``load`` what is done to them: the load
    generator's mode and options; with ``tls`` it speaks TLS. ``idle`` connections are
    open beside that.
    """

    serve: str
    load: tuple[str, ...]
    idle: int = 0
    tls: bool = False

    @property
    def mode(self) -> str:
        """The load generator's mode."""
        return self.load[0]

    @property
    def options(self) -> tuple[str, ...]:
        """What the load generator is told of every connection."""
        return ("--tls", TLS_VERSION) if self.tls else ()

    @contextmanager
    def open(self, context: Context, row: Row, peer: str) -> Iterator[Round]:
        with server(context, row, self, peer) as (child, facts):
            port = facts["port"]
            if self.idle and peer != ALONE:
                with idle(context, self, child, port):
                    yield self._round(context, child, facts)
            else:
                yield self._round(context, child, facts)

    def _round(self, context: Context, child: Child, facts: dict[str, Any]) -> Round:
        warm_up = WARM_UP

        def measured() -> Sample:
            nonlocal warm_up
            seconds = context.options.seconds
            words = [*self.load, *self.options, "--warm", "--seconds", str(seconds)]
            words += ["--warm-up", str(warm_up)]
            if self.mode == "close":
                words += ["--server", str(child.pid)]
            before = child.worked()
            counted = answer(context, load(context, facts["port"], *words), seconds)
            warm_up = AGAIN
            return Sample(
                wall=1 / counted["rate"],
                cpu=(child.worked() - before) / counted["in_all"],
                busy=counted["busy"],
                lost=counted["lost"],
                latencies={name: it for name in PERCENTILES if (it := counted[name]) is not None},
                transport=facts.get("transport"),
            )

        return measured

    def seconds(self, context: Context) -> float:
        starting = (0.6 + self.idle / 8_000) / context.options.fresh
        return context.options.seconds + 0.12 + starting


@dataclass(frozen=True)
class Resting:
    """How much memory a server takes for each connection that does nothing."""

    serve: str
    idle: int
    tls: bool = False

    @contextmanager
    def open(self, context: Context, row: Row, peer: str) -> Iterator[Round]:
        serving = Serving(self.serve, ("echo",), self.idle, self.tls)

        def measured() -> Sample:
            with server(context, row, serving, peer) as (child, facts):
                before = settled(child)
                with idle(context, serving, child, facts["port"]):
                    each = (settled(child) - before) / self.idle
            return Sample(bytes=each, transport=facts.get("transport"))

        yield measured

    def seconds(self, context: Context) -> float:
        return 1.5 + self.idle * (1 / 1_000 if self.tls else 1 / 10_000)


@contextmanager
def server(
    context: Context, row: Row, work: Serving, peer: str
) -> Iterator[tuple[Child, dict[str, Any]]]:
    """Have the peer serve, and give it a first connection that comes and goes.

    It is known then at which port it is, or at which path, and unless it is in C, which
    transports it has.
    """
    check_installed(peer, row.needs)
    patience = context.options.patience
    with started(context, row.face, work, peer) as child:
        facts = child.answer(patience)
        while "port" not in facts:
            facts |= child.answer(patience)
        answer(context, load(context, facts["port"], work.mode, "--once", *work.options))
        while "transport" not in facts and peer != "C":
            facts |= child.answer(patience)
        yield child, facts


def started(context: Context, face: str, work: Serving, peer: str) -> Child:
    """Start a peer's server; it prints its port."""
    programs = context.programs
    # Before anything starts: whether there is what loads it.
    assert programs.load
    folder = str(programs.certificate.parent if work.tls else programs.folder)
    if peer == "C":
        command = [str(programs.echo), work.mode]
        if work.tls:
            command = [str(programs.tls_echo), "echo", folder]
        return Child("the server in C", command, cpus()[0])
    if face == "twisted" and not is_reactor(context.name(peer)):
        face = "asyncio"
    words = ("-m", f"servers.serve_{face}", context.name(peer), work.serve, folder)
    return context.start("the server", peer, *words)


def load(context: Context, port: int | str, mode: str, *options: str) -> Child:
    """Start the load generator."""
    timeout = ("--timeout", str(min(5.0, context.options.patience)))
    command = [str(context.programs.load), mode, str(port), *options, *timeout]
    return Child("the load generator", command, cpus()[1])


def answer(context: Context, running: Child, seconds: float = 0.0) -> dict[str, Any]:
    """Wait for what the load generator counts in so many seconds, and for its end."""
    with running:
        counted = running.answer(seconds + context.options.patience)
        running.finish(context.options.patience)
        return counted


@contextmanager
def idle(context: Context, work: Serving, child: Child, port: int | str) -> Iterator[None]:
    """Have connections open that do nothing. They must all be there at the end."""
    if (most := child.most_open_files()) < work.idle + SPARE:
        raise Missing(f"{work.idle:,} connections want more than {most:,} open files")
    with ExitStack() as stack:
        at_once = AT_ONCE_TLS if work.tls else AT_ONCE
        for begin in range(0, work.idle, at_once):
            count = min(at_once, work.idle - begin)
            stack.enter_context(_some_idle(context, work, child, port, count))
        yield


@contextmanager
def _some_idle(
    context: Context, work: Serving, child: Child, port: int | str, count: int
) -> Iterator[None]:
    patience = context.options.patience
    # The first connection of all may be about to be closed.
    files = child.open_files() + count - 1
    with load(context, port, "idle", "--connections", str(count), *work.options) as holder:
        holder.answer(patience)
        # The kernel has connected; now the server has to accept.
        deadline = time.monotonic() + patience
        while child.open_files() < files:
            if time.monotonic() > deadline:
                raise Failed(f"{child.name} didn't accept {count:,} connections")
            time.sleep(0.02)
        yield
        holder.finish(patience)


def settled(child: Child) -> int:
    """Tell how much memory a process uses, once that doesn't change any more."""
    last, now = -1, child.resident()
    for _ in range(100):
        if last == now:
            break
        time.sleep(0.1)
        last, now = now, child.resident()
    return now
