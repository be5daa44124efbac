"""Processes that a program starts to go on as itself: they are to be on our loop too.

These are the children of `multiprocessing` that begin with an interpreter of their own
(the methods ``spawn`` and ``forkserver``), and what Tornado's autoreload replaces the
process by. A forked child has everything already. Any other command that a program starts
is run as it says.
"""

from __future__ import annotations

import atexit
import functools
import importlib
import os
from collections.abc import Callable
from typing import Any

from tornado4 import _imports

__all__ = ["at_end", "follow"]


def follow(again: list[str]) -> None:
    """Have such processes begin with these arguments to the interpreter.

    Those that it was started with (``-X dev``, ``-W``, ``-O``) they get from Python itself.
    """
    _imports.when_imported("multiprocessing.util", functools.partial(_multiprocessing, again))
    _imports.when_imported("tornado.autoreload", functools.partial(_autoreload, again))


def at_end(function: Callable[[], object]) -> None:
    """Call a function when this process ends, and each one that multiprocessing starts.

    Those that are forked end by `os._exit`, and Twisted's tools by the signal that has
    stopped them, without what `atexit` has.
    """
    ended: set[int] = set()

    def once() -> None:
        if os.getpid() not in ended:
            ended.add(os.getpid())
            function()

    atexit.register(once)
    _imports.when_imported("multiprocessing.util", functools.partial(_in_children, once))
    _imports.when_imported("twisted.application.app", functools.partial(_in_tools, once))


def _in_children(function: Callable[[], object], util: Any) -> None:
    # Whatever the start method: a new child forgets what was to be done at its parent's end,
    # and then asks who wants to know of it. It knows them by what they have given it.
    util.register_after_fork(
        function, lambda function: util.Finalize(None, function, exitpriority=_LAST)
    )


def _in_tools(function: Callable[[], object], app: Any) -> None:
    original = app._exitWithSignal

    @functools.wraps(original)
    def exit_with_signal(number: int) -> None:
        function()
        original(number)

    app._exitWithSignal = exit_with_signal


# Behind everybody else's.
_LAST = -(2**31)


def _multiprocessing(again: list[str], util: Any) -> None:
    original = util._args_from_interpreter_flags

    @functools.wraps(original)
    def arguments() -> list[str]:
        return [*original(), *again]

    util._args_from_interpreter_flags = arguments


def _autoreload(again: list[str], autoreload: Any) -> None:
    # It calls os.execv, by this name.
    autoreload.os = _OS(again)


class _OS:
    """The module `os`, whose `execv` of this interpreter goes on as we do."""

    def __init__(self, again: list[str]) -> None:
        self._again = again

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def execv(self, path: str, arguments: list[str]) -> None:
        flags = importlib.import_module("subprocess")._args_from_interpreter_flags()
        os.execv(path, [arguments[0], *flags, *self._again, *arguments[1:]])
