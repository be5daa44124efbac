"""The process's wake-up descriptor for signals, which the loops share.

Python writes the number of each signal to one descriptor (`signal.set_wakeup_fd`).
A loop that runs on the main thread takes it, so that signals wake it, and between
runs a loop that has handlers keeps it, so that it learns later what came meanwhile.
So a loop may be told of signals that are another loop's business, or that of
whoever had the descriptor before: each number is passed on to whom it concerns.
"""

from __future__ import annotations

import os
import signal
import socket
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol


class Loop(Protocol):
    """What is needed of a loop."""

    _ssock: socket.socket  # these two are None when the loop is closed
    _csock: socket.socket
    _signal_handlers: dict[int, Any]
    _child_watchers: list[Callable[[], object]]
    _drives: bool

    def _handle_signal(self, number: int) -> None:
        """Queue the loop's handler."""

    def _process_self_data(self, data: bytes) -> None:
        """Deal with what was written to ``_csock``, and read from ``_ssock``."""

    def call_soon_threadsafe(self, callback: Callable[[], object]) -> object:
        """Queue a call."""


class _Other:
    """Somebody else's descriptor, which may be closed, and its number used again."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._file = self._look()

    def _look(self) -> tuple[int, int] | None:
        try:
            found = os.fstat(self.fd)
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def is_there(self) -> bool:
        return self._file is not None and self._look() == self._file

    def write(self, number: int) -> None:
        # Whoever lets it fill up is told enough.
        with suppress(OSError):
            if self.is_there():
                os.write(self.fd, bytes((number,)))


class _Wakeup:
    """Whose the descriptor is."""

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        # The loops that run on the main thread, one within another.
        self._running: list[Loop] = []
        # Those with handlers or children to watch; who asked last is last. It would
        # have the descriptor among asyncio's own loops.
        self._listening: weakref.WeakKeyDictionary[Loop, None] = weakref.WeakKeyDictionary()
        # The descriptor that was set last for one of these; None: others have it.
        self._fd: int | None = None
        # Whoever had it before, and whether that was after the last loop asked: then
        # no loop of asyncio's own would be told anything.
        self._other: _Other | None = None
        self._other_is_last = False

    def forked(self) -> None:
        """Leave the parent's descriptors alone: this is a forked child."""
        fd = self._fd
        self._forget()
        if fd is not None:
            with suppress(ValueError, OSError):
                now = signal.set_wakeup_fd(-1)
                if now != fd:
                    signal.set_wakeup_fd(now)

    def begin_run(self, loop: Loop) -> bool:
        """Have signals wake a loop; false on any other thread than the main one."""
        self.note(loop)  # which a fork has forgotten
        try:
            self._take(loop)
        except ValueError:
            return False
        for other in {*self._running, *self._listeners()}:
            if other is not loop:
                # What came before may be for this one.
                _read(other)
        self._running.append(loop)
        return True

    def end_run(self, loop: Loop) -> None:
        """Have signals wake a loop no longer."""
        if loop not in self._running:  # in a forked child
            return
        if self._other is not None or len(self._running) > 1 or self._listeners():
            # What came in the last moment may be for others.
            _read(loop)
        self._running.remove(loop)
        self._settle(loop)

    def listen(self, loop: Loop) -> None:
        """A loop is about to have a handler."""
        self._listening.pop(loop, None)
        self._listening[loop] = None
        with suppress(ValueError):  # on another thread
            self._take(loop)
            self._other_is_last = False

    def note(self, loop: Loop) -> None:
        """Note whether a loop has handlers, or children to watch."""
        is_open = loop._csock is not None
        if is_open and (loop._signal_handlers or loop._child_watchers or loop._drives):
            self._listening.setdefault(loop)
        else:
            self._listening.pop(loop, None)

    def settle(self, loop: Loop) -> None:
        """A loop's handlers are others now."""
        self.note(loop)
        with suppress(ValueError):
            self._settle(loop)

    def is_shared(self, loop: Loop) -> bool:
        """Whether the descriptor is of others than the loop too."""
        fd = -1 if self._fd is None else self._fd
        try:
            now = signal.set_wakeup_fd(fd, warn_on_full_buffer=False)
        except (ValueError, OSError):
            return False
        if now != fd:
            with suppress(ValueError, OSError):  # whoever has it may have closed it
                signal.set_wakeup_fd(now)
        others = any(it is not loop for it in self._listeners())
        return bool(self._running or others or self._other) or now not in (-1, fd)

    def leave(self, loop: Loop) -> None:
        """A loop is about to be closed."""
        listened = self._listening.pop(loop, loop) is None
        if loop in self._running:
            # Ctrl-C came at its end.
            self._running.remove(loop)
        if listened or self._fd == _fileno(loop):
            with suppress(ValueError):
                self._settle(loop)

    def pass_on(self, number: int) -> None:
        """Tell whom a signal concerns."""
        loops = self._listeners()
        if number == signal.SIGCHLD:
            for loop in loops:
                for reap in list(loop._child_watchers):
                    with suppress(RuntimeError):  # closed by another thread
                        loop.call_soon_threadsafe(reap)
        handles = next((it for it in reversed(loops) if number in it._signal_handlers), None)
        if handles is not None:
            handles._handle_signal(number)
        if self._other is not None and (handles is None or self._other_is_last):
            self._other.write(number)

    def _listeners(self) -> list[Loop]:
        if not self._listening:
            return []  # as nearly always
        return [loop for ref in self._listening.keyrefs() if (loop := ref()) is not None]

    def _holder(self) -> Loop | None:
        """Whose the descriptor should be."""
        if self._running:
            return self._running[-1]
        keeping = [it for it in self._listeners() if it._signal_handlers or it._drives]
        return keeping[-1] if keeping else None

    def _take(self, loop: Loop) -> None:
        fd = loop._csock.fileno()
        # Should it fill up, that is no loss to a loop that has only to be woken.
        before = signal.set_wakeup_fd(fd, warn_on_full_buffer=bool(self._listening))
        if before != self._fd:
            self._other = _Other(before) if before != -1 else None
            self._other_is_last = True
        self._fd = fd

    def _settle(self, loop: Loop) -> None:
        """Give the descriptor to whom it belongs, unless others have taken it.

        asyncio may have set that of the loop just now.
        """
        if self._fd is None:
            return
        holder, other = self._holder(), self._other
        fd: int | None = None
        if holder is not None:
            fd = _fileno(holder)
        elif other is not None and other.is_there():
            fd = other.fd
        # Never to nobody in between: what came then would be lost.
        try:
            warn = holder is None or bool(self._listening)
            now = signal.set_wakeup_fd(-1 if fd is None else fd, warn_on_full_buffer=warn)
        except OSError:
            now, fd = signal.set_wakeup_fd(-1), None
        if now not in (self._fd, _fileno(loop)):
            holder = None
            # Whoever has it may have closed it since.
            with suppress(ValueError, OSError):
                signal.set_wakeup_fd(now)
        self._fd = fd if holder is not None else None
        if holder is None:
            self._other = None


# Another thread may be closing the loop at this moment.


def _fileno(loop: Loop) -> int | None:
    end = loop._csock
    return None if end is None else end.fileno()


def _read(loop: Loop) -> None:
    end = loop._ssock
    with suppress(OSError):
        while end is not None and (data := end.recv(4096)):
            loop._process_self_data(data)


wakeup = _Wakeup()
os.register_at_fork(after_in_child=wakeup.forked)
