"""Turns inside a turn: `reactor.iterate` called by a task."""

from __future__ import annotations

import asyncio
from typing import Any

from tornado4.ioloop import IOLoop
from tornado4.platform.twisted import TornadoReactor


def test_iterate_in_a_task_runs_the_other_tasks() -> None:
    io_loop = IOLoop(make_current=False)
    reactor: Any = TornadoReactor(io_loop)

    async def other() -> str:
        for _ in range(5):
            await asyncio.sleep(0)
        return "done"

    async def main() -> tuple[str, bool]:
        mine = asyncio.current_task()
        task = asyncio.ensure_future(other())
        while not task.done():
            reactor.iterate(0.01)
        return task.result(), asyncio.current_task() is mine

    assert io_loop.asyncio_loop.run_until_complete(main()) == ("done", True)
    io_loop.close()


def test_an_exception_of_a_nested_turn_leaves_the_task_in_order() -> None:
    io_loop = IOLoop(make_current=False)
    reactor: Any = TornadoReactor(io_loop)

    def end() -> None:
        raise SystemExit(3)

    async def main() -> object:
        mine = asyncio.current_task()
        asyncio.get_running_loop().call_soon(end)
        try:
            reactor.iterate(0.01)
        except SystemExit as error:
            return error.code, asyncio.current_task() is mine
        return None

    assert io_loop.asyncio_loop.run_until_complete(main()) == (3, True)
    io_loop.close()
