"""What is measured of the Tornado face."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from harness.rows import OURS, WALL, Row

from . import patterns
from .hosts import TornadoHost
from .patterns import BATCH, CALLS, FAR, STEPS, TURNS, WATCHED, nothing
from .work import Calls, Measured


@contextmanager
def add_callback(host: TornadoHost) -> Iterator[Measured]:
    yield patterns.batches(host, host.io_loop.add_callback)


@contextmanager
def add_callback_chain(host: TornadoHost) -> Iterator[Measured]:
    yield patterns.chain(host, host.io_loop.add_callback)


@contextmanager
def add_callback_burst(host: TornadoHost) -> Iterator[Measured]:
    with patterns.burst_from_thread(host, host.io_loop.add_callback) as measured:
        yield measured


@contextmanager
def add_timeout_remove(host: TornadoHost) -> Iterator[Measured]:
    add_timeout, remove_timeout = host.io_loop.add_timeout, host.io_loop.remove_timeout

    def schedule() -> list[object]:
        deadline = host.io_loop.time() + FAR
        return [add_timeout(deadline, nothing) for _ in range(BATCH)]

    def cancel(timeouts: list[object]) -> None:
        for timeout in timeouts:
            remove_timeout(timeout)

    next_turn = host.io_loop.add_callback
    with patterns.cancelled_batches(host, schedule, cancel, next_turn) as measured:
        yield measured


@contextmanager
def call_later_fire(host: TornadoHost) -> Iterator[Measured]:
    yield patterns.later_batches(host, host.io_loop.call_later)


PEERS = (OURS, "asyncio", "uvloop")


@contextmanager
def add_remove(host: TornadoHost) -> Iterator[Measured]:
    with patterns.watched_and_not(host, host.io_loop.add_callback) as measured:
        yield measured


def _row(group: str, name: str, operations: int, prepare: Any, **more: Any) -> Row:
    work = Calls(operations, prepare, threads=more.pop("threads", False))
    more = {"peers": PEERS, "unit": "calls", **more}
    return Row("tornado", group, f"tornado: {name}", name, work, **more)


def _crowd(count: int) -> Row:
    @contextmanager
    def prepare(host: TornadoHost) -> Iterator[Measured]:
        with patterns.crowd_of_timers(
            host,
            count,
            host.io_loop.call_later,
            host.io_loop.remove_timeout,
            host.io_loop.add_callback,
        ) as measured:
            yield measured

    return _row(
        "timers",
        f"{count:,} timers",
        count,
        prepare,
        unit="timers",
        curve=("tornado-timers", count),
        rounds=2 if count > 100_000 else 4,
    )


ROWS = [
    _row("calls", "add_callback", CALLS, add_callback, quick=True),
    _row("calls", "add_callback, chain", STEPS, add_callback_chain),
    _row("threads", "add_callback, other thread", CALLS, add_callback_burst, by=WALL, threads=True),
    _row("timers", "add_timeout, remove_timeout", CALLS, add_timeout_remove),
    _row("timers", "call_later(0), fire", CALLS, call_later_fire),
    _row("descriptors", "add_handler, pipe ping-pong", STEPS, patterns.pipe_ping_pong),
    _row("descriptors", "add_handler, 100 ready", CALLS, patterns.always_ready),
    _row("descriptors", "add_handler, remove_handler", TURNS * WATCHED, add_remove),
    *map(_crowd, (1_000, 10_000, 100_000, 1_000_000)),
]
