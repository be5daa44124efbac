"""The reactor's signals, on the loop's own wake-up."""

from __future__ import annotations

import contextlib
import signal
from typing import Any

from twisted.internet import process

from tornado4.platform.asyncio import EventLoop


class ChildSignalHandling:
    """Reaps Twisted's child processes when SIGCHLD wakes the loop.

    Twisted's own has a pipe and takes the process's signal wake-up for it;
    then the loop's signal handlers no longer work. Here both share the loop's.
    """

    def __init__(self, loop: EventLoop) -> None:
        self._loop = loop
        self._installed = False

    def install(self) -> None:
        """Begin; children that have ended before are reaped now."""
        if not self._installed:
            self._loop._watch_children(process.reapAllProcesses)
            self._installed = True
        process.reapAllProcesses()

    def uninstall(self) -> None:
        """End."""
        if self._installed:
            self._installed = False
            self._loop._unwatch_children(process.reapAllProcesses)


class HostChildSignalHandling:
    """Reaps Twisted's child processes on a foreign asyncio loop.

    Twisted's own takes the process's signal wake-up, which some loops (uvloop) take
    back when they run; then it is never told. Here a Python handler tells the loop.
    """

    def __init__(self, loop: Any) -> None:
        self._loop = loop
        self._before: Any = None
        # The wake-up descriptor that was set here, -1: none.
        self._wakeup = -1
        self._installed = False

    def install(self) -> None:
        """Begin; children that have ended before are reaped now."""
        if not self._installed:
            self._installed = True
            self._before = signal.signal(signal.SIGCHLD, self._ended)
            signal.siginterrupt(signal.SIGCHLD, False)
            self._take_wakeup()
        process.reapAllProcesses()

    def uninstall(self) -> None:
        """End; the handler that was there before is back."""
        if not self._installed:
            return
        self._installed = False
        # Not comparable by identity: a bound method is made anew each time.
        if signal.getsignal(signal.SIGCHLD) == self._ended:
            signal.signal(signal.SIGCHLD, self._before or signal.SIG_DFL)
        self._give_wakeup_back()

    def _take_wakeup(self) -> None:
        # asyncio has one for its own handlers, and sets it with the first of them.
        # Without it a signal to another thread would leave the loop asleep.
        socket = getattr(self._loop, "_csock", None)
        before = signal.set_wakeup_fd(-1)
        if before == -1 and socket is not None:
            self._wakeup = socket.fileno()
            before = self._wakeup
        signal.set_wakeup_fd(before)

    def _give_wakeup_back(self) -> None:
        mine, self._wakeup = self._wakeup, -1
        if mine == -1 or getattr(self._loop, "_signal_handlers", None):
            # The loop's handlers need it.
            return
        now = signal.set_wakeup_fd(-1)
        if now != mine:
            # Whoever has taken it may have closed it since.
            with contextlib.suppress(ValueError, OSError):
                signal.set_wakeup_fd(now)

    def _ended(self, number: int, frame: Any) -> None:
        with contextlib.suppress(RuntimeError):
            # The loop may have been closed.
            self._loop.call_soon_threadsafe(process.reapAllProcesses)
        if callable(self._before):
            self._before(number, frame)
