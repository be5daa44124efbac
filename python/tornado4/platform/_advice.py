"""What to do about a mistake, and where in the user's code it was made."""

from __future__ import annotations

import functools
import sys
import threading
import warnings
from types import CodeType

# Whose code isn't the user's.
_LIBRARIES = {
    "tornado4",
    "asyncio",
    "tornado",
    "twisted",
    "contextlib",
    "contextvars",
    "functools",
    "importlib",
    "runpy",
    "threading",
}


ALREADY_RUNS = (
    "A loop runs in this thread already. In a coroutine, await what is to be run; in a callback, "
    "start it by asyncio.ensure_future() and return; a reactor starts with its loop, unasked."
)
"""What to do where a loop runs in the thread."""

IN_CHILD = (
    "In the parent process, which ran it when it forked: in this child nothing runs it. Make a new "
    "loop, such as by asyncio.run()."
)
"""What to do in a forked child."""

CLOSED = (
    "It was closed by close(), or at the end of asyncio.run() or tornado4.run(). A closed loop "
    "can't be opened again: make a new one, and what uses it anew."
)
"""What the native half adds to the error of a loop that is closed."""


def advise(error: BaseException, advice: str) -> None:
    """Add a line to what is shown of an error, whose text is a framework's own.

    Python 3.10 has no such lines.
    """
    if sys.version_info >= (3, 11) and advice not in getattr(error, "__notes__", ()):
        error.add_note(advice)


def place_in_users_code() -> tuple[str, int] | None:
    """Return the file and the line of the innermost caller that is no framework."""
    # Not `inspect.stack`, which reads the sources.
    frame = sys._getframe(1)
    while frame is not None:
        name = str(frame.f_globals.get("__name__"))
        if name.partition(".")[0] not in _LIBRARIES and frame.f_code.co_filename[:1] != "<":
            return frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back  # type: ignore[assignment]
    return None


def warn_at(place: tuple[str, int] | CodeType | None, message: str) -> None:
    """Warn of a mistake that was made there, or in a function of this code."""
    if isinstance(place, CodeType):
        place = place.co_filename, place.co_firstlineno
    if place is None:
        warnings.warn(message, RuntimeWarning, stacklevel=3)
    else:
        warnings.warn_explicit(message, RuntimeWarning, *place)


def name_of_function(function: object) -> str:
    """Return the name of a function, as it is shown in messages.

    What can be called needn't have one: a partial function has that of the function it calls.
    """
    while isinstance(function, functools.partial):
        function = function.func
    return getattr(function, "__qualname__", None) or repr(function)


def name_of_thread(ident: int | None) -> str:
    """Return the name of a thread, as it is shown in messages."""
    names = [thread.name for thread in threading.enumerate() if thread.ident == ident]
    return repr(names[0]) if names else f"number {ident}"
