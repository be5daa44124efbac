"""Says so when a loop was given work and never runs, while another one does.

A program that adds a server to one loop and runs another hangs without a word. A loop
that was closed, or will run yet, is no such case, so it is said late: when the other
loop has run for a while, or at the end of the process.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import sys
import threading
from collections.abc import Callable
from typing import Any, Protocol
from weakref import WeakSet, WeakValueDictionary

from tornado4 import _core
from tornado4.platform._advice import warn_at
from tornado4.platform._importers import importers_of_reactor, told
from tornado4.platform._thread import asyncio_loop_of_thread

# How many seconds a loop may run before another one of its thread counts as forgotten. Work may
# be given to that one later, so it is looked again after twice as long each time, up to an hour.
PATIENCE = 5.0
LONGEST = 3600.0


class Forgettable(Protocol):
    """What may be forgotten: a loop, or a reactor that a foreign loop is to drive."""

    _made_in: int
    """The thread that has made it."""
    _made_at: tuple[str, int] | None
    """Where it was made."""
    _is_set: bool
    """Whether it is the one of a current IOLoop."""

    def is_closed(self) -> bool:
        """Tell whether somebody has ended it."""
        ...

    def _waits(self) -> bool:
        """Tell whether it has work."""
        ...


# The loops that have never run, by identity. Its references are listed in one step,
# whatever other threads do.
_unused: WeakValueDictionary[int, Any] = WeakValueDictionary()
# For each thread the class of the loop that has run there last, as far as it is known, and
# where that loop was made.
_threads: dict[int, tuple[type | None, tuple[str, int] | None]] = {}
# Who is told of each new one.
_followers: list[Callable[[Any], object]] = []
# The loops that have a timer for this.
_watching: WeakSet[Any] = WeakSet()


def made(loop: Any) -> None:
    """Note a new loop of this thread, or something else that is `Forgettable`."""
    _unused[id(loop)] = loop
    for then in _followers:
        then(loop)


def when_made(then: Callable[[Any], object]) -> None:
    """Call `then` with every loop that is made from now on; see `made`."""
    _followers.append(then)


def used(loop: Any) -> None:
    """Note that what is given to a loop is being done."""
    _unused.pop(id(loop), None)


def runs(loop: Any) -> None:
    """Note that a loop, of whatever kind, begins to run in this thread."""
    used(loop)
    thread = threading.get_ident()
    _threads[thread] = type(loop), getattr(loop, "_made_at", None)
    if loop not in _watching:
        _watch(loop, thread, PATIENCE)


def _watch(loop: Any, thread: int, seconds: float) -> None:
    """Look after a while for what was forgotten, if there is anything that can be."""
    if seconds > LONGEST or _has_own_clock(loop):
        return
    if (_unused and _unused_in(thread)) or _unused_reactor() is not None:
        _watching.add(loop)
        loop.call_later(seconds, _later, thread, seconds)


def _has_own_clock(loop: Any) -> bool:
    """Tell whether a loop's clock is somebody's own: such a one may jump to the next timer."""
    time = getattr(type(loop), "time", None)
    for base in (_core.EventLoop, asyncio.BaseEventLoop):
        if isinstance(loop, base):
            return time is not base.time or "time" in vars(loop)
    return False


def timers_of(loop: Any) -> int:
    """Return how many of a loop's timers are there for this only."""
    return int(loop in _watching)


