"""A reactor that lives for one call."""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, TypeVar, overload

import twisted.internet
from twisted.internet.defer import Deferred
from twisted.internet.main import installReactor
from twisted.python import threadable

from tornado4._io_loop import IOLoop
from tornado4.platform._advice import advise
from tornado4.platform._runner import run_on
from tornado4.platform._thread import asyncio_loop_of_thread
from tornado4.platform.twisted._install import check_not_installed
from tornado4.platform.twisted._reactor import TornadoReactor

if TYPE_CHECKING:
    from typing import Concatenate

    from typing_extensions import ParamSpec

    _Params = ParamSpec("_Params")

_T = TypeVar("_T")


# A function's own arguments can't be checked beside `install`.
@overload
def run_once(
    function: Callable[Concatenate[TornadoReactor, _Params], Awaitable[_T]],
    /,
    *args: _Params.args,
    **kw: _Params.kwargs,
) -> _T: ...
@overload
def run_once(
    function: Callable[Concatenate[TornadoReactor, _Params], _T],
    /,
    *args: _Params.args,
    **kw: _Params.kwargs,
) -> _T: ...
@overload
def run_once(
    function: Callable[..., Awaitable[_T]], /, *args: Any, install: bool, **kw: Any
) -> _T: ...
@overload
def run_once(function: Callable[..., _T], /, *args: Any, install: bool, **kw: Any) -> _T: ...
def run_once(  # type: ignore[misc]
    function: Callable[..., Any], /, *args: Any, install: bool = False, **kw: Any
) -> Any:
    """Call ``function(reactor, *args, **kw)`` with a reactor of its own; return the result.

    For scripts and tests; may be called any number of times. The function may return
    a value, a Deferred, a coroutine or any other awaitable; an exception or a failure
    is raised. The reactor runs already when the function is called, on a new IOLoop.
    At the end tasks that are left are cancelled, the reactor shuts down with its
    triggers, and its threads, descriptors and delayed calls go with it.

    Twisted's global reactor is left alone. With ``install`` the reactor is the global
    one during the call, for code that imports that; a module that keeps it has a dead
    one afterwards.

    Raises `RuntimeError` if a loop runs in this thread, or if the reactor (or its
    loop) is stopped before the result is there; Twisted's
    `ReactorAlreadyInstalledError` for ``install`` when there is a global reactor.
    Ctrl-C cancels what is awaited and raises `KeyboardInterrupt`, as in `asyncio.run`.
    """
    _check_nothing_runs()
    if not callable(function):
        if asyncio.iscoroutine(function):
            # Or Python would say, too, that nobody has awaited it.
            function.close()
        raise TypeError(
            f"run_once() takes a function of the reactor, and its other arguments, not {function!r}"
        )
    if install:
        check_not_installed()
    loop_before, thread_before = asyncio_loop_of_thread(), threadable.ioThread
    io_loop = IOLoop(make_current=False)
    try:
        reactor = TornadoReactor(io_loop)
        call = _Call(reactor, function, args, kw)
        with _as_global(reactor) if install else nullcontext():
            return call.run(io_loop.asyncio_loop)
    finally:
        io_loop.close()
        asyncio.set_event_loop(loop_before)
        # The thread that Twisted takes for that of the reactor.
        threadable.ioThread = thread_before


class _Call:
    """The call, and the life of its reactor."""

    def __init__(
        self,
        reactor: TornadoReactor,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kw: dict[str, Any],
    ) -> None:
        self._reactor = reactor
        self._function = function
        self._args = args
        self._kw = kw
        self._finished = False

    def run(self, loop: asyncio.AbstractEventLoop) -> Any:
        """Run the loop until the result is there."""
        try:
            return run_on(lambda: loop, self._main())
        except RuntimeError as error:
            if self._finished:
                raise
            raise RuntimeError("the reactor was stopped before the result was there") from error

    async def _main(self) -> Any:
        reactor = self._reactor
        started: Deferred[None] = Deferred()
        reactor.callWhenRunning(started.callback, None)
        try:
            await started
            result = self._function(reactor, *self._args, **self._kw)
            if inspect.isawaitable(result):
                result = await result
        except asyncio.CancelledError:
            # The loop has stopped, and is being closed. Or it was Ctrl-C.
            raise
        except BaseException:
            self._finished = True
            raise
        finally:
            if not reactor._started and not reactor._ended:
                # It has crashed, but is shut down all the same.
                reactor._hostEnds = True
                reactor.fireSystemEvent("shutdown")
        self._finished = True
        return result


def _check_nothing_runs() -> None:
    reactor = sys.modules.get("twisted.internet.reactor")
    runs = getattr(reactor, "running", False) and threadable.isInIOThread()
    if runs or asyncio._get_running_loop() is not None:
        error = RuntimeError("run_once() cannot be called while a loop runs in this thread")
        advise(error, "Give the function the reactor that runs, and await what it returns.")
        raise error


@contextmanager
def _as_global(reactor: TornadoReactor) -> Iterator[None]:
    installReactor(reactor)
    try:
        yield
    finally:
        del sys.modules["twisted.internet.reactor"]
        del twisted.internet.reactor
