"""Which IOLoop is current, to Tornado too: for a loop of ours it is one of ours, and where
there is no loop at all, one of ours is made for who has asked for that.
"""

from __future__ import annotations

import asyncio
import functools
import threading
from typing import Any

import tornado.ioloop

from tornado4 import _core
from tornado4.platform import _forgotten
from tornado4.platform._runner import preferred
from tornado4.platform._thread import asyncio_loop_of_thread
from tornado4.platform.asyncio import EventLoop

# Whether the program has asked for our loop by name.
_asked = False

_TornadoIOLoop = tornado.ioloop.IOLoop
_current_of_tornado = _TornadoIOLoop.current
_running_loop = _core.running_loop

# The class of our IOLoops, which stands above this.
_ours: Any = None


def take_over(ours: type) -> None:
    """Have Tornado find IOLoops of ours, which are of this class."""
    global _ours
    _ours = ours
    _TornadoIOLoop._ioloop_for_asyncio = _IOLoops(_TornadoIOLoop._ioloop_for_asyncio)
    _TornadoIOLoop.current = staticmethod(_current)  # type: ignore[method-assign]


def ask_for_ours(asked: bool = True) -> None:
    """Have Tornado use our loops from now on, where it needs one and there is none.

    Called for whoever names our loop: imports `tornado4.ioloop`, which
    ``IOLoop.configure("tornado4.ioloop.IOLoop")`` does too, or installs our reactor, or
    everything of ours. Who undoes that says so with False.
    """
    global _asked
    _asked = asked


def has_been_asked_for() -> bool:
    """Tell whether the program has named our loop."""
    return _asked


def current_of_tornado(replacement: Any = None) -> Any:
    """Return Tornado's own `IOLoop.current`, on which ours falls back; or replace it."""
    global _current_of_tornado
    if replacement is not None:
        _current_of_tornado = replacement
    return _current_of_tornado


def _is_configured() -> bool:
    """Tell whether Tornado is configured with a class of ours."""
    configured = tornado.ioloop.IOLoop._save_configuration()[0]
    return configured is not None and issubclass(configured, _core.IOLoop)


def asyncio_loop() -> Any:
    """Return the asyncio loop that runs in this thread, or that was set and is open."""
    loop = asyncio._get_running_loop()
    if loop is None:
        loop = asyncio_loop_of_thread()
    return None if loop is None or loop.is_closed() else loop


# What is current


class _IOLoops(dict[asyncio.AbstractEventLoop, tornado.ioloop.IOLoop]):
    """Tornado's map from asyncio loops to IOLoops.

    For one of our asyncio loops an IOLoop is made when Tornado first asks.
    """

    def __missing__(self, loop: asyncio.AbstractEventLoop) -> tornado.ioloop.IOLoop:
        if isinstance(loop, EventLoop) and not loop.is_closed():
            io_loop: tornado.ioloop.IOLoop = _ours(make_current=False, asyncio_loop=loop)
            return io_loop
        raise KeyError(loop)


@functools.wraps(_current_of_tornado)
def _current(instance: bool = True) -> Any:
    # The one that runs, first: this is asked for all the time.
    running = _running_loop()
    if running is not None:
        found = _TornadoIOLoop._ioloop_for_asyncio.get(running)
        if found is None:
            if not isinstance(running, EventLoop):
                _forgotten.runs(running)
            found = _current_of_tornado(instance)
        return found
    if not (_asked or _is_configured()) or asyncio_loop() is not None:
        return _current_of_tornado(instance)
    # Here asyncio would make a stock loop, and Tornado an IOLoop for it.
    current = _ours._found(instance)
    if current is None and instance:
        current = _made_for_thread()
    if current is not None and instance:
        current._make_current()
    return current


def _made_for_thread() -> Any:
    # Tornado 4.5 had one loop for all threads, today's has one for each.
    if threading.current_thread() is threading.main_thread():
        instance = _ours.instance()
        if not instance.asyncio_loop.is_running():
            return instance
    return made(make_current=True)


def made(make_current: bool | None = None) -> Any:
    """Make an IOLoop: of the class that Tornado is configured with, if that is ours."""
    factory = tornado.ioloop.IOLoop if _is_configured() else _ours
    return factory(make_current=make_current)


def current_of_reactor() -> Any:
    """Return the IOLoop of the loop that the thread's installed reactor has, if it is ours.

    A second loop beside that would leave the reactor's work undone.
    """
    loop = preferred()
    return _TornadoIOLoop._ioloop_for_asyncio[loop] if isinstance(loop, EventLoop) else None


def current_of_main_thread() -> Any:
    main = threading.current_thread() is threading.main_thread()
    return _ours._found(True) if main else None
