"""UDP ports: Twisted's own classes with native reading and writing."""

from __future__ import annotations

from typing import Any

from twisted.internet import udp

from tornado4 import _core


class _Writes:
    def _writeOther(self, datagram: Any, addr: Any) -> Any:
        # What isn't plain, and what has failed: Twisted's own way says why.
        return udp.Port.write(self, datagram, addr)  # type: ignore[arg-type]


class Port(_core.DatagramTransport, _Writes, udp.Port):
    """A port that sends and receives datagrams."""


class MulticastPort(_core.DatagramTransport, _Writes, udp.MulticastPort):
    """A port that can join multicast groups."""
