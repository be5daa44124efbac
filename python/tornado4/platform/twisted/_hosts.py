"""What a `TornadoReactor` runs on: a loop of ours, or a foreign asyncio loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import tornado.ioloop
from twisted.internet._signals import SignalHandling

from tornado4 import _core
from tornado4._io_loop import IOLoop
from tornado4.platform import _forgotten
from tornado4.platform._advice import ALREADY_RUNS, CLOSED, advise, place_in_users_code
from tornado4.platform._guest import AsyncioHost, Guest
from tornado4.platform.asyncio import EventLoop
from tornado4.platform.twisted._awaiting import advise_older_tasks, let_tasks_await_deferreds
from tornado4.platform.twisted._signals import ChildSignalHandling, HostChildSignalHandling


class OwnLoop:
    """One of our loops: the reactor works on it directly."""

    def __init__(self, loop: EventLoop, io_loop: Any) -> None:
        self.asyncio_loop = loop
        self.engine: _core.EventLoop = loop
        let_tasks_await_deferreds(loop)
        advise_older_tasks(loop)
        self.io_loop = io_loop
        # The run that was under way before there was a reactor.
        self._older_run = loop._runs_begun if self._does_run() else None
        self._older_completes = self._older_run is not None and loop._completes

    def _does_run(self) -> bool:
        return self.asyncio_loop.is_running() and not self.asyncio_loop._iterates

    def thread(self) -> int | None:
        """Return the thread in which the loop runs."""
        return self.asyncio_loop._thread_id

    def goes_on(self) -> bool:
        """Tell whether the loop was running before the reactor was made, and still is.

        It goes on then, and would make the reactor's calls after its end. So it does when
        it is run again to complete something else: `asyncio.run` cleans up like that.
        """
        if not self._does_run():
            return False
        loop = self.asyncio_loop
        if loop._cleans_up or (self._older_completes and loop._completes):
            return True
        return self._older_run == loop._runs_begun

    def when_started(self, start: Callable[[], object]) -> None:
        """Call `start` when the loop runs, but not for a single turn."""
        if self._does_run():
            self.asyncio_loop.call_soon(start)
        else:
            self.asyncio_loop._at_start.append(start)

    def check_can_run(self) -> None:
        """Raise `RuntimeError` if the loop can't be run: it runs, or another does here."""
        check_can_run(self.asyncio_loop)

    def run(self) -> None:
        """Run the loop until it is stopped."""
        self.asyncio_loop._take_unexpected()  # of an earlier run
        self.io_loop.start()

    def may_go_on(self, error: BaseException) -> bool:
        """Tell whether `run`, which raised the error, is to be tried again.

        So it is after what a signal handler raised, or Twisted's own code.
        """
        return self.asyncio_loop._take_unexpected()

    def stop(self) -> None:
        """Stop the loop if it runs, unless it ran before the reactor was made."""
        if self.asyncio_loop.is_running() and not self.goes_on():
            self.io_loop.stop()

    def iterate(self, seconds: float | None) -> None:
        """Turn once, waiting at most so long; may nest."""
        self.asyncio_loop._iterate(seconds)

    def attach(self) -> None:
        """Nothing to do: the engine is the loop."""

    def detach(self) -> None:
        """Nothing to do: the loop goes on without a reactor."""

    def at_end(self, shut_down: Callable[[], Awaitable[object]]) -> None:
        """Have the coroutine run before `asyncio.run` closes the loop."""
        self.asyncio_loop._at_shutdown.append(shut_down)

    def at_close(self, clean_up: Callable[[], object]) -> None:
        """Have the function called when the loop is closed."""
        self.asyncio_loop._at_close.append(clean_up)

    def child_signals(self) -> SignalHandling:
        """Return what reaps child processes."""
        return ChildSignalHandling(self.asyncio_loop)


