"""What a fork means for the loop that runs in the forking thread."""

from __future__ import annotations

import os
from asyncio import events

from tornado4 import _core
from tornado4.platform._advice import warn_at

_forking: _core.EventLoop | None = None


def _before_fork() -> None:
    """Send what the running callback has written, or both processes would."""
    global _forking
    loop = events._get_running_loop()
    _forking = loop if isinstance(loop, _core.EventLoop) else None
    if _forking is not None:
        _forking._flush_streams()


def _in_parent() -> None:
    global _forking
    _forking = None


def _in_child() -> None:
    """Have the loop say so if it goes on in the child, which most children don't do."""
    if _forking is not None and not _forking.is_closed():
        _forking.call_soon(_goes_on, os.getpid())


def _goes_on(child: int) -> None:
    if os.getpid() == child:
        warn_at(
            None,
            "A forked process goes on running the event loop of its parent, with which it "
            "shares the poll and every connection, so that each takes events from the other. "
            "End the child by os._exit(), run another program in it (subprocess), or make and "
            "run a new loop before anything of the parent's is touched.",
        )


def watch_forks() -> None:
    """Do this at each fork of the process from now on; to be called once."""
    os.register_at_fork(before=_before_fork, after_in_parent=_in_parent, after_in_child=_in_child)
