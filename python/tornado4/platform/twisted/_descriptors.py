"""The reactor's methods for descriptors: `IReactorFDSet`."""

from __future__ import annotations

from typing import Any

from tornado4._core import Reactor

# Methods that the native transports' fast path leaves out, unless a subclass or the
# reactor has its own.
FD_SET = ("addReader", "addWriter", "removeReader", "removeWriter")


class WatchesDescriptors:
    """Has the native half watch descriptors, but for files."""

    _core: Reactor
    _continuousPolling: Any
    _removeAll: Any
    _ownFDSet: bool

    @property
    def _hasOwnFDSet(self) -> bool:
        return self._ownFDSet or not self.__dict__.keys().isdisjoint(FD_SET)

    @property
    def _transportCore(self) -> Reactor | None:
        """What native transports may use in place of `FD_SET`."""
        return None if self._hasOwnFDSet else self._core

    def addReader(self, reader: Any) -> None:
        """See `IReactorFDSet.addReader`. Files are polled continuously."""
        try:
            self._core.addReader(reader)
        except PermissionError:
            self._continuousPolling.addReader(reader)

    def addWriter(self, writer: Any) -> None:
        """See `IReactorFDSet.addWriter`. Files are polled continuously."""
        try:
            self._core.addWriter(writer)
        except PermissionError:
            self._continuousPolling.addWriter(writer)

    def removeReader(self, reader: Any) -> None:
        """See `IReactorFDSet.removeReader`."""
        if self._continuousPolling.isReading(reader):
            self._continuousPolling.removeReader(reader)
        self._core.removeReader(reader)

    def removeWriter(self, writer: Any) -> None:
        """See `IReactorFDSet.removeWriter`."""
        if self._continuousPolling.isWriting(writer):
            self._continuousPolling.removeWriter(writer)
        self._core.removeWriter(writer)

    def removeAll(self) -> Any:
        """See `IReactorFDSet.removeAll`."""
        polled = self._continuousPolling.removeAll()
        watched = self._core.getReaders(), self._core.getWriters()
        return self._removeAll(*watched) + polled

    def getReaders(self) -> Any:
        """See `IReactorFDSet.getReaders`."""
        return self._core.getReaders() + self._continuousPolling.getReaders()

    def getWriters(self) -> Any:
        """See `IReactorFDSet.getWriters`."""
        return self._core.getWriters() + self._continuousPolling.getWriters()
