"""Running a coroutine to its end: `tornado4.run`."""

from __future__ import annotations

import asyncio
import inspect
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from tornado4 import _core
from tornado4.platform._advice import advise, name_of_function

_T = TypeVar("_T")

# The loop of the installed reactor, on which `run` runs in this thread.
_preferred = threading.local()


def prefer(loop: asyncio.AbstractEventLoop) -> None:
    """Make `run` use this loop in this thread, as long as it can be run."""
    _preferred.loop = loop


def preferred() -> asyncio.AbstractEventLoop | None:
    """Return the loop that `run` would run in this thread, if there is one and it is open."""
    loop: asyncio.AbstractEventLoop | None = getattr(_preferred, "loop", None)
    return None if loop is None or loop.is_closed() else loop


def loop_to_run() -> asyncio.AbstractEventLoop:
    """Return the loop for `run`: the preferred one, or else a new one."""
    from tornado4 import new_event_loop

    loop = preferred()
    if loop is None or loop.is_running():
        return new_event_loop()
    return loop


def run(main: Coroutine[Any, Any, _T], *, debug: bool | None = None) -> _T:
    """See `tornado4.run`."""
    return run_on(loop_to_run, main, debug=debug)


def run_on(
    loop_factory: Callable[[], asyncio.AbstractEventLoop],
    main: Coroutine[Any, Any, _T],
    *,
    debug: bool | None = None,
) -> _T:
    """Run a coroutine as `asyncio.run` does, on a loop of this factory."""
    if asyncio._get_running_loop() is not None:
        # Before a Runner is there: its end would hide this error behind others.
        if asyncio.iscoroutine(main):
            # Python would say, too, that it was never awaited.
            main.close()
        error = RuntimeError("tornado4.run() cannot be called from a running event loop")
        advise(error, "A loop runs in this thread already: await the coroutine.")
        raise error
    # It may import Twisted, make its reactor and await Deferreds.
    main = _core.TaskMaker(asyncio.Task).wrap(main)
    if sys.version_info >= (3, 11):
        with asyncio.Runner(debug=debug, loop_factory=loop_factory) as runner:
            try:
                return runner.run(main)
            except (TypeError, ValueError) as error:
                _advise_on_argument(error, main)
                raise
            finally:
                _clean_up_begins(runner.get_loop())
    return _run_without_runner(loop_factory, main, debug)


def _clean_up_begins(loop: Any) -> None:
    # A task that stops the reactor when it is cancelled doesn't stop the loop: the other
    # tasks are waited for.
    if hasattr(loop, "_cleans_up"):
        loop._cleans_up = True


def _advise_on_argument(error: Exception, main: object) -> None:
    if asyncio.iscoroutine(main):
        return
    if inspect.iscoroutinefunction(main):
        advise(error, f"Call it: run({name_of_function(main)}()).")
    elif inspect.isawaitable(main):
        advise(error, "Await it in a coroutine, and run that.")


def _run_without_runner(
    loop_factory: Callable[[], asyncio.AbstractEventLoop],
    main: Coroutine[Any, Any, _T],
    debug: bool | None,
) -> _T:
    # Python 3.10 has no Runner, and its asyncio.run takes no loop.
    if not asyncio.iscoroutine(main):
        raise ValueError(f"a coroutine was expected, got {main!r}")
    loop = loop_factory()
    try:
        asyncio.set_event_loop(loop)
        if debug is not None:
            loop.set_debug(debug)
        return loop.run_until_complete(main)
    finally:
        _clean_up_begins(loop)
        try:
            asyncio.runners._cancel_all_tasks(loop)  # type: ignore[attr-defined]
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            asyncio.set_event_loop(None)
            loop.close()
