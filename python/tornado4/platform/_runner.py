"""Running a coroutine to its end: `tornado4.run`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")

# The loop of the installed reactor, on which `run` runs.
_preferred: asyncio.AbstractEventLoop | None = None


def prefer(loop: asyncio.AbstractEventLoop) -> None:
    """Make `run` use this loop, for as long as it isn't closed."""
    global _preferred
    _preferred = loop


def loop_to_run() -> asyncio.AbstractEventLoop:
    """Return the loop for `run`: the preferred one, or else a new one."""
    from tornado4 import new_event_loop

    global _preferred
    if _preferred is not None and _preferred.is_closed():
        _preferred = None
    return _preferred if _preferred is not None else new_event_loop()


def run(main: Coroutine[Any, Any, _T], *, debug: bool | None = None) -> _T:
    """See `tornado4.run`."""
    if sys.version_info >= (3, 11):
        with asyncio.Runner(debug=debug, loop_factory=loop_to_run) as runner:
            return runner.run(main)
    return _run_without_runner(main, debug)


def _run_without_runner(main: Coroutine[Any, Any, _T], debug: bool | None) -> _T:
    # Python 3.10 has no Runner, and its asyncio.run takes no loop.
    if asyncio._get_running_loop() is not None:
        raise RuntimeError("tornado4.run() cannot be called from a running event loop")
    if not asyncio.iscoroutine(main):
        raise ValueError(f"a coroutine was expected, got {main!r}")
    loop = loop_to_run()
    try:
        asyncio.set_event_loop(loop)
        if debug is not None:
            loop.set_debug(debug)
        return loop.run_until_complete(main)
    finally:
        try:
            asyncio.runners._cancel_all_tasks(loop)  # type: ignore[attr-defined]
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            asyncio.set_event_loop(None)
            loop.close()
