"""Put our event loop where asyncio's own would be made, and count how many were."""

from __future__ import annotations

import asyncio
import asyncio.events
import asyncio.unix_events
from typing import Any

_created = 0
_runs = 0


def created() -> int:
    """Return how many loops of ours this process has constructed."""
    return _created


def runs() -> int:
    """Return how many times a loop of ours was run in this process."""
    return _runs


def count_loops() -> type[asyncio.SelectorEventLoop]:
    """Have every construction of our loop counted; return the loop's class.

    The class itself is patched, not replaced by a subclass, so that what runs is what
    users get.  The patched constructor takes a selector as asyncio's takes one, and
    closes it: a test that asks for a loop on a selector of its choice gets ours, which
    has a poller of its own.
    """
    from tornado4.platform.asyncio import EventLoop

    construct = EventLoop.__init__

    def __init__(self: Any, selector: Any = None) -> None:
        global _created
        if selector is not None:
            selector.close()
        construct(self)
        _created += 1

    EventLoop.__init__ = __init__  # type: ignore[method-assign]
    return EventLoop


def count_runs() -> None:
    """Have every run of a loop of ours counted, of however many turns.

    What is counted are the calls of the native method. Single turns, such as trial
    makes after each case, are not.
    """
    from tornado4.platform.asyncio import EventLoop

    run = EventLoop._run

    def _run(self: Any) -> None:
        global _runs
        _runs += 1
        run(self)

    EventLoop._run = _run  # type: ignore[method-assign]


def count_guests() -> None:
    """Have every loop of ours counted that drives a reactor as a foreign loop's guest."""
    from tornado4.platform.twisted._hosts import ForeignLoop

    construct = ForeignLoop.__init__

    def __init__(self: Any, *args: Any) -> None:
        global _created
        construct(self, *args)
        _created += 1

    ForeignLoop.__init__ = __init__  # type: ignore[method-assign]


def install() -> None:
    """Make each way in which asyncio makes a loop make ours.

    The default policy's loop factory is what ``new_event_loop``, ``run``, ``Runner``,
    ``IsolatedAsyncioTestCase`` and subclasses of the policy come to, also in threads,
    and still after a test did ``set_event_loop_policy(None)``, as the tearDownModule of
    many does.  The names of the class are for those who construct
    ``asyncio.SelectorEventLoop`` themselves.
    """
    ours = count_loops()
    stock = asyncio.SelectorEventLoop
    modules = (asyncio, asyncio.events, asyncio.unix_events)
    for module in modules:
        for name, value in list(vars(module).items()):
            if value is stock:
                setattr(module, name, ours)
            elif isinstance(value, type) and vars(value).get("_loop_factory") is stock:
                value._loop_factory = ours  # type: ignore[attr-defined]
    loop = asyncio.new_event_loop()
    if type(loop) is not ours:
        raise RuntimeError(f"asyncio.new_event_loop() still makes {type(loop)}")
    loop.close()
    global _created
    _created = 0  # this one proves nothing
