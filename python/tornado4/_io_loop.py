"""`IOLoop`, a real Tornado IOLoop on the native loop.

This is what the other faces import: only a program that imports `tornado4.ioloop`
itself has asked for our loop.
"""

from __future__ import annotations

import asyncio
import errno
import functools
import os
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, overload

import tornado.ioloop
from tornado import gen
from tornado.log import app_log
from tornado.platform.asyncio import AsyncIOLoop, BaseAsyncIOLoop
from tornado.util import Configurable

from tornado4 import _core, _private_names
from tornado4._current_io_loop import (
    ask_for_ours,
    asyncio_loop,
    current_of_main_thread,
    current_of_reactor,
    current_of_tornado,
    has_been_asked_for,
    made,
    take_over,
)
from tornado4.platform import _forgotten
from tornado4.platform._handling import call_handling
from tornado4.platform._naming import counted
from tornado4.platform._thread import asyncio_loop_of_thread
from tornado4.platform.asyncio import EventLoop

if TYPE_CHECKING:
    import concurrent.futures

    from typing_extensions import Self

__all__ = ["IOLoop", "ask_for_ours", "current_of_tornado", "has_been_asked_for"]

_private_names.warn_if_newer("Tornado", tornado.version)

_T = TypeVar("_T")
# What Tornado takes beside awaitables.
_Yielded: TypeAlias = "list[Any] | dict[Any, Any] | concurrent.futures.Future[Any]"


