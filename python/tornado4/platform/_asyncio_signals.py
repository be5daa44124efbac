"""The loop's methods for signals and for child processes that end."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tornado4.platform._wakeup import wakeup

if TYPE_CHECKING:
    from asyncio import SelectorEventLoop as _Base
else:
    _Base = object


def _no_action(*_args: object) -> None:
    """Handle a signal by doing nothing: the wake-up is all that is wanted."""


class HandlesSignals(_Base):
    """Has signals wake the loop that they concern, whoever else has the wake-up descriptor."""

    if TYPE_CHECKING:
        _ssock: socket.socket
        _csock: socket.socket
        _signal_handlers: dict[int, Any]
        _child_watchers: list[Callable[[], object]]
        _drives: bool
        _handle_signal: Any

        def _take_over(self) -> None: ...

    def add_signal_handler(  # type: ignore[override]
        self, sig: int, callback: Callable[..., object], *args: Any
    ) -> None:
        """Add a signal handler; see `asyncio.loop.add_signal_handler`."""
        if self.is_closed():
            super().add_signal_handler(sig, callback, *args)  # raises
            return
        self._take_over()
        wakeup.listen(self)
        try:
            super().add_signal_handler(sig, callback, *args)
        finally:
            wakeup.settle(self)

    def remove_signal_handler(self, sig: int) -> bool:
        """Remove a signal handler; tell whether there was one."""
        handlers: dict[int, Any] = self._signal_handlers
        if wakeup.is_shared(self):
            # asyncio takes the wake-up from everybody with its last handler. This isn't
            # the number of a signal.
            handlers[0] = None
        try:
            removed = super().remove_signal_handler(sig)
        finally:
            handlers.pop(0, None)
            wakeup.settle(self)
        if removed and sig == signal.SIGCHLD and self._child_watchers:
            self._listen_for_children()
        return removed

    def _process_self_data(self, data: bytes) -> None:
        for number in data:
            if number:
                wakeup.pass_on(number)

    def _watch_children(self, reap: Callable[[], object]) -> None:
        """Call `reap` whenever a child process ends."""
        self._child_watchers.append(reap)
        wakeup.note(self)
        self._listen_for_children()

    def _unwatch_children(self, reap: Callable[[], object]) -> None:
        if reap in self._child_watchers:  # else: the loop was closed
            self._child_watchers.remove(reap)
            wakeup.note(self)
        if not self._child_watchers:
            self._stop_listening_for_children()

    def _listen_for_children(self) -> None:
        # Any Python handler makes the wake-up work; the user's own may stay.
        if signal.getsignal(signal.SIGCHLD) in (signal.SIG_DFL, signal.SIG_IGN):
            signal.signal(signal.SIGCHLD, _no_action)
            signal.siginterrupt(signal.SIGCHLD, False)

    def _stop_listening_for_children(self) -> None:
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(signal.SIGCHLD) is _no_action:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
