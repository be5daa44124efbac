"""asyncio on any Twisted reactor: one of our loops as the reactor's guest."""

from __future__ import annotations

import asyncio
import inspect
import signal
import sys
import threading
from asyncio import events
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger
from zope.interface import implementer

from tornado4.platform import _forgotten
from tornado4.platform._guest import Guest
from tornado4.platform.asyncio import EventLoop
from tornado4.platform.twisted._awaiting import let_tasks_await_deferreds

_log = Logger()


@implementer(IReadDescriptor)
class _PollReader:
    """The guest's poll as a descriptor of the reactor."""

    def __init__(self, fd: int, turn: Callable[[], object], lost: Callable[[], object]) -> None:
        self._fd = fd
        self._turn = turn
        self._lost = lost

    def fileno(self) -> int:
        return self._fd

    def doRead(self) -> None:
        try:
            self._turn()
        except BaseException:
            # To raise it would disconnect the guest. Twisted logs, whatever it is.
            _log.failure("Unhandled exception in a turn of the asyncio loop")

    def connectionLost(self, reason: object) -> None:
        """The reactor has shut down."""
        self._lost()

    def logPrefix(self) -> str:
        return "tornado4"


class _Timer:
    """A delayed call of the reactor, which others may cancel."""

    def __init__(self, call: Any) -> None:
        self._call = call

    def cancel(self) -> None:
        if self._call.active():
            self._call.cancel()


class ReactorHost:
    """A Twisted reactor as a host."""

    def __init__(self, reactor: Any, lost: Callable[[], object]) -> None:
        self._reactor = reactor
        self._lost = lost
        self._reader: _PollReader | None = None

    def watch(self, fd: int, turn: Callable[[], object]) -> None:
        """See `Host.watch`."""
        self._reader = _PollReader(fd, turn, self._lost)
        self._reactor.addReader(self._reader)

    def unwatch(self, fd: int) -> None:
        """See `Host.unwatch`."""
        self._reactor.removeReader(self._reader)

    def call_later(self, seconds: float, turn: Callable[[], object]) -> _Timer:
        """See `Host.call_later`."""
        return _Timer(self._reactor.callLater(seconds, turn))


class ReactorEventLoop(EventLoop):
    """An asyncio loop that a Twisted reactor drives.

    Its callbacks run when the reactor does; it is the running asyncio loop while
    they do. `run_forever` runs the reactor, `stop` crashes it, so that it can be
    run again.
    """

    def __init__(self, reactor: Any) -> None:
        super().__init__()
        self._reactor = reactor
        self._handlers_before: dict[int, Any] = {}
        host = ReactorHost(reactor, self._sleep)
        self._guest = Guest(self, host, self._entered, self._after_turn)
        self._guest.attach()
        let_tasks_await_deferreds(self)
        reactor.callWhenRunning(self._begin)

    def run_forever(self) -> None:
        """Run the reactor until it, or this loop, is stopped.

        Raises `ReactorAlreadyRunning`, a `RuntimeError`, if it runs already, and
        `ReactorNotRestartable` after it was stopped for good.
        """
        self._check_closed()
        self._check_running()  # type: ignore[attr-defined]
        if self._stopping:
            # Asked for before: a turn, as every asyncio loop does.
            self._guest.turn()
            return
        self._reactor.callWhenRunning(self._begin)
        on_main_thread = threading.current_thread() is threading.main_thread()
        self._reactor.run(installSignalHandlers=on_main_thread)

    def _begin(self) -> None:
        """The reactor has started."""
        _forgotten.runs(self)
        self._queue_starts()
        for sig in self._signal_handlers:
            # The reactor has its own for some signals.
            self._handlers_before[sig] = signal.signal(sig, self._signalled)

    def _sleep(self) -> None:
        """The reactor has shut down. Some can be run again."""
        self._guest.detach()
        self._reactor.addSystemEventTrigger("before", "startup", self._wake)

    def _wake(self) -> None:
        if not self.is_closed():
            self._guest.attach()

    def _iterate(self, limit: float | None) -> None:
        if events._get_running_loop() is self:
            self._nested_turn(limit)
        else:
            self._reactor.iterate(limit)

    def close(self) -> None:
        """Leave the reactor and close. Raises `RuntimeError` during a turn."""
        if not self.is_running():
            self._guest.detach()
        super().close()

    @contextmanager
    def _entered(self) -> Iterator[None]:
        """Be the running asyncio loop, whichever was it before."""
        loop, thread, hooks = events._get_running_loop(), self._thread_id, sys.get_asyncgen_hooks()
        self._thread_id = threading.get_ident()
        _forgotten.used(self)
        sys.set_asyncgen_hooks(
            firstiter=self._asyncgen_firstiter_hook,  # type: ignore[attr-defined]
            finalizer=self._asyncgen_finalizer_hook,  # type: ignore[attr-defined]
        )
        events._set_running_loop(self)
        try:
            yield
        finally:
            events._set_running_loop(loop)
            sys.set_asyncgen_hooks(*hooks)
            self._thread_id = thread

    def _after_turn(self) -> None:
        if self._stopping and self._thread_id is None:
            self._stopping = False
            if self._reactor.running:
                self._reactor.crash()

    # Signals: the process's wake-up descriptor is the reactor's, so the handlers
    # are Python's own, which hand over to the loop.

    def add_signal_handler(  # type: ignore[override]
        self, sig: int, callback: Any, *args: Any
    ) -> None:
        """Add a signal handler; see `asyncio.loop.add_signal_handler`."""
        if asyncio.iscoroutine(callback) or inspect.iscoroutinefunction(callback):
            raise TypeError("coroutines cannot be used with add_signal_handler()")
        self._check_signal(sig)  # type: ignore[attr-defined]
        self._check_closed()
        try:
            before = signal.signal(sig, self._signalled)
            signal.siginterrupt(sig, False)
        except (ValueError, OSError) as error:
            raise RuntimeError(f"sig {sig} cannot be caught: {error}") from None
        if sig not in self._signal_handlers:
            self._handlers_before[sig] = before
        self._signal_handlers[sig] = asyncio.Handle(callback, args, self)

    def remove_signal_handler(self, sig: int) -> bool:
        """Remove a signal handler; tell whether there was one."""
        self._check_signal(sig)  # type: ignore[attr-defined]
        if self._signal_handlers.pop(sig, None) is None:
            return False
        # The reactor's own, for one.
        signal.signal(sig, self._handlers_before.pop(sig, None) or signal.SIG_DFL)
        return True

    def _signalled(self, number: int, frame: object) -> None:
        self.call_soon_threadsafe(self._handle_signal, number)
