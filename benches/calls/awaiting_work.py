"""What it costs a task that it may await Deferreds.

A loop with a reactor as it is, with every coroutine wrapped, beside one that has asyncio's
own ``create_task`` back; and ``await deferred`` beside ``await as_future(deferred)``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from twisted.internet.defer import Deferred

from harness.rows import Row

from .hosts import AS_FUTURE, AWAITING, PLAIN, TogetherHost
from .work import Calls, Measured

TASKS = 100
STEPS = 30
OPERATIONS = TASKS * STEPS

Main = Callable[[TogetherHost], Awaitable[Any]]


def _prepared(main: Main) -> Any:
    """Make what has a host run the coroutine."""

    @contextmanager
    def prepare(host: TogetherHost) -> Iterator[Measured]:
        def begin(finish: Callable[[], None]) -> None:
            async def whole() -> None:
                await main(host)
                finish()

            # Kept by the loop's queue, and by what it waits for.
            _task = host.loop.create_task(whole())

        yield lambda: host.run(begin)

    return prepare


def in_tasks(body: Main) -> Main:
    """Run that in each of many tasks."""

    async def main(host: TogetherHost) -> None:
        await asyncio.gather(*[host.loop.create_task(body(host)) for _ in range(TASKS)])

    return main


async def sleeps(_host: TogetherHost) -> None:
    for _ in range(STEPS):
        await asyncio.sleep(0)


async def futures(host: TogetherHost) -> None:
    loop = host.loop
    for _ in range(STEPS):
        future = loop.create_future()
        loop.call_soon(future.set_result, None)
        await future


async def nothing(_host: TogetherHost) -> None:
    pass


async def empty_tasks(host: TogetherHost) -> None:
    for _ in range(STEPS):
        await in_tasks(nothing)(host)


async def deferreds(host: TogetherHost) -> None:
    from tornado4.platform.twisted import as_future

    loop, converted = host.loop, host.name == AS_FUTURE
    for _ in range(STEPS):
        deferred: Deferred[None] = Deferred()
        loop.call_soon(deferred.callback, None)
        await (as_future(deferred) if converted else deferred)


def _row(name: str, main: Main, *peers: str) -> Row:
    return Row(
        "together",
        "awaiting",
        f"awaiting: {name}",
        name,
        Calls(OPERATIONS, _prepared(main)),
        peers,
        unit="steps",
        ours=AWAITING,
    )


ROWS = [
    _row("sleep(0) in 100 tasks", in_tasks(sleeps), AWAITING, PLAIN),
    _row("a future in 100 tasks", in_tasks(futures), AWAITING, PLAIN),
    _row("an empty task, made and run", empty_tasks, AWAITING, PLAIN),
    _row("a Deferred in 100 tasks", in_tasks(deferreds), AWAITING, AS_FUTURE),
]
