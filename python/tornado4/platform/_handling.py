"""Reports as from an ``except`` clause."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def call_handling(exception: BaseException, report: Callable[..., object], *args: Any) -> None:
    """Call ``report(*args)`` while the exception is the one that is handled.

    `sys.exc_info` has it, and it becomes the context of what the report itself raises.
    The native side calls callbacks, so no ``except`` clause of Python's is around a
    report. As on the frameworks' own loops, the exception's traceback begins with a frame
    of the loop meanwhile: this one.
    """
    context, traceback = exception.__context__, exception.__traceback__
    try:
        raise exception
    except BaseException as error:
        # A turn within an `except` clause has put the clause's exception there.
        error.__context__ = context
        report(*args)
    finally:
        # This frame and its callers hold the exception; it shall not hold them.
        exception.__traceback__ = traceback
