"""What a fork means for the loops that there are."""

from __future__ import annotations

import os
from asyncio import events
from typing import Any
from weakref import WeakSet

from tornado4 import _core

# The loops of this process, but for those that a foreign loop drives: these do as it does.
_loops: WeakSet[Any] = WeakSet()


def made(loop: Any) -> None:
    """Note a new loop, which is told when the process is a forked child."""
    _loops.add(loop)


def _before_fork() -> None:
    """Send what the running callback has written, or both processes would."""
    loop = events._get_running_loop()
    if isinstance(loop, _core.EventLoop):
        loop._flush_streams()


def _in_child() -> None:
    """Keep this process away from what its loops share with the parent."""
    for loop in list(_loops):
        loop._is_parents = loop._forked()


def watch_forks() -> None:
    """Do this at each fork of the process from now on; to be called once."""
    os.register_at_fork(before=_before_fork, after_in_child=_in_child)
