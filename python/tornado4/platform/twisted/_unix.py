"""UNIX stream transports: Twisted's own classes with native reading and writing.

Descriptors are received natively, and sent and handed over by Twisted's code.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import address, unix
from twisted.python import log

from tornado4 import _core
from tornado4.platform.twisted._tcp import Accepted, Accepting, Connecting, Stream


class _Descriptors(Stream):
    """Sends and receives descriptors, if the protocol wants that."""

    _getLogPrefix: Any
    getHost: Any
    getPeer: Any

    def __init__(self, *args: Any) -> None:
        self._unix = True
        super().__init__(*args)

    # Descriptors that are to be sent, as Twisted's code has it.
    _sendmsgQueue: Any = _core.Lazy("_sendmsgQueue", "_make_queue")

    def _make_queue(self) -> list[int]:
        return []

    SEND_LIMIT: int

    def _doWrite(self) -> Any:
        """Send what waits; first descriptors, each with a byte of data."""
        if self._sendmsgQueue:
            data, offset = self._toSend(max(self.SEND_LIMIT, len(self._sendmsgQueue)))
            part: Any = memoryview(data)[offset:] if offset else data
            sent: Any = unix._SendmsgMixin.writeSomeData(self, part)  # type: ignore[arg-type]
            if isinstance(sent, Exception) or sent < 0:
                return sent
            self._consume(sent)
            if self._sendmsgQueue:
                return None
            # It was needed for the descriptors only, unless somebody else has it.
            self._takeOver()
        self._corked = False
        return super()._doWrite()

    def sendFileDescriptor(self, fileno: int) -> None:
        """See `IUNIXTransport.sendFileDescriptor`."""
        # Nothing of what was or will be written may overtake it.
        self._corked = True
        unix._SendmsgMixin.sendFileDescriptor(self, fileno)  # type: ignore[arg-type]

    def _ancillaryUnknown(self, level: int, kind: int, data: bytes) -> None:
        # As Twisted's `doRead` has it.
        log.msg(
            format=(
                "%(protocolName)s (on %(hostAddress)r) "
                "received unsupported ancillary data "
                "(level=%(cmsgLevel)r, type=%(cmsgType)r) "
                "from %(peerAddress)r."
            ),
            hostAddress=self.getHost(),
            peerAddress=self.getPeer(),
            protocolName=self._getLogPrefix(self.protocol),
            cmsgLevel=level,
            cmsgType=kind,
        )


class Server(_Descriptors, Accepted, unix.Server):
    """A connection that a `Port` has accepted."""

    _lazy: Any = (*Accepted._names_of_lazy, "_sendmsgQueue")

    def _make_client(self) -> Any:
        # Who has a name has it set by the port.
        if self._origin() is None:
            raise AttributeError("client")
        return "", None

    def getHost(self) -> Any:
        """See `ITransport.getHost`."""
        return address.UNIXAddress(self._sockname())


class Client(_Descriptors, Connecting, unix.Client):
    """A connection that a `Connector` makes."""

    _lazy = ("_sendmsgQueue",)


class Connector(unix.Connector):
    """See `unix.Connector`."""

    def _makeTransport(self) -> Any:
        return Client(self.address, self, self.reactor, self.checkPID)


class Port(Accepting, unix.Port):
    """A port that listens for UNIX connections."""

    _server = Server
    _isUNIX = True
    transport: Any = Server
