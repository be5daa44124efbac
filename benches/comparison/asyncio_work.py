"""What is measured of the asyncio face."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from . import patterns
from .hosts import AsyncioHost
from .patterns import BATCH, CALLS, FAR, STEPS, Callback, nothing
from .work import Round, Target, Work

TASKS = 100


@contextmanager
def call_soon(host: AsyncioHost) -> Iterator[Round]:
    yield patterns.batches(host, host.loop.call_soon)


@contextmanager
def call_soon_chain(host: AsyncioHost) -> Iterator[Round]:
    yield patterns.chain(host, host.loop.call_soon)


@contextmanager
def call_later_cancel(host: AsyncioHost) -> Iterator[Round]:
    call_later = host.loop.call_later

    def schedule() -> list[asyncio.TimerHandle]:
        return [call_later(FAR, nothing) for _ in range(BATCH)]

    def cancel(handles: list[asyncio.TimerHandle]) -> None:
        for handle in handles:
            handle.cancel()

    with patterns.cancelled_batches(host, schedule, cancel, host.loop.call_soon) as measured:
        yield measured


@contextmanager
def call_later_fire(host: AsyncioHost) -> Iterator[Round]:
    yield patterns.later_batches(host, host.loop.call_later)


@contextmanager
def threadsafe(host: AsyncioHost) -> Iterator[Round]:
    yield patterns.batches(host, host.loop.call_soon_threadsafe)


@contextmanager
def threadsafe_burst(host: AsyncioHost) -> Iterator[Round]:
    with patterns.burst_from_thread(host, host.loop.call_soon_threadsafe) as measured:
        yield measured


@contextmanager
def threadsafe_ping(host: AsyncioHost) -> Iterator[Round]:
    with patterns.ping_from_thread(host, host.loop.call_soon_threadsafe) as measured:
        yield measured


@contextmanager
def sleep_tasks(host: AsyncioHost) -> Iterator[Round]:
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
def gather_tasks(host: AsyncioHost) -> Iterator[Round]:
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


ON_A_PAR = Target("uvloop", 1.0)
WORK = [
    Work("asyncio", "call_soon", CALLS, call_soon, ON_A_PAR),
    Work("asyncio", "call_soon, chain", STEPS, call_soon_chain, ON_A_PAR),
    Work("asyncio", "call_later, cancel", CALLS, call_later_cancel),
    Work("asyncio", "call_later(0), fire", CALLS, call_later_fire),
    Work("asyncio", "call_soon_threadsafe, loop's thread", CALLS, threadsafe),
    Work("asyncio", "call_soon_threadsafe, other thread", CALLS, threadsafe_burst),
    Work("asyncio", "call_soon_threadsafe, there and back", STEPS // 4, threadsafe_ping),
    Work("asyncio", "add_reader, pipe ping-pong", STEPS, patterns.pipe_ping_pong),
    Work("asyncio", "add_reader, 100 ready", CALLS, patterns.always_ready),
    Work("asyncio", "sleep(0) in 100 tasks", CALLS, sleep_tasks, ON_A_PAR),
    Work("asyncio", "gather of 100 tasks", CALLS, gather_tasks, ON_A_PAR),
]
