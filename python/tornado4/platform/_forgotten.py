"""Says so when a loop was given work and never runs, while another one does.

A program that adds a server to one loop and runs another hangs without a word. A loop
that was closed, or will run yet, is no such case, so it is said late: when the other
loop has run for a while, or at the end of the process.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
import warnings
from typing import Any
from weakref import WeakSet, WeakValueDictionary

from tornado4.platform._thread import asyncio_loop_of_thread

# How many seconds a loop may run before another one of its thread counts as forgotten.
PATIENCE = 5.0

# The loops that have never run, by identity. Its references are listed in one step,
# whatever other threads do.
_unused: WeakValueDictionary[int, Any] = WeakValueDictionary()
# The threads in which an asyncio loop has run, as far as it is known.
_threads: set[int] = set()
# The loops that have a timer for this.
_watching: WeakSet[Any] = WeakSet()


def made(loop: Any) -> None:
    """Note a new `EventLoop` of this thread."""
    _unused[id(loop)] = loop


def used(loop: Any) -> None:
    """Note that what is given to an `EventLoop` is being done."""
    _unused.pop(id(loop), None)


def runs(loop: Any) -> None:
    """Note that a loop, of whatever kind, begins to run in this thread."""
    used(loop)
    thread = threading.get_ident()
    _threads.add(thread)
    if _unused and loop not in _watching and _forgotten_in(thread):
        _watching.add(loop)
        loop.call_later(PATIENCE, _later, thread)


def _later(thread: int) -> None:
    _watching.discard(asyncio.get_running_loop())
    _tell(thread)


def _forgotten_in(thread: int) -> list[Any]:
    """Return the loops made in a thread that have work and have never run."""
    unused = [reference() for reference in _unused.valuerefs()]
    return [
        loop
        for loop in unused
        if loop is not None and loop._made_in == thread
        if not loop.is_closed() and loop._has_work(loop._internal_fds)
    ]


def _tell(thread: int) -> None:
    for loop in _forgotten_in(thread):
        # Once is enough.
        used(loop)
        warnings.warn(
            f"{loop!r} was given work (a server, a callback, a timer) and never ran, "
            "while another event loop did: nothing of that is done. Start the loop that "
            "is current when work is added, or add it within the one that runs.",
            RuntimeWarning,
            stacklevel=2,
        )


@atexit.register
def _at_exit() -> None:
    # A stock loop doesn't say that it runs. But asyncio.run leaves the thread without
    # the loop that was set for it.
    thread = threading.get_ident()
    # A policy of somebody's own may make a loop when it is asked for the current one.
    was_current = any(loop._is_set for loop in _forgotten_in(thread))
    if was_current and id(asyncio_loop_of_thread()) not in _unused:
        _threads.add(thread)
    for ran in list(_threads):
        _tell(ran)


def _forked() -> None:
    # What the parent's loops were given is the parent's business.
    _unused.clear()


os.register_at_fork(after_in_child=_forked)
