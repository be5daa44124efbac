"""`EventLoop`, asyncio's selector loop with the loop and its transports in Rust.

Everything that isn't the loop itself or a transport (streams, the rare parts of TLS,
subprocesses, executors, ``sock_*``) is inherited from asyncio.

What ``tornado.platform.asyncio`` provides has a name here too, and is Tornado's own:
``AsyncIOMainLoop``, ``AsyncIOLoop``, ``to_asyncio_future`` and so on. Tornado is imported when
one of these is first asked for.
"""

from __future__ import annotations

import asyncio
import importlib
import socket
import sys
import threading
from asyncio import events
from collections.abc import Awaitable, Callable, Generator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from tornado4 import _core, _private_names
from tornado4.platform import _forgotten, _forking
from tornado4.platform._advice import (
    ALREADY_RUNS,
    IN_CHILD,
    advise,
    name_of_thread,
    place_in_users_code,
)
from tornado4.platform._asyncio_reports import ReportsCalls
from tornado4.platform._asyncio_signals import HandlesSignals
from tornado4.platform._asyncio_transports.making import MakesTransports
from tornado4.platform._runner import run
from tornado4.platform._selector import SelectorView, ShowsQueues
from tornado4.platform._wakeup import wakeup

__all__ = ["EventLoop", "run"]

_T = TypeVar("_T")

_TORNADOS = {
    "AddThreadSelectorEventLoop",
    "AnyThreadEventLoopPolicy",
    "AsyncIOLoop",
    "AsyncIOMainLoop",
    "BaseAsyncIOLoop",
    "SelectorThread",
    "to_asyncio_future",
    "to_tornado_future",
}

if TYPE_CHECKING:
    from tornado.platform.asyncio import AddThreadSelectorEventLoop as AddThreadSelectorEventLoop
    from tornado.platform.asyncio import AnyThreadEventLoopPolicy as AnyThreadEventLoopPolicy
    from tornado.platform.asyncio import AsyncIOLoop as AsyncIOLoop
    from tornado.platform.asyncio import AsyncIOMainLoop as AsyncIOMainLoop
    from tornado.platform.asyncio import BaseAsyncIOLoop as BaseAsyncIOLoop
    from tornado.platform.asyncio import SelectorThread as SelectorThread
    from tornado.platform.asyncio import to_asyncio_future as to_asyncio_future
    from tornado.platform.asyncio import to_tornado_future as to_tornado_future
