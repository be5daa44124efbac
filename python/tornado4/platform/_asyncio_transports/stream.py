"""The transport of a stream socket: what of it happens rarely."""

from __future__ import annotations

import socket
import sys
import warnings
import weakref
from asyncio import base_events, constants, trsock
from collections.abc import Iterable
from typing import Any

from tornado4 import _core
from tornado4.platform._handling import call_handling

logger = base_events.logger  # type: ignore[attr-defined]

# Up to Python 3.11 `writelines` joins first, and what can't be joined is refused so.
_JOINS = sys.version_info < (3, 12)
# From 3.14 on it skips what is empty, whatever it is.
_SKIPS = sys.version_info >= (3, 14)


class TransportSocket(trsock.TransportSocket):
    """What ``get_extra_info("socket")`` returns.

    Whoever uses the socket beside its transport finds everything sent that was written.
    """

    __slots__ = ("_left", "_owner")
    # As who looks at the name of its class expects it.
    __module__ = "asyncio.trsock"

    def __init__(self, owner: SocketTransport) -> None:
        # Not the socket object: as long as nobody else has that, nobody can close it.
        self._owner = weakref.ref(owner)
        # What is left of it after the end.
        self._left: socket.socket | None = None

    @property
    def _sock(self) -> socket.socket:
        owner = self._owner()
        if owner is not None:
            sock: socket.socket | None = owner._make_socket()
            if sock is not None:
                owner._flush()
                return sock
        if self._left is None:
            self._left = socket.socket()
            self._left.close()
        return self._left

    def _shared(self) -> socket.socket:
        """Return the socket. From now on the transport holds nothing back."""
        owner = self._owner()
        if owner is not None:
            owner._write_through()
        return self._sock

    def fileno(self) -> int:
        """Return the descriptor, -1 after the end."""
        return self._shared().fileno()

    def dup(self) -> socket.socket:
        """Return a duplicate of the socket."""
        return self._shared().dup()


class SocketTransport(_core.SocketTransport):
    """asyncio's transport of a TCP or UNIX connection."""

    # What asyncio looks for in a transport.
    _start_tls_compatible = True
    _protocol_connected = True
    max_size = 256 * 1024
    _sendfile_compatible = constants._SendfileMode.TRY_NATIVE

    @property
    def _extra(self) -> dict[str, Any]:
        known = self._known()
        if known is None:
            self._keep_addresses()
            known = self._known()
            assert known is not None
        if "socket" not in known:
            known["socket"] = TransportSocket(self)
        return known

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set the high- and low-water marks in bytes; see `asyncio.WriteTransport`."""
        if high is None:
            high = 64 * 1024 if low is None else 4 * low
        if low is None:
            low = high // 4
        if not high >= low >= 0:
            raise ValueError(f"high ({high!r}) must be >= low ({low!r}) must be >= 0")
        self._set_limits(int(min(low, sys.maxsize)), int(min(high, sys.maxsize)))

    def __repr__(self) -> str:
        loop = self._loop
        info = ["_SelectorSocketTransport"]
        if loop is None:
            info.append("closed")
        elif self._closing:
            info.append("closing")
        info.append(f"fd={self._number()}")
        if loop is not None and not loop.is_closed():
            reads, writes = self._polls
            info.append(f"read={'polling' if reads else 'idle'}")
            state = "polling" if writes else "idle"
            info.append(f"write=<{state}, bufsize={self.get_write_buffer_size()}>")
        return f"<{' '.join(info)}>"

    def __del__(self, _warn: Any = warnings.warn) -> None:
        if self._sock_fd >= 0 and self._loop is not None:
            try:
                _warn(f"unclosed transport {self!r}", ResourceWarning, source=self)
            finally:
                self._abandon()

    # Called by the native side

    def _pieces(self, data: Iterable[Any]) -> list[Any]:
        if _JOINS:
            return [b"".join(data)]
        if not data:
            return []
        pieces = filter(None, data) if _SKIPS else data
        return [piece if type(piece) is bytes else _as_bytes(memoryview(piece)) for piece in pieces]

    def _log(self, message: str) -> None:
        logger.debug(message, self)

    def _wrote_after_end(self, count: int) -> None:
        if count >= constants.LOG_THRESHOLD_FOR_CONNLOST_WRITES:
            logger.warning("socket.send() raised exception.")

    def _report(self, exception: BaseException, message: str) -> None:
        loop = self._loop
        if loop is not None:
            context = {
                "message": message,
                "exception": exception,
                "transport": self,
                "protocol": self._protocol,
            }
            call_handling(exception, loop.call_exception_handler, context)

    def _fail(self, exception: BaseException, message: str) -> None:
        call_handling(exception, self._fatal_error, exception, message)

    # Called by asyncio

    def _fatal_error(self, exc: BaseException, message: str = "Fatal error on transport") -> None:
        loop = self._loop
        if loop is None:
            return
        if not isinstance(exc, OSError):
            self._report(exc, message)
        elif loop.get_debug():
            logger.debug("%r: %s", self, message, exc_info=True)
        self._force_close(exc)

    def _make_empty_waiter(self) -> Any:
        if self._empty_waiter is not None:
            raise RuntimeError("Empty waiter is already set")
        loop = self._loop
        assert loop is not None
        waiter = loop.create_future()
        self._set_empty_waiter(waiter)
        return waiter

    def _reset_empty_waiter(self) -> None:
        self._set_empty_waiter(None)


def open_transport(
    loop: Any,
    sock: socket.socket,
    protocol: Any,
    waiter: Any = None,
    extra: dict[str, Any] | None = None,
    server: Any = None,
) -> SocketTransport:
    """Make the transport of a connected socket, which belongs to it from then on."""
    transport = SocketTransport()
    extra = {} if extra is None else extra
    extra["socket"] = TransportSocket(transport)
    extra["sockname"] = _address(sock.getsockname)
    if "peername" not in extra:
        extra["peername"] = _address(sock.getpeername)
    base_events._set_nodelay(sock)  # type: ignore[attr-defined]
    internet = sock.family in (socket.AF_INET, socket.AF_INET6)
    transport._begin(loop, sock, internet, protocol, waiter, extra, server)
    return transport


def _as_bytes(view: memoryview) -> bytes | memoryview:
    # One with gaps can't be sent: the native side says so.
    return bytes(view) if view.c_contiguous else view


def _address(ask: Any) -> Any:
    try:
        return ask()
    except OSError:
        return None
