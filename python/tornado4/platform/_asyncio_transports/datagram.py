"""Datagram transports: UDP."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from asyncio import selector_events
from typing import Any

from tornado4 import _core
from tornado4.platform._asyncio_transports._borrowing import borrowing

_Stock: Any = selector_events._SelectorDatagramTransport  # type: ignore[attr-defined]

_Documented: Any = (
    _Stock
    if asyncio.DatagramTransport in _Stock.__mro__
    # Up to Python 3.11 it isn't one.
    else type("_SelectorDatagramTransport", (_Stock, asyncio.DatagramTransport), {})
)


# Named as the handles of its methods are to show it.
@borrowing(_Documented)
class _SelectorDatagramTransport(_core.DatagramEndpoint):
    """asyncio's datagram transport, with native reading and sending."""

    __class__ = property(lambda self: _Documented)
    _protocol: Any
    _fatal_error: Any
    _sock: socket.socket | None
    _read_rare = _Stock._read_ready

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        protocol: asyncio.DatagramProtocol,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        self.max_size = _Stock.max_size
        _Stock.__init__(self, loop, sock, protocol, *args, **kwargs)

    # asyncio's own sending, by the socket object.

    def _sendto_rare(self, data: Any, addr: Any = None) -> None:
        keep_from_blocking(self._sock)
        _Stock.sendto(self, data, addr)

    def _sendto_ready(self) -> None:
        keep_from_blocking(self._sock)
        _Stock._sendto_ready(self)

    # Both tell of it as from an `except` clause. The exception has this frame in its
    # traceback, so the frame lets go of it.

    def _send_failed(self, failure: OSError) -> None:
        try:
            raise failure
        except OSError as error:
            del failure
            self._protocol.error_received(error)

    def _receive_failed(self, failure: BaseException) -> None:
        try:
            raise failure
        except OSError as error:
            del failure
            self._protocol.error_received(error)
        except BaseException as error:
            del failure
            self._fatal_error(error, "Fatal read error on datagram transport")


def keep_from_blocking(sock: socket.socket | None) -> None:
    """Make a socket non-blocking if somebody who shares it has made it blocking.

    Native code never waits for a socket; this is for where asyncio's own would.
    """
    if sock is None or sock.fileno() < 0:
        return
    if sock.gettimeout() != 0 or os.get_blocking(sock.fileno()):
        sock.setblocking(False)


def make_endpoint(loop: Any, sock: socket.socket, *args: Any, **kwargs: Any) -> Any:
    """Return a transport for a socket: a native one for a plain socket."""
    if sys.version_info >= (3, 12):
        loop._ensure_fd_no_transport(sock)
    # A class of somebody's own may send and receive otherwise.
    is_plain = type(sock) is socket.socket
    return (_SelectorDatagramTransport if is_plain else _Stock)(loop, sock, *args, **kwargs)
