"""The Tornado face: `IOLoop`, a real Tornado IOLoop on the Rust core.

The names that Tornado's own ``ioloop`` module has beside it are here too. Tornado 4.5's
``set_blocking_signal_threshold``, ``set_blocking_log_threshold`` and ``log_stack`` aren't,
as in Tornado since 5.0: asyncio's debug mode reports callbacks that are slow.
"""

from __future__ import annotations

import asyncio
import errno
import functools
import sys
import threading
from collections.abc import Callable
from typing import Any

import tornado.ioloop
from tornado import gen
from tornado.ioloop import PeriodicCallback
from tornado.log import app_log
from tornado.platform.asyncio import AsyncIOLoop, BaseAsyncIOLoop
from tornado.util import Configurable, TimeoutError

from tornado4 import _core
from tornado4.platform.asyncio import EventLoop

__all__ = ["IOLoop", "PeriodicCallback", "TimeoutError"]


class IOLoop(_core.IOLoop, AsyncIOLoop):
    """An I/O event loop, as Tornado 4.5 documents it, for Tornado 6.

    Made directly, as a subclass, or through
    ``tornado.ioloop.IOLoop.configure("tornado4.ioloop.IOLoop")``.
    `tornado.ioloop.IOLoop.current` returns one whenever the running asyncio
    loop is a `tornado4.platform.asyncio.EventLoop`.

    ``make_current`` is as in Tornado 4.5: by default the loop becomes the
    thread's current one if there is none, True makes it the current one, False
    doesn't. ``asyncio_loop`` is the `EventLoop` to run on, a new one by default.
    """

    _instance: IOLoop | None = None
    _instance_lock = threading.RLock()
    _thread = threading.local()

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        # Tornado's factory makes its instances with object.__new__, which
        # refuses a native base; the rest of it is as there.
        impl: type[Configurable] = cls
        if cls is IOLoop:
            impl = cls.configured_class()
            kwargs = {**(cls._save_configuration()[1] or {}), **kwargs}
        if not issubclass(impl, _core.IOLoop):
            return impl(*args, **kwargs)
        self = _core.IOLoop.__new__(impl)
        self.initialize(*args, **kwargs)  # type: ignore[attr-defined]
        return self

    @classmethod
    def configurable_base(cls) -> type[Configurable]:
        """Return the base of the classes that can be configured: this one."""
        return IOLoop

    @classmethod
    def configurable_default(cls) -> type[Configurable]:
        """Return the class that is used when none is configured: this one."""
        return IOLoop

    def initialize(  # type: ignore[override]
        self,
        make_current: bool | None = None,
        asyncio_loop: EventLoop | None = None,
        **kwargs: Any,
    ) -> None:
        """Set the loop up; a subclass extends this and not ``__init__``.

        Raises `TypeError` for an ``asyncio_loop`` that isn't an `EventLoop`,
        `RuntimeError` for one that is closed or has an IOLoop.
        """
        if asyncio_loop is not None and not isinstance(asyncio_loop, EventLoop):
            raise TypeError(f"not a tornado4 event loop: {asyncio_loop!r}")
        if asyncio_loop is not None:
            asyncio_loop._check_closed()
        if make_current is None:
            make_current = IOLoop.current(instance=False) is None
        self.is_current = False
        loop = asyncio_loop if asyncio_loop is not None else EventLoop()
        try:
            BaseAsyncIOLoop.initialize(self, loop, make_current=make_current, **kwargs)
        except Exception:
            if loop is not asyncio_loop:
                loop.close()
            raise
        self._bind(loop, type(self).time is not tornado.ioloop.IOLoop.time)

    # Running

    def start(self) -> None:
        """Run until `stop` is called. If it was called before, return at once.

        The loop is the thread's current one while it runs.
        """
        self.asyncio_loop.run_forever()

    def stop(self) -> None:
        """Stop the loop after the turn that is under way.

        If it doesn't run, the next `start` returns at once.
        """
        self.asyncio_loop.stop()

    def close(self, all_fds: bool = False) -> None:
        """Close the loop and free what it holds.

        With ``all_fds`` every descriptor that has a handler is closed too.
        Raises `RuntimeError` if the loop hasn't stopped; idempotent.
        """
        if self.asyncio_loop.is_running():
            raise RuntimeError("Cannot close a running IOLoop: stop it first")
        self.closing = True
        self._let_go(all_fds)
        # Before the loop is closed: Tornado drops closed ones on its own.
        tornado.ioloop.IOLoop._ioloop_for_asyncio.pop(self.asyncio_loop, None)
        self.asyncio_loop.close()

    def _let_go(self, all_fds: bool) -> None:
        """Remove the handlers, close what they were for if asked, be current no more."""
        files = self._remove_handlers()
        if all_fds:
            for file in files:
                self.close_fd(file)
        if self.is_current:
            self._clear_current_hook()

    # The current loop, and the one instance

    def make_current(self) -> None:
        """Make this the thread's current IOLoop, and its asyncio loop too."""
        self._make_current()

    def _make_current(self) -> None:
        if not self.is_current:
            self.old_asyncio = asyncio_loop_of_thread()
            self.is_current = True
        IOLoop._thread.current = self
        asyncio.set_event_loop(self.asyncio_loop)

    def _clear_current_hook(self) -> None:
        if self.is_current:
            self.is_current = False
            if getattr(IOLoop._thread, "current", None) is self:
                del IOLoop._thread.current
            asyncio.set_event_loop(self.old_asyncio)
            self.old_asyncio = None  # type: ignore[assignment]

    @staticmethod
    def clear_current() -> None:
        """Make no IOLoop the thread's current one."""
        current = IOLoop.current(instance=False)
        if current is not None:
            current._clear_current_hook()

    @staticmethod
    def current(instance: bool = True) -> Any:
        """Return the thread's current IOLoop.

        The one that runs, or else the one that was made current. If there is
        none: that of `IOLoop.instance`, or None unless ``instance`` is true.
        """
        if asyncio._get_running_loop() is not None:
            return tornado.ioloop.IOLoop.current(instance)
        current: IOLoop | None = getattr(IOLoop._thread, "current", None)
        if current is not None and not current.asyncio_loop.is_closed():
            return current
        return IOLoop.instance() if instance else None

    @staticmethod
    def instance() -> Any:
        """Return the process's global IOLoop, made when first asked for.

        Any thread may ask; use it to reach the main loop from another thread.
        """
        with IOLoop._instance_lock:
            instance = IOLoop._instance
            if instance is None or instance.asyncio_loop.is_closed():
                instance = IOLoop._instance = IOLoop()
            return instance

    @staticmethod
    def initialized() -> bool:
        """Tell whether there is a global instance."""
        return IOLoop._instance is not None

    def install(self) -> None:
        """Make this the global instance, and the thread's current IOLoop."""
        with IOLoop._instance_lock:
            IOLoop._instance = self
        self._make_current()

    @staticmethod
    def clear_instance() -> None:
        """Forget the global instance."""
        with IOLoop._instance_lock:
            IOLoop._instance = None

    # Reports

    def handle_callback_exception(self, callback: Callable[..., object] | None) -> None:
        """Report an exception of a callback; `sys.exc_info` has it.

        A subclass may override this. By default it is logged.
        """
        app_log.error("Exception in callback %r", callback, exc_info=True)

    def _run_callback(self, callback: Callable[[], Any]) -> None:
        # What Tornado itself calls through, such as `add_future`.
        try:
            result = callback()
            if result is not None:
                self._callback_returned(result)
        except asyncio.CancelledError:
            pass
        except Exception:
            self.handle_callback_exception(callback)

    # Called by the native side

    def _callback_returned(self, result: object) -> None:
        try:
            future = gen.convert_yielded(result)  # type: ignore[arg-type]
        except gen.BadYieldError:
            # Anything may be passed to add_callback, whatever it returns.
            return
        self.add_future(future, self._discard_future_result)

    def _callback_failed(
        self,
        call: tuple[Callable[..., object], tuple[Any, ...], dict[str, Any] | None],
        exception: BaseException,
    ) -> None:
        if isinstance(exception, asyncio.CancelledError):
            return
        callback, args, kwargs = call
        try:
            raise exception
        except BaseException:
            self.handle_callback_exception(functools.partial(callback, *args, **(kwargs or {})))

    def _handler_failed(
        self, handler: Callable[..., object], file: object, exception: BaseException
    ) -> None:
        if isinstance(exception, OSError) and exception.errno == errno.EPIPE:
            # The client has gone; Tornado 4.5 says nothing either.
            return
        try:
            raise exception
        except BaseException:
            call = functools.partial(handler, file) if callable(handler) else handler
            self.handle_callback_exception(call)


def asyncio_loop_of_thread() -> Any:
    """Return the asyncio loop that was set for the thread, if any."""
    if sys.version_info >= (3, 14):
        try:
            return asyncio.get_event_loop()
        except RuntimeError:
            return None
    # `get_event_loop` would make one here.
    local = getattr(asyncio.get_event_loop_policy(), "_local", None)
    return getattr(local, "_loop", None)


class _IOLoops(dict[asyncio.AbstractEventLoop, tornado.ioloop.IOLoop]):
    """Tornado's map from asyncio loops to IOLoops.

    For one of our asyncio loops an IOLoop is made when Tornado first asks.
    """

    def __missing__(self, loop: asyncio.AbstractEventLoop) -> tornado.ioloop.IOLoop:
        if isinstance(loop, EventLoop) and not loop.is_closed():
            made: tornado.ioloop.IOLoop = IOLoop(make_current=False, asyncio_loop=loop)
            return made
        raise KeyError(loop)


tornado.ioloop.IOLoop._ioloop_for_asyncio = _IOLoops(tornado.ioloop.IOLoop._ioloop_for_asyncio)