def _later(thread: int, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    _watching.discard(loop)
    # It may run yet: nobody can tell a preparation from a server that never returns.
    _tell(thread, "has not run so far")
    _tell_of_reactor()
    _watch(loop, thread, 2 * seconds)


def _unused_in(thread: int) -> list[Any]:
    """Return the loops made in a thread that have never run."""
    unused = [reference() for reference in _unused.valuerefs()]
    return [
        loop
        for loop in unused
        if loop is not None and loop._made_in == thread and not loop.is_closed()
    ]


def _forgotten_in(thread: int) -> list[Any]:
    """Return those of them that have work."""
    return [loop for loop in _unused_in(thread) if loop._waits()]


def _tell(thread: int, how_long: str = "never ran") -> None:
    for loop in _forgotten_in(thread):
        # Once is enough.
        used(loop)
        whose, how = _use_of(loop)
        warn_at(
            loop._made_at,
            f"{loop!r}{whose} was given work (a server, a callback, a timer) and {how_long}, "
            f"while another event loop did: {_name_of(*_threads[thread])}. Nothing of that work is "
            f"done. Run the loop that has it, by {how}; or give the work to the loop that "
            "runs, in a coroutine or callback of it.",
        )


def _name_of(cls: type | None, at: tuple[str, int] | None) -> str:
    if cls is None:
        return "one that isn't tornado4's"
    where = f", made at {at[0]}:{at[1]}" if at else ""
    return f"{cls.__module__}.{cls.__qualname__}{where}"


def _reactor() -> Any:
    return sys.modules.get("twisted.internet.reactor")


def _use_of(loop: Any) -> tuple[str, str]:
    """Return what a loop is used as, and how one runs that."""
    if getattr(_reactor(), "_asyncioEventloop", None) is loop:
        return (
            " with Twisted's reactor",
            "reactor.run(), or tornado4.run(main()) in place of asyncio.run(main())",
        )
    ioloop = sys.modules.get("tornado.ioloop")
    if ioloop is not None and loop in ioloop.IOLoop._ioloop_for_asyncio:
        return " with an IOLoop", "IOLoop.current().start()"
    if isinstance(loop, asyncio.AbstractEventLoop):
        return "", "its run_forever() or run_until_complete()"
    return "", "reactor.run()"


def _note_stock_reactor() -> None:
    """Note Twisted's global reactor, if it isn't ours and has run."""
    reactor = _reactor()
    if getattr(reactor, "_startedBefore", False) and not hasattr(reactor, "_host"):
        _threads.setdefault(threading.get_ident(), (type(reactor), None))


# Twisted's own reactor, installed because somebody forgot to install ours.
_told_of_reactor = False


def _unused_reactor() -> Any:
    """Return the global reactor if it isn't ours and has never run."""
    reactor = _reactor()
    if reactor is None or _told_of_reactor or getattr(reactor, "_startedBefore", True):
        return None
    threadable = sys.modules.get("twisted.python.threadable")
    if threadable is None or threadable.ioThread is not None:
        # A reactor has run, if only until it crashed.
        return None
    if reactor._started or isinstance(getattr(reactor, "_core", None), _core.Reactor):
        return None
    loop = getattr(reactor, "_asyncioEventloop", None)
    if loop is not None and (
        isinstance(loop, _core.EventLoop) or loop.is_running() or loop.is_closed()
    ):
        # That does its work, with or without `reactor.run`. One of ours is told of itself.
        return None
    return reactor


def _forgotten_reactor() -> Any:
    """Return it if it has work."""
    reactor = _unused_reactor()
    if reactor is None:
        return None
    try:
        watched = {*reactor.getReaders(), *reactor.getWriters()} - set(reactor._internalReaders)
        return reactor if watched or reactor.getDelayedCalls() else None
    except Exception:
        # It is somebody's own, and has other methods.
        return None


def _tell_of_reactor() -> None:
    global _told_of_reactor
    reactor = _forgotten_reactor()
    if reactor is None:
        return
    _told_of_reactor = True
    importers = importers_of_reactor()
    by = f" by the import of twisted.internet.reactor in {told(importers)}" if importers else ""
    warn_at(
        importers[0] if importers else None,
        f"Twisted's own {type(reactor).__name__} was installed{by} and given work, and never "
        "ran, while a loop of tornado4 did: nothing of that is done. Call "
        "tornado4.platform.twisted.install() before anything imports twisted.internet.reactor.",
    )


@atexit.register
def _at_exit() -> None:
    # A stock loop doesn't say that it runs. But asyncio.run leaves the thread without
    # the loop that was set for it.
    thread = threading.get_ident()
    # A policy of somebody's own may make a loop when it is asked for the current one.
    was_current = any(loop._is_set for loop in _forgotten_in(thread))
    if was_current and id(asyncio_loop_of_thread()) not in _unused:
        _threads.setdefault(thread, (None, None))
    if _unused:
        _note_stock_reactor()
    for ran in list(_threads):
        _tell(ran)
    if _threads:
        _tell_of_reactor()


def _forked() -> None:
    # What the parent's loops were given is the parent's business.
    _unused.clear()


os.register_at_fork(after_in_child=_forked)
