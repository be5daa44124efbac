"""UDP ports: Twisted's own classes with native reading and writing."""

from __future__ import annotations

from errno import ECONNREFUSED, EMSGSIZE
from typing import Any

from twisted.internet import error, udp

from tornado4 import _core


class _Writes:
    _connectedAddr: Any
    protocol: Any

    def _writeOther(self, datagram: Any, addr: Any) -> Any:
        # What isn't plain: Twisted's own way says what is wrong with it.
        return udp.Port.write(self, datagram, addr)  # type: ignore[arg-type]

    def _writeFailed(self, failed: OSError) -> None:
        # The error has been taken from the socket; another attempt wouldn't see it.
        try:
            raise failed
        except OSError:
            if failed.errno == EMSGSIZE:
                raise error.MessageLengthError("message too long")  # noqa: B904, as Twisted
            if failed.errno != ECONNREFUSED:
                raise
            if self._connectedAddr:
                self.protocol.connectionRefused()


class Port(_core.DatagramTransport, _Writes, udp.Port):
    """A port that sends and receives datagrams."""


class MulticastPort(_core.DatagramTransport, _Writes, udp.MulticastPort):
    """A port that can join multicast groups."""
