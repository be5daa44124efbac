"""What a reactor is asked in vain: from another thread, or with a coroutine.

Called by the native half: in asyncio's debug mode, or when something is wrong already.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from typing import Any

from twisted.logger import Logger

from tornado4.platform._advice import name_of_function, name_of_thread, warn_at

_log = Logger("twisted.internet.base")


def check_thread(reactor: Any, method: str) -> None:
    """Raise `RuntimeError` if the reactor's loop runs in another thread than this one."""
    its_thread = reactor._host.thread()
    if its_thread is None or its_thread == threading.get_ident():
        return
    here, there = name_of_thread(threading.get_ident()), name_of_thread(its_thread)
    raise RuntimeError(
        f"reactor.{method}() was called in thread {here}, but the reactor runs in thread "
        f"{there}, and only callFromThread() is safe in another one: "
        f"use reactor.callFromThread(reactor.{method}, ...)"
    )


def check_function(function: Any, method: str, debug: bool) -> None:
    """Raise `TypeError` for a coroutine; in debug mode, for a coroutine function too.

    Anything else is refused, if at all, where Twisted does it.
    """
    if asyncio.iscoroutine(function):
        # Or Python would say, too, that nobody has awaited it.
        function.close()
        raise TypeError(
            f"reactor.{method}() takes a function and its arguments, got {function!r}: "
            f"to run a coroutine, {_instead(getattr(function, '__qualname__', 'it'))}"
        )
    if debug and inspect.iscoroutinefunction(function):
        raise TypeError(_not_awaited(name_of_function(function), method))


def not_run(coroutine: Any, method: str) -> None:
    """Warn that what a function has returned is a coroutine, which nobody has."""
    name, code = coroutine.__qualname__, coroutine.cr_code
    coroutine.close()
    try:
        warn_at(code, _not_awaited(name, method))
    except RuntimeWarning:
        # Warnings are errors. As of every such call, it is logged.
        _log.failure("while calling {name}", name=name)


def _not_awaited(name: str, method: str) -> str:
    return (
        f"reactor.{method}() calls {name}(), which only makes a coroutine: nothing of it is "
        f"run. Instead, {_instead(name)}"
    )


def _instead(name: str) -> str:
    return (
        f"pass a function that starts it: lambda: Deferred.fromCoroutine({name}()), or, if it "
        f"awaits what is asyncio's, lambda: tornado4.platform.twisted.as_deferred({name}())"
    )
