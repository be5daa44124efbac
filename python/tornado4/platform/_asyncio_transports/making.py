"""The loop's methods that make transports: the native ones."""

from __future__ import annotations

import contextvars
import functools
import math
import socket
import sys
from asyncio import base_events, selector_events, sslproto
from collections.abc import Callable
from typing import Any

from tornado4 import _core
from tornado4.platform._asyncio_transports.datagram import keep_from_blocking, make_endpoint
from tornado4.platform._asyncio_transports.pipes import ReadPipe, WritePipe
from tornado4.platform._asyncio_transports.stream import SocketTransport, open_transport

_Stock = selector_events.BaseSelectorEventLoop

# How many connections more than the backlog asyncio accepts at once.
_BEYOND_BACKLOG = 1 if sys.version_info >= (3, 14) else 0


# What follows the backlog in the arguments.
_TIMEOUTS = ("ssl_handshake_timeout", "ssl_shutdown_timeout")

_TLS = sslproto.SSLProtocol


def make_tls(*arguments: Any, **timeouts: Any) -> Any:
    """Make asyncio's protocol for TLS, without the memory that it would read into."""
    cls: Any = sslproto.SSLProtocol
    if cls is not _TLS or sys.version_info < (3, 11):
        return cls(*arguments, **timeouts)
    tls = cls.__new__(cls)
    # The memory's size. It gets as much as it needs when it is asked for it.
    tls.max_size = 0
    cls.__init__(tls, *arguments, **timeouts)
    del tls.max_size
    return tls


class ChecksTimeouts:
    """Refuses a time limit of TLS that is NaN, before anything is done.

    A timer of NaN is refused when the connection is made, where nobody would be told of it:
    whoever waits for the handshake would wait for ever.
    """

    async def create_connection(self, *args: Any, **named: Any) -> Any:
        _refuse_nan(named)
        return await super().create_connection(*args, **named)  # type: ignore[misc]

    async def create_unix_connection(self, *args: Any, **named: Any) -> Any:
        _refuse_nan(named)
        return await super().create_unix_connection(*args, **named)  # type: ignore[misc]

    async def connect_accepted_socket(self, *args: Any, **named: Any) -> Any:
        _refuse_nan(named)
        return await super().connect_accepted_socket(*args, **named)  # type: ignore[misc]

    async def create_server(self, *args: Any, **named: Any) -> Any:
        _refuse_nan(named)
        return await super().create_server(*args, **named)  # type: ignore[misc]

    async def create_unix_server(self, *args: Any, **named: Any) -> Any:
        _refuse_nan(named)
        return await super().create_unix_server(*args, **named)  # type: ignore[misc]

    async def start_tls(self, *args: Any, **named: Any) -> Any:
        _refuse_nan(named)
        return await super().start_tls(*args, **named)  # type: ignore[misc]


def _refuse_nan(named: dict[str, Any]) -> None:
    for name in _TIMEOUTS:
        limit = named.get(name)
        if isinstance(limit, float) and math.isnan(limit):
            raise ValueError(f"{name} should be a positive number, got {limit}")


