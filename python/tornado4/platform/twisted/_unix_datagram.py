"""UNIX datagram ports: Twisted's own classes with native reading and writing."""

from __future__ import annotations

from errno import EAGAIN, ECONNREFUSED, EMSGSIZE
from typing import Any

from twisted.internet import error, unix

from tornado4 import _core


def _failed(failed: OSError) -> None:
    try:
        raise failed
    except OSError:
        if failed.errno == EMSGSIZE:
            raise error.MessageLengthError("message too long")  # noqa: B904, as Twisted
        if failed.errno != EAGAIN:  # that drops the datagram, as Twisted does
            raise


class DatagramPort(_core.DatagramTransport, unix.DatagramPort):
    """A port that sends and receives datagrams."""

    write: Any = _core.DatagramTransport.writeToPath

    def _writeOther(self, datagram: Any, address: Any) -> Any:
        return unix.DatagramPort.write(self, datagram, address)

    def _writeFailed(self, failed: OSError) -> None:
        _failed(failed)


class ConnectedDatagramPort(_core.DatagramTransport, unix.ConnectedDatagramPort):
    """A port that sends to one other, and receives from it."""

    doRead: Any = _core.DatagramTransport.doReadConnected
    write: Any = _core.DatagramTransport.writeConnected

    def _writeOther(self, data: Any) -> Any:
        return unix.ConnectedDatagramPort.write(self, data)

    def _writeFailed(self, failed: OSError) -> None:
        if failed.errno == ECONNREFUSED:
            self.protocol.connectionRefused()
        else:
            _failed(failed)
