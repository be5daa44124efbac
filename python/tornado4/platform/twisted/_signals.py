"""The reactor's signals, on the loop's own wake-up."""

from __future__ import annotations

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