class MakesTransports(ChecksTimeouts):
    """What stands before `asyncio.SelectorEventLoop` in the bases of a loop of ours."""

    _transport_of: Callable[[int], Any]
    _transports: Any
    _add_reader: Callable[..., Any]

    def _make_socket_transport(
        self,
        sock: socket.socket,
        protocol: Any,
        waiter: Any = None,
        *,
        extra: Any = None,
        server: Any = None,
    ) -> Any:
        self._ensure_fd_no_transport(sock)
        return open_transport(self, sock, protocol, waiter, extra, server)

    def _make_ssl_transport(
        self,
        rawsock: socket.socket,
        protocol: Any,
        sslcontext: Any,
        waiter: Any = None,
        *,
        server_side: bool = False,
        server_hostname: Any = None,
        extra: Any = None,
        server: Any = None,
        **timeouts: Any,
    ) -> Any:
        self._ensure_fd_no_transport(rawsock)
        arguments = (self, protocol, sslcontext, waiter, server_side, server_hostname)
        tls = make_tls(*arguments, **timeouts)
        open_transport(self, rawsock, tls, None, extra, server)
        return tls._app_transport

    def _make_datagram_transport(self, sock: socket.socket, *args: Any, **kwargs: Any) -> Any:
        return make_endpoint(self, sock, *args, **kwargs)

    def _make_read_pipe_transport(self, *args: Any, **kwargs: Any) -> Any:
        return ReadPipe(self, *args, **kwargs)

    def _make_write_pipe_transport(self, *args: Any, **kwargs: Any) -> Any:
        return WritePipe(self, *args, **kwargs)

    def _ensure_fd_no_transport(self, fd: Any) -> None:
        if type(fd) is int and fd not in self._transports.data and self._transport_of(fd) is None:
            # Nobody's, as nearly always: each wait in `sock_recv` asks twice.
            return
        super()._ensure_fd_no_transport(fd)  # type: ignore[misc]
        number = fd if isinstance(fd, int) else int(fd.fileno())
        transport = self._transport_of(number)
        if transport is not None and transport._owns():
            raise RuntimeError(f"File descriptor {fd!r} is used by transport {transport!r}")

    # Servers

    def _start_serving(
        self,
        protocol_factory: Any,
        sock: socket.socket,
        sslcontext: Any = None,
        server: Any = None,
        backlog: int = 100,
        *timeouts: Any,
        **named: Any,
    ) -> None:
        arguments = (protocol_factory, sock, sslcontext, server, backlog, *timeouts)
        if named or not self._accepts_natively():
            super()._start_serving(*arguments, **named)  # type: ignore[misc]
            return
        factory = protocol_factory
        if sslcontext:
            limits: dict[str, Any] = dict(zip(_TIMEOUTS, timeouts, strict=False))
            factory = functools.partial(self._serve_tls, protocol_factory, sslcontext, limits)
        # What is accepted has it from the listening socket.
        base_events._set_nodelay(sock)  # type: ignore[attr-defined]
        fallback = (self._accept_by_asyncio, arguments)
        acceptor = _core.Acceptor(
            self,  # type: ignore[arg-type]
            SocketTransport,
            factory,
            sock,
            server,
            max(backlog + _BEYOND_BACKLOG, 0),
            fallback,
        )
        self._add_reader(sock.fileno(), acceptor)

    def _accept_by_asyncio(self, factory: Any, sock: socket.socket, *args: Any) -> None:
        keep_from_blocking(sock)
        self._accept_connection(factory, sock, *args)  # type: ignore[attr-defined]

    def _accepts_natively(self) -> bool:
        """Tell whether nobody has methods of their own for what is done natively."""
        cls: Any = type(self)
        return (
            getattr(self._make_socket_transport, "__func__", None)
            is MakesTransports._make_socket_transport
            and getattr(self._make_ssl_transport, "__func__", None)
            is MakesTransports._make_ssl_transport
            and cls._accept_connection is _Stock._accept_connection  # type: ignore[attr-defined]
            and cls._accept_connection2 is _Stock._accept_connection2  # type: ignore[attr-defined]
        )

    def _serve_tls(self, factory: Any, sslcontext: Any, timeouts: dict[str, Any]) -> Any:
        """Make the protocol for TLS of a connection that was accepted.

        Nobody waits for the handshake: that it fails is reported in debug mode only, where
        asyncio's own code accepts.
        """
        return make_tls(self, factory(), sslcontext, None, True, None, **timeouts)

    def _accepted(self, factory: Any, connection: socket.socket, server: Any) -> None:
        """Connect what isn't a connection over the Internet to a protocol."""
        contextvars.copy_context().run(self._connect, factory, connection, server)

    def _connect(self, factory: Any, connection: socket.socket, server: Any) -> None:
        try:
            # The transport asks for the peer's name, and does without one that can't be told.
            self._make_socket_transport(connection, factory(), server=server)
        except (SystemExit, KeyboardInterrupt):
            connection.close()
            raise
        except BaseException:
            # Reported in debug mode only, where asyncio's own code accepts.
            connection.close()

    # sendfile

    async def _sendfile_native(self, transp: Any, file: Any, offset: int, count: int) -> int:
        if not isinstance(transp, _core.SocketTransport):
            sent: int = await super()._sendfile_native(  # type: ignore[misc]
                transp, file, offset, count
            )
            return sent
        loop: Any = self
        resume = transp.is_reading()
        transp.pause_reading()
        await transp._make_empty_waiter()  # type: ignore[attr-defined]
        transp._lend(True)
        keep_from_blocking(transp._sock)
        try:
            sent = await loop.sock_sendfile(transp._sock, file, offset, count, fallback=False)
        finally:
            transp._reset_empty_waiter()  # type: ignore[attr-defined]
            if resume:
                transp.resume_reading()
            transp._lend(False)
        return sent
