"""TCP transports: Twisted's own classes with native reading and writing.

`_core.StreamTransport` stands before Twisted's class in the bases; it keeps what
Twisted keeps in attributes, under the same names, so that Twisted's code for what
happens rarely works on it unchanged.
"""

from __future__ import annotations

import abc
import contextlib
import gc
import os
import socket
from typing import Any

from twisted.internet import address, tcp
from twisted.internet.abstract import FileDescriptor
from twisted.python import log

from tornado4 import _core
from tornado4.platform.twisted._attributes import Attributes

_newtls: Any
try:
    from twisted.internet import _newtls
except ImportError:
    # Without pyOpenSSL Twisted's connections, too, have no `startTLS`.
    _newtls = None


#: What to do about that.
INSTALL_TLS = "pip install 'twisted[tls]'"


class _Plain:
    """What the TLS layer calls to get past itself; see `_newtls.startTLS`."""

    write = _core.StreamTransport._writePlain
    writeSequence = _core.StreamTransport._writeSequencePlain
    loseConnection = FileDescriptor.loseConnection
    registerProducer = FileDescriptor.registerProducer
    unregisterProducer = FileDescriptor.unregisterProducer


class _Patchable(abc.ABCMeta):
    """A class whose methods somebody may replace, such as `mock.patch.object` does.

    The native code asks a class about that only when it is made, or changed: so it is
    told, and so are the transports that there are. It derives from `ABCMeta` so that a class
    may have a transport's and an abstract one as bases, as it may Twisted's.
    """

    def __setattr__(cls, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        cls._changed(name)

    def __delattr__(cls, name: str) -> None:
        super().__delattr__(name)
        cls._changed(name)

    def _changed(cls, name: str) -> None:
        if name not in _core.StreamTransport._names:
            return
        _core.StreamTransport._classesChanged()
        for transport in gc.get_objects():
            if issubclass(type(transport), _core.StreamTransport):
                transport._lookAtClass()


def _start_tls(self: Any, ctx: Any, normal: bool = True) -> None:
    """See `ITLSTransport.startTLS`."""
    _newtls.startTLS(self, ctx, normal, _Plain)


def _no_tls(self: Any) -> Any:
    """As in Twisted there is no such method; the error says why."""
    raise AttributeError(f"without pyOpenSSL there is no startTLS: {INSTALL_TLS}")


class Stream(_core.StreamTransport, metaclass=_Patchable):
    """What TCP and UNIX connections share."""

    # The attributes that are made when somebody asks for them; see `_core.Lazy`.
    _lazy: Any = ()

    doRead: Any = _core.Replaceable("doRead")
    doWrite: Any = _core.Replaceable("doWrite")
    logPrefix: Any = _core.Replaceable("logPrefix")
    fileno: Any = _core.Replaceable("fileno")
    startWriting: Any = _core.Replaceable("startWriting")
    stopReading: Any = _core.Replaceable("stopReading")
    stopWriting: Any = _core.Replaceable("stopWriting")
    writeSomeData: Any = _core.Replaceable("writeSomeData")
    _closeSocket: Any = _core.Replaceable("_closeSocket")
    _dataReceived: Any = _core.Replaceable("_dataReceived")
    _postLoseConnection: Any = _core.Replaceable("_postLoseConnection")

    # With a metaclass Pyright takes it for the class's own.
    @property
    def __dict__(self) -> Any:  # pyright: ignore[reportGeneralTypeIssues]
        return Attributes(self)

    @__dict__.setter
    def __dict__(self, attributes: dict[str, Any]) -> None:
        mine = Attributes(self)
        for name in mine.keys() - attributes.keys():
            del mine[name]
        mine.update(attributes)

    def __getstate__(self) -> dict[str, Any]:
        """See `object.__getstate__`, which doesn't know of what is native."""
        return dict(Attributes(self))

    SEND_LIMIT: int

    def _doWrite(self) -> Any:
        # By a `writeSomeData` of a subclass, or one that was set on the object.
        own = self._sendsByOwn() or not isinstance(type(self).writeSomeData, _core.Replaceable)
        if own:
            # No more than is sent at once: making much of it for each piece takes long.
            data, offset = self._toSend(self.SEND_LIMIT)
            sent = self.writeSomeData(memoryview(data)[offset:] if offset else data)
            if isinstance(sent, Exception) or sent < 0:
                return sent
            if self._consume(sent):
                return None
        return super()._doWrite()

    startTLS: Any = property(_no_tls) if _newtls is None else _start_tls


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


class Accepted(Stream):
    """What TCP and UNIX connections share that a port has accepted, or that were adopted."""

    def _make_client(self) -> Any:
        peer = self._peername()
        if peer is None:
            raise AttributeError("client")
        return peer

    def _make_hostname(self) -> Any:
        return self.client[0]

    def _make_repstr(self) -> str:
        origin = self._origin()
        if origin is None:
            raise AttributeError("repstr")
        protocol, port = origin
        return f"<{protocol.__name__} #{self.sessionno} on {port}>"

    # The peer's address, as the socket module has it; its host; what `repr` shows.
    _names_of_lazy = ("client", "hostname", "repstr")
    _lazy: Any = _names_of_lazy
    client: Any = _core.Lazy("client", "_make_client")
    hostname: Any = _core.Lazy("hostname", "_make_hostname")
    repstr: Any = _core.Lazy("repstr", "_make_repstr")

    @classmethod
    def _fromConnectedSocket(cls, *args: Any) -> Any:
        base: Any = super()
        transport = base._fromConnectedSocket(*args)
        if transport is not None:
            transport._takeOver()
        return transport


class Server(Accepted, _WithoutSocket, tcp.Server):
    """A connection that a `Port` has accepted."""

    def _make_address_type(self) -> Any:
        return address.IPv4Address if len(self.client) == 2 else address.IPv6Address

    _addressType: Any = _core.Lazy("_addressType", "_make_address_type")

    @property
    def _lazy(self) -> tuple[str, ...]:
        # Twisted's constructor sets it for IPv6 only.
        more = len(self._peername() or ()) > 2
        return (*Accepted._names_of_lazy, "_addressType") if more else Accepted._names_of_lazy


class _Connected(tcp.Connection):
    """What Twisted's `BaseClient` takes from its `Connection`, by name."""

    connectionLost: Any = _core.StreamTransport.connectionLost


class Connecting(Stream):
    """What TCP and UNIX connections share that a connector makes."""

    # It is Twisted's connector that has to be told.
    connectionLost: Any = tcp.BaseClient.connectionLost
    _commonConnection = _Connected

    def _connectDone(self) -> None:
        self._takeOver()
        base: Any = super()
        base._connectDone()

    def _collectSocketDetails(self) -> None:
        # After a protocol that couldn't be built neither may be there.
        for name in ("socket", "fileno"):
            if name in self._attributes():
                delattr(self, name)


class Client(Connecting, _WithoutSocket, tcp.Client):
    """A connection that a `Connector` makes."""


class Connector(tcp.Connector):
    """See `tcp.Connector`."""

    def _makeTransport(self) -> Client:
        return Client(self.host, self.port, self.bindAddress, self, self.reactor)


class Accepting:
    """What TCP and UNIX ports share."""

    # The class of transports that are made natively.
    _server: type[Accepted]
    _isUNIX = False
    transport: Any
    reactor: Any
    numberAccepts: int
    _listens_in: int | None = None
    _shouldShutdown: bool

    def doRead(self) -> None:
        """Accept what connections there are."""
        # All of it, as in Twisted: what is raised here would end the port.
        try:
            if self._accept():
                base: Any = super()
                base.doRead()
        except BaseException:
            # Where there is no memory for the report either, the next one tells.
            with contextlib.suppress(MemoryError):
                log.deferr()

    def startListening(self) -> None:
        """Listen, and note which process does."""
        base: Any = super()
        base.startListening()
        self._listens_in = os.getpid()

    def _closeSocket(self, orderly: bool) -> None:
        """Close the socket; in a forked child without shutting it down for all processes."""
        if self._listens_in not in (None, os.getpid()):
            self._shouldShutdown = False
        base: Any = super()
        base._closeSocket(orderly)

    def _accept(self) -> bool:
        """Accept natively; tell whether it is for Twisted to do."""
        server, native = self._server, self.reactor._transportCore
        # A transport that somebody has put in place makes itself.
        if self.transport is not server or native is None:
            return True
        accepted, trouble = _core.accept_connections(
            self, native, server, self.numberAccepts, self._isUNIX
        )
        if trouble:
            return True
        if accepted == self.numberAccepts:
            self.numberAccepts += 20
        else:
            self.numberAccepts = max(1, accepted)
        return False


class Port(Accepting, tcp.Port):
    """A port that listens for TCP connections."""

    _server = Server
    transport: Any = Server
