"""Other threads beside a loop that never waits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from statistics import median
from time import perf_counter
from typing import Any

from harness.rows import OURS, WALL, Row

from .hosts import AsyncioHost
from .work import Calls, Measured, Taken

CALLS = 10  # of `asyncio.to_thread` in a round
SECONDS = 0.2  # that the computing thread has in a round
GAP = 0.0002  # seconds between two of its steps: it has waited for the loop


async def spin(stopped: threading.Event) -> None:
    """Keep the loop busy."""
    while not stopped.is_set():
        await asyncio.sleep(0)


async def to_thread() -> float:
    """Tell the median seconds that `asyncio.to_thread` takes beside a busy loop."""
    stopped = threading.Event()
    spinning = asyncio.ensure_future(spin(stopped))
    times = []
    for _ in range(CALLS):
        start = perf_counter()
        await asyncio.to_thread(int)
        times.append(perf_counter() - start)
        await asyncio.sleep(0.002)
    stopped.set()
    await spinning
    return median(times)


async def computing() -> float:
    """Tell for how many seconds, at the median, a computing thread waits for the loop."""
    stopped = threading.Event()
    gaps: list[float] = []

    def compute() -> None:
        last = perf_counter()
        end = last + SECONDS
        while last < end:
            now = perf_counter()
            if now - last > GAP:
                gaps.append(now - last)
            last = now
        stopped.set()

    thread = threading.Thread(target=compute)
    thread.start()
    await spin(stopped)
    thread.join()
    return median(gaps or [0.0])


def _row(name: str, main: Callable[[], Coroutine[Any, Any, float]], unit: str) -> Row:
    @contextmanager
    def prepare(host: AsyncioHost) -> Iterator[Measured]:
        yield lambda: Taken(host.loop.run_until_complete(main()), None)

    return Row(
        "asyncio",
        "threads",
        f"asyncio: {name}",
        name,
        Calls(1, prepare, threads=True),
        (OURS, "asyncio", "uvloop"),
        unit=unit,
        by=WALL,
    )


ROWS = [
    _row("to_thread beside a busy loop", to_thread, "calls"),
    _row("a computing thread's wait for a busy loop", computing, "waits"),
]