class IOLoop(_core.IOLoop, AsyncIOLoop):
    """An I/O event loop, as Tornado 4.5 documents it, for Tornado 6.

    Made directly, as a subclass, or through
    ``tornado.ioloop.IOLoop.configure("tornado4.ioloop.IOLoop")``.
    `tornado.ioloop.IOLoop.current` returns one whenever the running asyncio
    loop is a `tornado4.platform.asyncio.EventLoop`.

    ``make_current`` is as in Tornado 4.5: by default the loop becomes the
    thread's current one if there is none, True makes it the current one, False
    doesn't. ``asyncio_loop`` is the `tornado4.platform.asyncio.EventLoop` to run on, a new
    one by default. For any other asyncio loop it is Tornado's own IOLoop that is made; a
    subclass can't be. Raises `RuntimeError` for a loop that is closed or has an IOLoop.
    """

    __module__ = "tornado4.ioloop"

    _instance: Any = None
    _instance_lock = threading.RLock()
    _thread = threading.local()

    if TYPE_CHECKING:

        def __init__(
            self,
            make_current: bool | None = None,
            asyncio_loop: asyncio.AbstractEventLoop | None = None,
            **kwargs: Any,
        ) -> None: ...

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        # Tornado's factory makes its instances with object.__new__, which
        # refuses a native base; the rest of it is as there.
        impl: Any = cls
        if cls is IOLoop:
            impl = cls.configured_class()
            kwargs = {**(cls._save_configuration()[1] or {}), **kwargs}
            loop = kwargs.get("asyncio_loop")
            if isinstance(loop, asyncio.AbstractEventLoop) and not isinstance(loop, EventLoop):
                if kwargs.get("make_current") is None:
                    kwargs["make_current"] = IOLoop.current(instance=False) is None
                other: Any = AsyncIOLoop(*args, **kwargs)
                return other  # type: ignore[no-any-return]
        if not issubclass(impl, _core.IOLoop):
            return impl(*args, **kwargs)  # type: ignore[no-any-return]
        self: Any = _core.IOLoop.__new__(impl)
        self.initialize(*args, **kwargs)
        return self  # type: ignore[no-any-return]

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

        Raises `TypeError` for an ``asyncio_loop`` that isn't a
        `tornado4.platform.asyncio.EventLoop`, `RuntimeError` for one that is closed or has
        an IOLoop.
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

    def __repr__(self) -> str:
        name = type(self).__name__
        try:
            handlers, timers = self._counts()
        except RuntimeError:
            return f"<{name} not initialized>"
        loop = self.asyncio_loop
        if self.closing or loop.is_closed():
            return f"<{name} closed>"
        state = "running" if loop.is_running() else "stopped"
        timers = max(timers - _forgotten.timers_of(loop), 0)
        return f"<{name} {state}, {counted(handlers, 'handler')}, {counted(timers, 'timer')}>"

    # Running

    def start(self) -> None:
        """Run until `stop` is called. If it was called before, return at once.

        The loop is the thread's current one while it runs. Ctrl-C raises
        `KeyboardInterrupt` here, after which it may be started again. Raises `RuntimeError`
        if a loop runs in this thread, or if this one is closed.
        """
        self.asyncio_loop.run_forever()

    @overload
    def run_sync(self, func: Callable[[], Awaitable[_T]], timeout: float | None = None) -> _T: ...
    @overload
    def run_sync(self, func: Callable[[], None], timeout: float | None = None) -> None: ...
    @overload
    def run_sync(self, func: Callable[[], _Yielded], timeout: float | None = None) -> Any: ...
    def run_sync(self, func: Callable[[], object], timeout: float | None = None) -> Any:
        """Run a function, and the loop until its result is there, and return that.

        The function may return a coroutine or another awaitable; a coroutine may await
        Deferreds as soon as a reactor is there. ``timeout`` is in seconds; after it
        `TimeoutError` is raised. What the function raises is raised.
        """
        wrap = _core.TaskMaker(asyncio.Task).wrap
        return super().run_sync(lambda: wrap(func()), timeout)

    def stop(self) -> None:
        """Stop the loop after the iteration that is under way.

        If it doesn't run, the next `start` returns at once. From another thread it is to be
        called by ``add_callback(loop.stop)``.
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
        self.asyncio_loop._is_set = True  # type: ignore[attr-defined]
        asyncio.set_event_loop(self.asyncio_loop)

    def _clear_current_hook(self) -> None:
        if self.is_current:
            self.is_current = False
            self.asyncio_loop._is_set = False  # type: ignore[attr-defined]
            if getattr(IOLoop._thread, "current", None) is self:
                del IOLoop._thread.current
            asyncio.set_event_loop(self.old_asyncio)
            self.old_asyncio = None  # type: ignore[assignment]

    @staticmethod
    def clear_current() -> None:
        """Make no IOLoop the thread's current one; what was before, is again."""
        current = IOLoop.current(instance=False)
        if current is not None:
            current._clear_current_hook()

    # Tornado's own have the same methods, but for those that Tornado has dropped.
    @overload  # type: ignore[override]
    @staticmethod
    def current(instance: Literal[True] = True) -> IOLoop: ...
    @overload
    @staticmethod
    def current(instance: bool) -> IOLoop | None: ...
    @staticmethod
    def current(instance: bool = True) -> Any:
        """Return the thread's current IOLoop, which may be one of Tornado's own.

        The one that runs, or else that of the asyncio loop which was set for the thread,
        or else the one that was made current, or else that of the installed reactor. If
        there is none: that of `IOLoop.instance`, or None unless ``instance`` is true.
        """
        current = IOLoop._found(instance)
        return IOLoop.instance() if current is None and instance else current

    @staticmethod
    def _found(instance: bool) -> Any:
        """Return the current IOLoop; with ``instance``, an asyncio loop is given one."""
        loop = asyncio_loop()
        if loop is not None:
            found = tornado.ioloop.IOLoop._ioloop_for_asyncio.get(loop)
            if found is None and instance:
                found = current_of_tornado()()
            if found is not None:
                return found
        current = getattr(IOLoop._thread, "current", None)
        if current is None or current.asyncio_loop.is_closed():
            return current_of_reactor() if instance else None
        return current

    @staticmethod
    def instance() -> IOLoop:
        """Return the process's global IOLoop, made when first asked for.

        Any thread may ask; use it to reach the main loop from another thread. If the
        main thread is the first to ask, it is the one that is current there. Follows the
        documentation of Tornado 4.5; today's Tornado has an alias of `current` here.
        """
        with IOLoop._instance_lock:
            instance = IOLoop._instance
            if instance is None or instance.asyncio_loop.is_closed():
                instance = IOLoop._instance = current_of_main_thread() or made()
            return instance  # type: ignore[no-any-return]

    @staticmethod
    def initialized() -> bool:
        """Tell whether there is a global instance, which `instance` has made or `install`."""
        return IOLoop._instance is not None

    def install(self) -> None:
        """Make this the global `instance`, and the thread's current IOLoop."""
        with IOLoop._instance_lock:
            IOLoop._instance = self
        self._make_current()

    @staticmethod
    def clear_instance() -> None:
        """Forget the global instance; the next `instance` makes another one."""
        with IOLoop._instance_lock:
            IOLoop._instance = None

    # Reports

    def handle_callback_exception(self, callback: Callable[..., object] | None) -> None:
        """Report an exception of a callback; `sys.exc_info` has it.

        Called whenever a callback, a timeout or a handler raises. A subclass may override
        this. By default it is logged to ``tornado.application``, as Tornado 4.5 documents.
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
        called = functools.partial(callback, *args, **(kwargs or {}))
        call_handling(exception, self.handle_callback_exception, called)

    def _handler_failed(
        self, handler: Callable[..., object], file: object, exception: BaseException
    ) -> None:
        if isinstance(exception, OSError) and exception.errno == errno.EPIPE:
            # The client has gone; Tornado 4.5 says nothing either.
            return
        call = functools.partial(handler, file) if callable(handler) else handler
        call_handling(exception, self.handle_callback_exception, call)


def _forked() -> None:
    """Forget what was current in the parent process, where asyncio forgets it too.

    Else a child would run its parent's loop, and change what that polls.
    """
    IOLoop._instance_lock = threading.RLock()
    if sys.version_info >= (3, 12):
        IOLoop._instance = None
        IOLoop._thread = threading.local()


os.register_at_fork(after_in_child=_forked)


take_over(IOLoop)
