"""A native loop as the guest of a foreign one, which drives it.

The host watches the guest's poll, which is itself a descriptor, keeps one timer
for the guest's next deadline, and calls `Guest.turn`. Between turns the guest's
poll is readable whenever there is work, so an idle guest costs nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from tornado4 import _core


class Host(Protocol):
    """What a guest needs of the loop that drives it."""

    def watch(self, fd: int, turn: Callable[[], object]) -> None:
        """Call `turn` whenever the descriptor is readable; level-triggered."""

    def unwatch(self, fd: int) -> None:
        """Watch the descriptor no longer. The host may be closed already."""

    def call_later(self, seconds: float, turn: Callable[[], object]) -> Any:
        """Call `turn` later; return something with a ``cancel`` method."""


class Guest:
    """Drives a native loop from a host.

    ``around`` makes what surrounds each turn, such as being the running loop.
    ``after`` is called after each turn, whether or not it raised.
    """

    def __init__(
        self,
        loop: _core.EventLoop,
        host: Host,
        around: Callable[[], AbstractContextManager[object]] = nullcontext,
        after: Callable[[], object] = bool,
    ) -> None:
        self._loop = loop
        self._host = host
        self._around = around
        self._after = after
        self._fd: int | None = None
        self._timer: Any = None
        self._due = 0.0

    def attach(self) -> None:
        """Let the host drive the loop from now on; idempotent."""
        if self._fd is None:
            fd = self._loop._poll_fd()
            self._host.watch(fd, self.turn)
            self._fd = fd
            self._arm(self._loop._guest_idle())

    def detach(self) -> None:
        """Be driven no longer; idempotent."""
        if self._fd is not None:
            fd, self._fd = self._fd, None
            self._host.unwatch(fd)
        self._disarm()

    def turn(self) -> None:
        """Turn the loop once, without waiting. Raises what ends a loop's run."""
        if self._fd is None:
            return
        try:
            with self._around():
                self._loop._guest_turn()
        finally:
            # Whatever was raised, the guest goes on.
            if self._fd is not None:
                self._arm(self._loop._guest_idle())
            self._after()

    def _timeout(self) -> None:
        self._timer = None
        self.turn()

    def _arm(self, delay: float | None) -> None:
        if delay is None:
            self._disarm()
            return
        # Not what the loop's own clock says, which may be somebody's, and stand still.
        due = time.clock_gettime(time.CLOCK_MONOTONIC) + delay
        # A timer that comes too early does no harm, and renewing it for each
        # turn would cost more.
        if self._timer is None or due < self._due:
            self._disarm()
            self._due = due
            self._timer = self._host.call_later(delay, self._timeout)

    def _disarm(self) -> None:
        if self._timer is not None:
            timer, self._timer = self._timer, None
            timer.cancel()


class AsyncioHost:
    """A foreign asyncio loop as a host."""

    def __init__(self, loop: Any) -> None:
        self._loop = loop

    def watch(self, fd: int, turn: Callable[[], object]) -> None:
        """See `Host.watch`."""
        self._loop.add_reader(fd, turn)

    def unwatch(self, fd: int) -> None:
        """See `Host.unwatch`."""
        if not self._loop.is_closed():
            self._loop.remove_reader(fd)

    def call_later(self, seconds: float, turn: Callable[[], object]) -> Any:
        """See `Host.call_later`."""
        return self._loop.call_later(seconds, turn)
