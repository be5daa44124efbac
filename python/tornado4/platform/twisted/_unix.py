"""UNIX stream transports: Twisted's own classes with native reading and writing.

Descriptors are received natively, and sent and handed over by Twisted's code.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import unix

from tornado4.platform.twisted._tcp import Stream


class _Descriptors(Stream):
    """Sends and receives descriptors, if the protocol wants that."""

    _sendmsgQueue: list[int]

    def __init__(self, *args: Any) -> None:
        self._unix = True
        super().__init__(*args)

    def _doWrite(self) -> Any:
        """Send what waits; first descriptors, each with a byte of data."""
        if self._sendmsgQueue:
            sent = unix._SendmsgMixin.writeSomeData(self, self.dataBuffer)  # type: ignore[arg-type]
            if isinstance(sent, Exception) or sent < 0:
                return sent
            self._consume(sent)
            if self._sendmsgQueue:
                return None
        self._corked = False
        return super()._doWrite()

    def sendFileDescriptor(self, fileno: int) -> None:
        """See `IUNIXTransport.sendFileDescriptor`."""
        # Nothing of what was or will be written may overtake it.
        self._corked = True
        unix._SendmsgMixin.sendFileDescriptor(self, fileno)  # type: ignore[arg-type]


class Server(_Descriptors, unix.Server):
    """A connection that a `Port` has accepted."""


class Client(_Descriptors, unix.Client):
    """A connection that a `Connector` makes."""

    # It is Twisted's connector that has to be told.
    connectionLost = unix.Client.connectionLost


class Connector(unix.Connector):
    """See `unix.Connector`."""

    def _makeTransport(self) -> Any:
        return Client(self.address, self, self.reactor, self.checkPID)


class Port(unix.Port):
    """A port that listens for UNIX connections."""

    transport: Any = Server