class ForeignLoop:
    """An asyncio loop that isn't ours: the reactor has a native loop of its own, which
    is that loop's guest. The loop stays the running one."""

    def __init__(self, loop: Any, io_loop: Any) -> None:
        self.asyncio_loop = loop
        self.io_loop = io_loop
        self.engine = _core.EventLoop()
        self._start: Callable[[], object] | None = None
        self._starting: asyncio.Handle | None = None
        self._iterates = False
        self._runs = False
        self._ran = False
        self._thread: int | None = None
        self._shut_down: Callable[[], Awaitable[object]] | None = None
        self._sentinel: Any = None
        self._guest = Guest(self.engine, AsyncioHost(loop), after=self._after_turn)
        self._guest.attach()
        advise_older_tasks(loop)
        # What `_forgotten` asks about.
        self._made_in = threading.get_ident()
        self._made_at = place_in_users_code()
        self._is_set = False
        _forgotten.made(self)

    def __repr__(self) -> str:
        return f"<TornadoReactor driven by {self.asyncio_loop!r}>"

    def is_closed(self) -> bool:
        """Tell whether the loop is closed."""
        return bool(self.asyncio_loop.is_closed())

    def _waits(self) -> bool:
        return self.engine._has_work(0)

    def when_started(self, start: Callable[[], object]) -> None:
        """Call `start` when the loop runs, but not for a single turn."""
        self._start = start
        self._starting = self.asyncio_loop.call_soon(self._started)

    def _started(self) -> None:
        _forgotten.used(self)
        _forgotten.runs(self.asyncio_loop)
        self._thread = threading.get_ident()
        start, self._start = self._start, None
        if start is not None:
            start()

    def check_can_run(self) -> None:
        """Raise `RuntimeError` if the loop can't be run: it runs, or another does here."""
        check_can_run(self.asyncio_loop)

    def run(self) -> None:
        """Run the loop until it is stopped."""
        self._ran = False
        runs = self.asyncio_loop.call_soon(self._does_run)
        self._runs = True
        try:
            self.asyncio_loop.run_forever()
        finally:
            self._runs = False
            runs.cancel()

    def _does_run(self) -> None:
        self._ran = True

    def may_go_on(self, error: BaseException) -> bool:
        """Tell whether `run`, which raised the error, is to be tried again.

        So it is after what a signal handler raised, as far as one can tell: the loop
        did run, and nothing asked for the process's end.
        """
        return self._ran and isinstance(error, Exception)

    def stop(self) -> None:
        """Stop the loop if it was `run`; somebody else's goes on."""
        if self._runs:
            self.asyncio_loop.stop()

    def thread(self) -> int | None:
        """Return the thread in which the loop runs, as far as it is known."""
        return self._thread if self.asyncio_loop.is_running() else None

    def goes_on(self) -> bool:
        """Tell whether the loop would make the reactor's calls after its end.

        It is this loop's guest, and detached by then.
        """
        return False

    def iterate(self, seconds: float | None) -> None:
        """Turn once, waiting at most so long; may nest."""
        loop = self.asyncio_loop
        if asyncio._get_running_loop() is loop:
            self._guest.turn()
            return
        end: Any = None
        if seconds is not None:
            end = loop.call_later(seconds, loop.stop) if seconds > 0 else loop.call_soon(loop.stop)
        if self._starting is not None:
            self._starting.cancel()
        _forgotten.used(self)
        self._iterates = True
        try:
            loop.run_forever()
        finally:
            self._iterates = False
            if end is not None:
                end.cancel()
            if self._start is not None:
                self._starting = loop.call_soon(self._started)

    def attach(self) -> None:
        """Let the loop drive the reactor; idempotent."""
        self._guest.attach()
        if self._sentinel is None and self._shut_down is not None:
            self.at_end(self._shut_down)

    def detach(self) -> None:
        """Leave the loop, which goes on without the reactor."""
        self._guest.detach()
        sentinel, self._sentinel = self._sentinel, None
        if sentinel is not None:
            # It has nothing to wait for any more, or is ending at this moment.
            with contextlib.suppress(StopIteration, StopAsyncIteration, RuntimeError):
                sentinel.aclose().send(None)

    def at_end(self, shut_down: Callable[[], Awaitable[object]]) -> None:
        """Have the coroutine run before `asyncio.run` closes the loop.

        That closes the loop's asynchronous generators, so this starts one.
        """
        self._shut_down = shut_down
        self._sentinel = _sentinel(shut_down)
        self.asyncio_loop.call_soon(self._watch_for_end)

    def at_close(self, clean_up: Callable[[], object]) -> None:
        """Do nothing: a foreign loop doesn't tell when it is closed."""

    def _watch_for_end(self) -> None:
        if self._sentinel is not None:
            # The first step ends at the first yield, so it needs no loop.
            step = self._sentinel.asend(None)
            with contextlib.suppress(StopIteration):
                step.send(None)

    def child_signals(self) -> SignalHandling:
        """Return what reaps child processes."""
        return HostChildSignalHandling(self.asyncio_loop)

    def _after_turn(self) -> None:
        self._thread = threading.get_ident()
        if self._iterates:
            self.asyncio_loop.stop()


async def _sentinel(shut_down: Callable[[], Awaitable[object]]) -> Any:
    try:
        yield
    finally:
        await shut_down()


def check_can_run(loop: Any) -> None:
    """Raise the `RuntimeError` that an asyncio loop's `run_forever` would raise at once."""
    # asyncio's own, which a program that allows nested runs has replaced.
    check = getattr(loop, "_check_running", None)
    try:
        if check is not None:
            check()
        elif loop.is_running():
            raise RuntimeError("This event loop is already running")
        elif asyncio._get_running_loop() is not None:
            raise RuntimeError("Cannot run the event loop while another loop is running")
    except RuntimeError as error:
        advise(error, ALREADY_RUNS)
        raise


def loops_of(io_loop: object) -> tuple[asyncio.AbstractEventLoop, Any]:
    """Return the asyncio loop and the IOLoop that are meant, None meaning the current.

    An asyncio loop does too; a foreign one may have no IOLoop. Raises `TypeError`
    for anything else, and `RuntimeError` for a loop that is closed.
    """
    if io_loop is None:
        running = asyncio._get_running_loop()
        io_loop = IOLoop.current() if running is None else running
    loop = io_loop
    if isinstance(io_loop, tornado.ioloop.IOLoop):
        loop = getattr(io_loop, "asyncio_loop", None)
    if not isinstance(loop, asyncio.AbstractEventLoop):
        raise TypeError(f"not an IOLoop or asyncio loop: {io_loop!r}")
    if loop.is_closed():
        error = RuntimeError("Event loop is closed")
        advise(error, CLOSED)
        raise error
    if isinstance(io_loop, tornado.ioloop.IOLoop):
        return loop, io_loop
    io_loops = tornado.ioloop.IOLoop._ioloop_for_asyncio
    # One is made for a loop of ours.
    return loop, io_loops[loop] if isinstance(loop, EventLoop) else io_loops.get(loop)


def host_of(io_loop: object) -> OwnLoop | ForeignLoop:
    """Return the host for an IOLoop; see `loops_of`."""
    loop, found = loops_of(io_loop)
    if isinstance(loop, EventLoop):
        return OwnLoop(loop, found)
    return ForeignLoop(loop, found)
