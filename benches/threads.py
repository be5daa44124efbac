"""Other threads beside a loop that never waits; see README.md.

    python benches/threads.py [--rounds N]

Each round goes through all loops, in an order that changes.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import threading
import time
from collections.abc import Callable
from typing import Any

import tornado4

CALLS = 20  # of `asyncio.to_thread` in a round
SECONDS = 0.5  # that the computing thread has in a round
GAP = 0.0002  # seconds between two of its steps: it has waited for the loop


def loops() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Return what makes each kind of loop, by name."""
    found: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
        "tornado4": tornado4.new_event_loop,
        "asyncio": asyncio.SelectorEventLoop,
    }
    try:
        import uvloop
    except ImportError:
        return found
    return found | {"uvloop": uvloop.new_event_loop}


async def spin(stopped: threading.Event) -> int:
    """Keep the loop busy; return how often."""
    turns = 0
    while not stopped.is_set():
        await asyncio.sleep(0)
        turns += 1
    return turns


async def calls() -> float:
    """Return the median seconds that `asyncio.to_thread` takes beside a busy loop."""
    stopped = threading.Event()
    spinning = asyncio.ensure_future(spin(stopped))
    times = []
    for _ in range(CALLS):
        start = time.perf_counter()
        await asyncio.to_thread(int)
        times.append(time.perf_counter() - start)
        await asyncio.sleep(0.002)
    stopped.set()
    await spinning
    return statistics.median(times)


def compute(end: float, gaps: list[float], stopped: threading.Event) -> None:
    """Compute until then, and note each time that the loop had the interpreter."""
    last = time.perf_counter()
    while last < end:
        now = time.perf_counter()
        if now - last > GAP:
            gaps.append(now - last)
        last = now
    stopped.set()


async def beside_a_computing_thread() -> tuple[float, float]:
    """Return the median gap of the thread, in seconds, and the loop's turns a second."""
    stopped = threading.Event()
    gaps: list[float] = []
    end = time.perf_counter() + SECONDS
    thread = threading.Thread(target=compute, args=(end, gaps, stopped))
    thread.start()
    turns = await spin(stopped)
    thread.join()
    return statistics.median(gaps or [0.0]), turns / SECONDS


def run(factory: Callable[[], asyncio.AbstractEventLoop], main: Any) -> Any:
    """Run a coroutine on a new loop."""
    loop = factory()
    try:
        return loop.run_until_complete(main)
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=15)
    rounds = options.parse_args().rounds
    kinds = loops()
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in kinds}
    for _ in range(rounds):
        for name in random.sample(list(kinds), len(kinds)):
            call = run(kinds[name], calls())
            gap, turns = run(kinds[name], beside_a_computing_thread())
            found[name].append((call, gap, turns))
    print("medians:   to_thread   a computing thread waits   the loop's turns beside it")
    for name, results in found.items():
        call, gap, turns = (statistics.median(column) for column in zip(*results, strict=True))
        print(f"{name:9} {call * 1e3:8.2f} ms {gap * 1e3:20.2f} ms {turns:24,.0f}/s")


if __name__ == "__main__":
    main()
