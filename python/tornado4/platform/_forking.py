"""What a fork means for the loops that there are."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary

# The loops of this process, but for those that a foreign loop drives: these do as it does.
_loops: WeakKeyDictionary[Any, None] = WeakKeyDictionary()


def made(loop: Any) -> None:
    """Note a new loop, which is told when the process is a forked child."""
    _loops[loop] = None


def _loops_now() -> list[Any]:
    """Return the loops that are there, whatever other threads make or end."""
    loops = [reference() for reference in _loops.keyrefs()]
    return [loop for loop in loops if loop is not None]


def _before_fork() -> None:
    """Send what was written and is held back yet, or both processes would."""
    here = threading.get_ident()
    for loop in _loops_now():
        # What runs in another thread doesn't run in the child.
        if loop._thread_id in (None, here):
            loop._flush_streams()


def _in_child() -> None:
    """Keep this process away from what its loops share with the parent."""
    for loop in _loops_now():
        idle = loop._forked()
        loop._is_parents = not loop._is_here()
        if idle:
            # What signals write to: the parent would hear of this process's.
            with suppress(OSError):
                loop._close_self_pipe()


def watch_forks() -> None:
    """Do this at each fork of the process from now on; to be called once."""
    os.register_at_fork(before=_before_fork, after_in_child=_in_child)
