"""From Deferreds to coroutines and Futures, and back."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import importlib
import inspect
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, TypeVar

import tornado
from tornado import gen
from twisted.internet.defer import CancelledError, Deferred
from twisted.python import threadable
from twisted.python.failure import Failure

from tornado4 import _core
from tornado4.platform._thread import asyncio_loop_of_thread
from tornado4.platform.asyncio import EventLoop
from tornado4.platform.twisted._futures import DeferredFuture, DeferredWait, without_this_frame

_T = TypeVar("_T")


def _wait(deferred: Deferred[Any]) -> DeferredWait | None:
    """Return what a task waits for, None where no asyncio loop runs."""
    loop = asyncio._get_running_loop()
    return None if loop is None else DeferredWait(deferred, loop)


# For the tasks of a loop of ours that are older than this.
_core.TaskMaker.serve((Deferred, _wait))


def let_tasks_await_deferreds(loop: EventLoop) -> None:
    """Have the tasks that are made on a loop from now on await Deferreds as they are."""
    if not isinstance(loop.create_task, _core.TaskMaker):
        loop.create_task = _core.TaskMaker(loop.create_task)  # type: ignore[method-assign]


def advise_older_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """Have the error of tasks that are older than a reactor, and can't, say what to do.

    asyncio's own only says that a Deferred is a "bad yield".
    """
    with contextlib.suppress(RuntimeError):  # the loop may be at work in another thread
        for task in asyncio.all_tasks(loop):
            if not isinstance(task.get_coro(), _core.Coroutine):
                task.add_done_callback(_advise)


def _advise(task: asyncio.Task[Any]) -> None:
    # To ask for `exception()` would tell asyncio that somebody has looked at it.
    error = getattr(task, "_exception", None)
    said = str(error)
    if not isinstance(error, RuntimeError) or not said.startswith("Task got bad yield: <"):
        return
    if "Deferred at " in said and _ADVICE not in said:
        error.args = (said + _ADVICE,)


_ADVICE = "; use tornado4.platform.twisted.as_future(deferred) in this task"

_tasks = _core.TaskMaker(asyncio.Task)


def task_factory(
    loop: asyncio.AbstractEventLoop,
    coro: Coroutine[Any, Any, _T] | Generator[Any, None, _T],
    **kwargs: Any,
) -> asyncio.Task[_T]:
    """Make a task that may await Deferreds, on any asyncio loop.

    For a foreign loop: ``loop.set_task_factory(task_factory)``. Loops of ours don't
    need it: all tasks are such tasks from the making of the loop's reactor on.
    `asyncio.Task.get_coro` of them returns an object that stands for the coroutine and
    answers whatever it does. ``kwargs`` are as for `asyncio.Task`.
    """
    task: asyncio.Task[_T] = _tasks(coro, loop=loop, **kwargs)
    return task


def as_future(deferred: Deferred[_T]) -> asyncio.Future[_T]:
    """Return a future of the running asyncio loop for a Deferred.

    The result is consumed, as by `Deferred.asFuture`: a later callback gets None. A
    failure's exception has its traceback. Cancelling the future cancels the Deferred,
    and takes effect when that has fired: a failure then means that the future is
    cancelled, and a value is its result. A Deferred that somebody else cancels fails
    with Twisted's `CancelledError`.

    Where no loop runs, it is one of the loop that is set for the thread (as
    `tornado4.ioloop.IOLoop.make_current` does), or else of the global reactor's, or else
    of the one that `asyncio.Future` would take, which depends on the Python. Raises
    `TypeError` for what is no Deferred, `RuntimeError` if there is no such loop.
    """
    if not isinstance(deferred, Deferred):
        awaitable = inspect.isawaitable(deferred)
        hint = ": asyncio's code can await it as it is" if awaitable else ""
        if asyncio.iscoroutine(deferred):
            # Or Python would say, too, that nobody has awaited it.
            deferred.close()
        raise TypeError(f"not a Deferred: {deferred!r}{hint}")
    return DeferredFuture(deferred, _loop(asyncio.get_event_loop))


# What `gen.coroutine` does with a Deferred that is yielded. Tornado registers a
# function of its own, without cancellation, when this module of it is imported, and
# the last one counts. Before 6.5 it imports too much to be imported unasked.
if tornado.version_info >= (6, 5):
    importlib.import_module("tornado.platform.twisted")
gen.convert_yielded.register(Deferred, as_future)  # type: ignore[attr-defined]


class _FutureDeferred(Deferred[Any]):
    """The result of an asyncio future."""

    def __init__(self, future: asyncio.Future[Any]) -> None:
        super().__init__()
        self._future: asyncio.Future[Any] | None = future
        future.add_done_callback(self._done)

    def cancel(self) -> None:
        """Cancel the future. This fires when that is done."""
        if self._future is None:
            super().cancel()
        else:
            self._future.cancel()

    def _done(self, future: asyncio.Future[Any]) -> None:
        self._future = None
        if self.called:
            # By somebody else.
            return
        try:
            result = future.result()
        except asyncio.CancelledError as error:
            cancelled = CancelledError(*error.args)
            cancelled.__cause__ = error
            self.errback(Failure(cancelled))
        except BaseException as error:
            self.errback(Failure(without_this_frame(error)))
        else:
            self.callback(result)


def as_deferred(awaitable: Awaitable[_T] | concurrent.futures.Future[_T]) -> Deferred[_T]:
    """Return a Deferred for a coroutine, a Future or any other awaitable.

    A coroutine runs as a task of the running asyncio loop, whichever that is, in a
    copy of the caller's context; it may await asyncio's things and Deferreds. Futures
    may be asyncio's, Tornado's or those of `concurrent.futures`. A Deferred is
    returned as it is. An exception keeps its traceback.

    Cancelling the Deferred cancels the task or the Future; it fires when that is
    done, with whatever comes of it. What was cancelled, on either side, fails with
    Twisted's `CancelledError`, for which Twisted's code looks, caused by asyncio's:
    `Deferred.fromFuture` fails with the latter.

    Raises `TypeError` for what can't be awaited; `RuntimeError` if no loop runs nor is
    set for the thread, and the global reactor has none either, unless it is a Future of
    asyncio's or Tornado's.
    """
    if isinstance(awaitable, Deferred):
        return awaitable
    if asyncio.isfuture(awaitable):
        return _FutureDeferred(awaitable)
    if isinstance(awaitable, concurrent.futures.Future):
        return _FutureDeferred(asyncio.wrap_future(awaitable, loop=_loop()))
    if not (asyncio.iscoroutine(awaitable) or inspect.isawaitable(awaitable)):
        hint = ": call it" if inspect.iscoroutinefunction(awaitable) else ""
        raise TypeError(f"not an awaitable: {awaitable!r}{hint}")
    try:
        loop = _loop()
    except RuntimeError:
        if asyncio.iscoroutine(awaitable):
            awaitable.close()
        raise
    return _FutureDeferred(asyncio.ensure_future(_tasks.wrap(_coroutine(awaitable)), loop=loop))


def _coroutine(awaitable: Any) -> Any:
    if asyncio.iscoroutine(awaitable):
        return awaitable

    async def wait() -> Any:
        return await awaitable

    return wait()


def _loop(
    otherwise: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> asyncio.AbstractEventLoop:
    """Return the running asyncio loop, or else one that is going to run in this thread.

    A foreign reactor's calls run outside of the asyncio loop that it drives. Raises
    `RuntimeError` if there is none and ``otherwise`` knows none.
    """
    loop = asyncio._get_running_loop() or asyncio_loop_of_thread()
    if loop is None or loop.is_closed():
        loop = _loop_of_global_reactor()
    if loop is None and otherwise is not None:
        with contextlib.suppress(RuntimeError):
            loop = otherwise()
    if loop is None or loop.is_closed():
        raise RuntimeError("no running event loop, and none is set for this thread")
    return loop


def _loop_of_global_reactor() -> asyncio.AbstractEventLoop | None:
    """Return the loop of the global reactor if that is ours, and of this thread."""
    reactor = sys.modules.get("twisted.internet.reactor")
    if not isinstance(getattr(reactor, "_core", None), _core.Reactor):
        return None
    its_thread = threadable.ioThread or threading.main_thread().ident
    loop: asyncio.AbstractEventLoop = reactor._asyncioEventloop  # type: ignore[union-attr]
    return None if its_thread != threading.get_ident() or loop.is_closed() else loop
