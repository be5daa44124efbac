"""What it costs a task that it may await Deferreds; see README.md.

    python benches/awaiting.py [--rounds N]

Both loops have a reactor; one has asyncio's own ``create_task`` back. Rounds alternate.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred

from tornado4.ioloop import IOLoop
from tornado4.platform.twisted import TornadoReactor, as_future

TASKS = 100
STEPS = 300
Work = Callable[[], Awaitable[int]]


def with_reactor() -> Any:
    """Return a new loop with a reactor."""
    loop = IOLoop(make_current=False).asyncio_loop
    TornadoReactor(loop)
    return loop


async def in_tasks(body: Callable[[], Coroutine[Any, Any, None]]) -> int:
    """Run a body of `STEPS` steps in each of `TASKS` tasks."""
    loop = asyncio.get_running_loop()
    await asyncio.gather(*[loop.create_task(body()) for _ in range(TASKS)])
    return TASKS * STEPS


async def sleeps() -> None:
    for _ in range(STEPS):
        await asyncio.sleep(0)


async def futures() -> None:
    loop = asyncio.get_running_loop()
    for _ in range(STEPS):
        future = loop.create_future()
        loop.call_soon(future.set_result, None)
        await future


async def empty_tasks() -> int:
    loop = asyncio.get_running_loop()
    for _ in range(STEPS // 10):
        await asyncio.gather(*[loop.create_task(nothing()) for _ in range(TASKS)])
    return TASKS * STEPS // 10


async def nothing() -> None:
    pass


async def deferreds() -> None:
    loop = asyncio.get_running_loop()
    for _ in range(STEPS):
        deferred: Deferred[None] = Deferred()
        loop.call_soon(deferred.callback, None)
        await deferred


async def converted() -> None:
    loop = asyncio.get_running_loop()
    for _ in range(STEPS):
        deferred: Deferred[None] = Deferred()
        loop.call_soon(deferred.callback, None)
        await as_future(deferred)


def seconds(loop: Any, work: Work) -> float:
    """Time one operation of a round, in seconds."""

    async def main() -> float:
        start = time.perf_counter()
        count = await work()
        return (time.perf_counter() - start) / count

    result: float = loop.run_until_complete(main())
    return result


def compare(title: str, rounds: int, ours: tuple[Any, Work], other: tuple[Any, Work]) -> None:
    """Print the medians of two pieces of work, and of their ratios."""
    pairs = [(seconds(*ours), seconds(*other)) for _ in range(rounds)]
    mine, theirs = (statistics.median(column) * 1e9 for column in zip(*pairs, strict=True))
    ratio = statistics.median(one / two for one, two in pairs)
    print(f"{title:32} {mine:8.0f} ns  {theirs:8.0f} ns  {ratio:6.3f}")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=31)
    rounds = parser.parse_args().rounds
    ours, plain = with_reactor(), with_reactor()
    del plain.create_task
    print(f"{'':32} {'wrapped':>11}  {'plain':>11}   ratio")
    for title, body in [("sleep(0) in 100 tasks", sleeps), ("a future in 100 tasks", futures)]:
        work = lambda body=body: in_tasks(body)  # noqa: E731
        compare(title, rounds, (ours, work), (plain, work))
    compare("an empty task, made and run", rounds, (ours, empty_tasks), (plain, empty_tasks))
    print(f"{'':32} {'await d':>11}  {'as_future':>11}   ratio")
    direct, future = lambda: in_tasks(deferreds), lambda: in_tasks(converted)
    compare("a Deferred in 100 tasks", rounds, (ours, direct), (ours, future))
    for loop in ours, plain:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


if __name__ == "__main__":
    main()
