"""What is measured of the asyncio face."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from harness.rows import OURS, WALL, Row

from . import patterns
from .hosts import AsyncioHost
from .patterns import BATCH, CALLS, FAR, STEPS, TURNS, WATCHED, Callback, nothing
from .work import Calls, Measured

TASKS = 100


@contextmanager
def call_soon(host: AsyncioHost) -> Iterator[Measured]:
    yield patterns.batches(host, host.loop.call_soon)


@contextmanager
def call_soon_chain(host: AsyncioHost) -> Iterator[Measured]:
    yield patterns.chain(host, host.loop.call_soon)


@contextmanager
def call_later_cancel(host: AsyncioHost) -> Iterator[Measured]:
    call_later = host.loop.call_later

    def schedule() -> list[asyncio.TimerHandle]:
        return [call_later(FAR, nothing) for _ in range(BATCH)]

    def cancel(handles: list[asyncio.TimerHandle]) -> None:
        for handle in handles:
            handle.cancel()

    with patterns.cancelled_batches(host, schedule, cancel, host.loop.call_soon) as measured:
        yield measured


@contextmanager
def call_later_fire(host: AsyncioHost) -> Iterator[Measured]:
    yield patterns.later_batches(host, host.loop.call_later)


@contextmanager
def threadsafe(host: AsyncioHost) -> Iterator[Measured]:
    yield patterns.batches(host, host.loop.call_soon_threadsafe)


@contextmanager
def threadsafe_burst(host: AsyncioHost) -> Iterator[Measured]:
    with patterns.burst_from_thread(host, host.loop.call_soon_threadsafe) as measured:
        yield measured


@contextmanager
def threadsafe_ping(host: AsyncioHost) -> Iterator[Measured]:
    with patterns.ping_from_thread(host, host.loop.call_soon_threadsafe) as measured:
        yield measured


@contextmanager
def sleep_tasks(host: AsyncioHost) -> Iterator[Measured]:
    async def sleeper() -> None:
        for _ in range(CALLS // TASKS):
            await asyncio.sleep(0)

    def begin(finish: Callback) -> None:
        async def main() -> None:
            await asyncio.gather(*(sleeper() for _ in range(TASKS)))
            finish()

        # Kept by the loop's queue, and by what it waits for.
        _task = host.loop.create_task(main())

    yield lambda: host.run(begin)


@contextmanager
def gather_tasks(host: AsyncioHost) -> Iterator[Measured]:
    async def empty() -> None:
        pass

    def begin(finish: Callback) -> None:
        async def main() -> None:
            for _ in range(CALLS // TASKS):
                await asyncio.gather(*(empty() for _ in range(TASKS)))
            finish()

        # Kept as in `sleep_tasks`.
        _task = host.loop.create_task(main())

    yield lambda: host.run(begin)


@contextmanager
def add_remove(host: AsyncioHost) -> Iterator[Measured]:
    with patterns.watched_and_not(host, host.loop.call_soon) as measured:
        yield measured


PEERS = (OURS, "asyncio", "uvloop")


def _row(group: str, name: str, operations: int, prepare: Any, **more: Any) -> Row:
    work = Calls(operations, prepare, threads=more.pop("threads", False))
    more = {"peers": PEERS, "unit": "calls", **more}
    return Row("asyncio", group, f"asyncio: {name}", name, work, **more)


def _crowd(count: int) -> Row:
    @contextmanager
    def prepare(host: AsyncioHost) -> Iterator[Measured]:
        loop = host.loop
        with patterns.crowd_of_timers(
            host, count, loop.call_later, lambda timer: timer.cancel(), loop.call_soon
        ) as measured:
            yield measured

    return _row(
        "timers",
        f"{count:,} timers",
        count,
        prepare,
        unit="timers",
        curve=("asyncio-timers", count),
        rounds=2 if count > 100_000 else 4,
    )


ROWS = [
    _row("calls", "call_soon", CALLS, call_soon, wanted={"uvloop": 1.0}, quick=True),
    _row("calls", "call_soon, chain", STEPS, call_soon_chain, wanted={"uvloop": 1.0}),
    _row("tasks", "sleep(0) in 100 tasks", CALLS, sleep_tasks, wanted={"uvloop": 1.0}, quick=True),
    _row("tasks", "gather of 100 tasks", CALLS, gather_tasks, wanted={"uvloop": 1.0}),
    _row("timers", "call_later, cancel", CALLS, call_later_cancel, quick=True),
    _row("timers", "call_later(0), fire", CALLS, call_later_fire),
    _row("threads", "call_soon_threadsafe, loop's thread", CALLS, threadsafe),
    _row(
        "threads",
        "call_soon_threadsafe, other thread",
        CALLS,
        threadsafe_burst,
        by=WALL,
        threads=True,
    ),
    _row(
        "threads",
        "call_soon_threadsafe, there and back",
        STEPS // 4,
        threadsafe_ping,
        by=WALL,
        threads=True,
    ),
    _row("descriptors", "add_reader, pipe ping-pong", STEPS, patterns.pipe_ping_pong),
    _row("descriptors", "add_reader, pipe ping-pong among 1,000", STEPS, patterns.among_many),
    _row("descriptors", "add_reader, 100 ready", CALLS, patterns.always_ready),
    _row("descriptors", "add_reader, remove_reader", TURNS * WATCHED, add_remove),
    *map(_crowd, (1_000, 10_000, 100_000, 1_000_000)),
]
