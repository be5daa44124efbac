"""TCP transports: Twisted's own classes with native reading and writing.

`_core.StreamTransport` stands before Twisted's class in the bases; it keeps what
Twisted keeps in attributes, under the same names, so that Twisted's code for what
happens rarely works on it unchanged.
"""

from __future__ import annotations

import socket
from functools import cached_property
from typing import Any

from twisted.internet import address, tcp, unix
from twisted.internet.abstract import FileDescriptor
from twisted.python import log

from tornado4 import _core

_newtls: Any
try:
    from twisted.internet import _newtls
except ImportError:
    # Without pyOpenSSL Twisted's connections, too, have no `startTLS`.
    _newtls = None


class _Plain:
    """What the TLS layer calls to get past itself; see `_newtls.startTLS`."""

    write = _core.StreamTransport._writePlain
    writeSequence = _core.StreamTransport._writeSequencePlain
    loseConnection = FileDescriptor.loseConnection
    registerProducer = FileDescriptor.registerProducer
    unregisterProducer = FileDescriptor.unregisterProducer


# What the native transport does itself. (`None`: `Stream`'s own subclasses.)
_SENDS_NATIVELY = (
    None,
    tcp.Connection.writeSomeData,
    unix._SendmsgMixin.writeSomeData,
)


class Stream(_core.StreamTransport):
    """What TCP and UNIX connections share."""

    # Whether a subclass has a `writeSomeData` of its own. Then that sends.
    _sendsItself = False
    writeSomeData: Any

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls._sendsItself = getattr(cls, "writeSomeData", None) not in _SENDS_NATIVELY

    def _doWrite(self) -> Any:
        sends_itself = self._sendsItself or "writeSomeData" in self.__dict__
        if sends_itself and (data := self.dataBuffer):
            sent = self.writeSomeData(data)
            if isinstance(sent, Exception) or sent < 0:
                return sent
            self._consume(sent)
            if sent < len(data):
                return None
        return super()._doWrite()

    if _newtls is not None:

        def startTLS(self, ctx: Any, normal: bool = True) -> None:
            """See `ITLSTransport.startTLS`."""
            _newtls.startTLS(self, ctx, normal, _Plain)


class _WithoutSocket:
    """Options and address of a TCP connection, without making a socket object."""

    _addressType: Any
    _sockname: Any
    _getOption: Any
    _setOption: Any

    def getHost(self) -> Any:
        """See `ITCPTransport.getHost`."""
        return self._addressType("TCP", *self._sockname())

    def getTcpNoDelay(self) -> bool:
        """See `ITCPTransport.getTcpNoDelay`."""
        return bool(self._getOption(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    def setTcpNoDelay(self, enabled: bool) -> None:
        """See `ITCPTransport.setTcpNoDelay`."""
        try:
            self._setOption(socket.IPPROTO_TCP, socket.TCP_NODELAY, bool(enabled))
        except OSError as error:
            log.err(error, "got error when setting TCP_NODELAY on TCP socket")

    def getTcpKeepAlive(self) -> bool:
        """See `ITCPTransport.getTcpKeepAlive`."""
        return bool(self._getOption(socket.SOL_SOCKET, socket.SO_KEEPALIVE))

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """See `ITCPTransport.setTcpKeepAlive`."""
        self._setOption(socket.SOL_SOCKET, socket.SO_KEEPALIVE, bool(enabled))


class Server(Stream, _WithoutSocket, tcp.Server):
    """A connection that a `Port` has accepted."""

    # Rarely asked for, so these aren't made for each connection. (A `__getattr__` would
    # make every look at an attribute slower.) They can be set, which mypy doesn't see.

    @cached_property
    def client(self) -> Any:  # type: ignore[override]
        """The peer's address, as the socket module has it."""
        peer = self._peername()
        if peer is None:
            raise AttributeError("client")
        return peer

    @cached_property
    def hostname(self) -> Any:  # type: ignore[override]
        """The peer's host."""
        return self.client[0]

    @cached_property
    def repstr(self) -> str:  # type: ignore[override]
        """What `repr` shows."""
        origin = self._origin()
        if origin is None:
            raise AttributeError("repstr")
        protocol, port = origin
        return f"<{protocol.__name__} #{self.sessionno} on {port}>"

    @property
    def _addressType(self) -> Any:
        return address.IPv4Address if len(self.client) == 2 else address.IPv6Address

    @_addressType.setter
    def _addressType(self, _type: Any) -> None:
        # Twisted's constructor sets what follows from the peer's address.
        pass


class _Connected(tcp.Connection):
    """What Twisted's `BaseClient` takes from its `Connection`, by name."""

    connectionLost = _core.StreamTransport.connectionLost


class Client(Stream, _WithoutSocket, tcp.Client):
    """A connection that a `Connector` makes."""

    # It is Twisted's connector that has to be told.
    connectionLost = tcp.Client.connectionLost
    _commonConnection = _Connected

    def _connectDone(self) -> None:
        self._takeOver()
        tcp.Client._connectDone(self)

    def _collectSocketDetails(self) -> None:
        # After a protocol that couldn't be built neither may be there.
        self.__dict__.pop("fileno", None)
        if hasattr(self, "socket"):
            del self.socket


class Connector(tcp.Connector):
    """See `tcp.Connector`."""

    def _makeTransport(self) -> Client:
        return Client(self.host, self.port, self.bindAddress, self, self.reactor)


class Port(tcp.Port):
    """A port that listens for TCP connections."""

    transport: Any = Server

    def doRead(self) -> None:
        """Accept what connections there are."""
        native = self.reactor._transportCore
        # A transport that somebody has put in place makes itself.
        if self.transport is not Server or native is None:
            super().doRead()
            return
        try:
            accepted, trouble = _core.accept_connections(self, native, Server, self.numberAccepts)
        except BaseException:
            log.deferr()
            return
        if trouble:
            super().doRead()
        elif accepted == self.numberAccepts:
            self.numberAccepts += 20
        else:
            self.numberAccepts = max(1, accepted)