else:
    # Hidden, so that a type checker still finds a misspelt name.

    def __getattr__(name: str) -> Any:
        if name in _TORNADOS:
            return getattr(importlib.import_module("tornado.platform.asyncio"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


_private_names.warn_if_newer("Python", sys.version.split()[0])


def __dir__() -> list[str]:
    return sorted({*__all__, *_TORNADOS})


run.__module__ = __name__

_forking.watch_forks()


class EventLoop(
    _core.EventLoop,
    MakesTransports,
    HandlesSignals,
    ReportsCalls,
    ShowsQueues,
    asyncio.SelectorEventLoop,
):
    """An asyncio event loop that runs in Rust.

    Use it wherever an asyncio loop is wanted; see `tornado4.run` and
    `tornado4.new_event_loop`. Follows the documentation of the asyncio event
    loop; ``selector`` is accepted for the sake of `asyncio.SelectorEventLoop`,
    and ignored. Raises `OSError` when the process has no file descriptors left.
    """

    # Beside the `__dict__`, which asyncio fills: with more than 30 attributes in that,
    # CPython looks up every method of the loop more slowly.
    __slots__ = (
        "_at_close",
        "_at_shutdown",
        "_at_start",
        "_child_watchers",
        "_cleans_up",
        "_completes",
        "_drives",
        "_exits",
        "_is_parents",
        "_is_set",
        "_iterate_limit",
        "_iterates",
        "_made_at",
        "_made_in",
        "_ready_view",
        "_runs",
        "_runs_begun",
        "_turning",
    )

    # What asyncio keeps in a loop, which its type stubs don't tell.
    _ssock: socket.socket
    _csock: socket.socket
    _internal_fds: int
    _selector: SelectorView
    _read_from_self: Callable[[], None]

    def __init__(self, selector: object = None) -> None:
        # The Tornado face stands above this one, so it is named and not
        # imported; it must be there before Tornado asks for this loop's IOLoop.
        importlib.import_module("tornado4._io_loop")
        self._at_start: list[Callable[[], object]] = []
        self._at_close: list[Callable[[], object]] = []
        self._at_shutdown: list[Callable[[], Awaitable[object]]] = []
        self._child_watchers: list[Callable[[], object]] = []
        # How often the loop has begun to run, not counting single turns.
        self._runs_begun = 0
        # Whether it runs until something completes, rather than until it is stopped.
        self._completes = False
        # Whether `tornado4.run` has ended but for its clean-up.
        self._cleans_up = False
        self._iterates = False
        self._iterate_limit: float | None = None
        # Whether it is a parent process's, as long as it isn't used in this forked child.
        self._is_parents = False
        # What has ended its run in such a child: the child is to exit.
        self._exits: BaseException | None = None
        # What `_forgotten` asks about: the thread and the line that made it, and whether it
        # is a current IOLoop's.
        self._made_in = threading.get_ident()
        self._made_at = place_in_users_code()
        self._is_set = False
        # Whether `run_forever` is under way, and in the native part of it.
        self._runs = False
        self._turning = False
        # Whether Python code that isn't asyncio's makes the iterations.
        self._drives = False
        self._note_overrides()
        try:
            super().__init__(SelectorView(self))  # type: ignore[arg-type]
        except BaseException:
            # Without descriptors left. There is no loop to be closed by anyone.
            self._release()
            raise
        _forgotten.made(self)
        _forking.made(self)
        self._wrap_tasks()

    def _check_thread(self) -> None:
        try:
            super()._check_thread()  # type: ignore[misc]
        except RuntimeError as error:
            here, there = name_of_thread(threading.get_ident()), name_of_thread(self._thread_id)
            advise(
                error,
                f"This is thread {here}, and the loop runs in thread {there}: use "
                "loop.call_soon_threadsafe(), or IOLoop.add_callback(), in another thread.",
            )
            raise

    def _waits(self) -> bool:
        return self._has_work(self._internal_fds)

    # Running

    def _wrap_tasks(self) -> None:
        """Have tasks that are made from now on await Deferreds, if Twisted is imported.

        Such are those that the loop is run for, which may be what makes the reactor.
        """
        # Without a look at `__dict__`: with that made, CPython would look up every
        # method of the loop more slowly from then on.
        create_task = self.create_task
        from_class = create_task == type(self).create_task.__get__(self)
        if from_class and not self.is_closed():
            self.create_task = _core.TaskMaker(create_task)  # type: ignore[method-assign]

    def _unwrap_tasks(self) -> None:
        """Have asyncio's own way to make tasks, which is faster, where nobody needs another."""
        mine = isinstance(self.create_task, _core.TaskMaker)
        if mine and not _core.TaskMaker.serves():
            del self.create_task

    def run_forever(self) -> None:
        """Run until ``stop()`` is called.

        While it runs on the main thread, signals wake the loop, so that their
        Python handlers run at once. Raises `RuntimeError` if a loop runs in this thread,
        or if this one is closed.
        """
        # Before anything is touched: some versions of asyncio clean up after the
        # loop that runs when they refuse to run it again.
        self._check_may_run()
        self._take_over()
        _forgotten.runs(self)
        cls = type(self)
        if cls.time is not _core.EventLoop.time or cls.call_at is not _core.EventLoop.call_at:
            # Perhaps since not long ago.
            self._note_overrides()
        if not self._iterates:
            self._queue_starts()
        self._unwrap_tasks()
        # Elsewhere than on the main thread signals are none of this loop's business.
        takes_signals = wakeup.begin_run(self)
        self._runs = True
        try:
            if takes_signals:
                for reap in self._child_watchers:
                    # A child may have ended before signals woke the loop.
                    self.call_soon(reap)
            super().run_forever()
        except BaseException as error:
            # One class: where the stack is full, Python 3.14 complains of a look at several.
            if self._is_parents and isinstance(error, (SystemExit, KeyboardInterrupt)):
                self._exits = error
            raise
        finally:
            self._runs = False
            if takes_signals:
                wakeup.end_run(self)
            self._wrap_tasks()

    def _check_may_run(self) -> None:
        self._check_closed()
        try:
            self._check_running()  # type: ignore[attr-defined]
        except RuntimeError as error:
            # Whoever has given it work hears of it by this.
            _forgotten.used(self)
            advise(error, IN_CHILD if self._is_parents else ALREADY_RUNS)
            raise

    def run_until_complete(self, future: Awaitable[_T] | Generator[Any, None, _T]) -> _T:
        """Run until the future or coroutine is done; return its result or raise its error."""
        self._check_may_run()
        before, self._completes = self._completes, True
        try:
            return super().run_until_complete(future)
        except BaseException as error:
            # The callback that takes note of it would be made in the next run.
            if error is self._exits and asyncio.isfuture(future) and future.done():
                with suppress(asyncio.CancelledError):
                    future.exception()
            raise
        finally:
            self._completes = before

    def _queue_starts(self) -> None:
        self._runs_begun += 1
        while self._at_start:
            self.call_soon(self._at_start.pop(0))

    def _take_over(self) -> None:
        """Have what was shared with the parent process anew, in a forked child.

        Raises `RuntimeError` if the parent ran the loop when it forked, or again what has
        ended the run in the child.
        """
        if not self._is_parents:
            return
        if self._exits is not None:
            # Who cleans up by running the loop once more, as asyncio.run does, ends all the
            # same as he has asked for.
            raise self._exits
        self._check_not_parents()
        # That of an attempt for which there weren't enough descriptors.
        self._close_self_pipe()
        self._make_self_pipe()  # type: ignore[attr-defined]
        self._is_parents = False

    def _run_once(self) -> None:
        """Make one iteration, or all of them for `run_forever`."""
        # asyncio's run_forever calls this until `_stopping` is set. The loop
        # itself is native: this returns when it is.
        if self._iterates:
            self._turn(self._iterate_limit)
            self._stopping = True
        elif self._selector.is_driven:
            super()._run_once()  # type: ignore[misc]
        elif not self._runs or self._turning:
            _forgotten.used(self)
            self._nested_turn(None)
        else:
            self._turning = True
            try:
                self._run()
            finally:
                self._turning = False

    def _poll_once(self, timeout: float | None) -> list[tuple[int, int]]:
        """Do what a selector does, for who makes the iterations himself."""
        if not self._runs and (not self._drives or self._is_parents):
            # `run_forever` isn't ours any more.
            self._take_over()
            self._drives = True
            wakeup.listen(self)
            _forgotten.runs(self)
        if not self._runs:
            self._queue_starts()
        return self._poll(timeout)

    def _process_events(self, event_list: object) -> None:
        """Do nothing: what a poll finds is queued at once."""

    def _iterate(self, limit: float | None) -> None:
        """Turn once, waiting at most `limit` seconds; may nest."""
        if events._get_running_loop() is self:
            self._nested_turn(limit)
            return
        self._iterates, self._iterate_limit = True, limit
        try:
            self.run_forever()
        finally:
            self._iterates = False

    def _nested_turn(self, limit: float | None) -> None:
        # The task that makes this call isn't the one that runs, or asyncio would
        # refuse to run any other, and lose it.
        task = asyncio.current_task(self)
        if task is not None:
            asyncio.tasks._leave_task(self, task)
        try:
            self._turn(limit)
        finally:
            if task is not None:
                asyncio.tasks._enter_task(self, task)

    def close(self) -> None:
        """Close the loop. Raises `RuntimeError` if it runs; idempotent."""
        if self.is_running():
            error = RuntimeError("Cannot close a running event loop")
            advise(error, "Stop it first (loop.stop()), and close it when what runs it is over.")
            raise error
        if self.is_closed():
            return
        while self._at_close:
            # What the others need is the parent's, in a forked child that doesn't use it.
            end = self._at_close.pop()
            if self._is_here():
                end()
        wakeup.leave(self)
        # Written in an iteration that somebody else makes.
        self._flush_streams()
        super().close()
        self._release()
        # A closed loop goes without the garbage collector's help.
        self._ready_view = None
        self._child_watchers.clear()
        self._stop_listening_for_children()
        self._at_start.clear()
        self._at_shutdown.clear()
        self.__dict__.pop("create_task", None)

    def _close_self_pipe(self) -> None:
        if self._ssock is None:
            return  # in a forked child
        # In a cycle that is collected the sockets may go before the loop.
        if self._ssock.fileno() >= 0:
            super()._close_self_pipe()  # type: ignore[misc]
        else:
            self._ssock = self._csock = None  # type: ignore[assignment]
            self._internal_fds -= 1

    async def shutdown_asyncgens(self) -> None:
        """Shut down the asynchronous generators, after the other faces.

        `asyncio.run` calls this at its end, while the loop still works.
        """
        while self._at_shutdown:
            await self._at_shutdown.pop()()
        await super().shutdown_asyncgens()
