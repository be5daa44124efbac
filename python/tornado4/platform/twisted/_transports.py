"""The reactor's methods that make transports: the native ones."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import error, posixbase

from tornado4.platform.twisted import _tcp, _udp, _unix, _unix_datagram


def _check_tls() -> None:
    if posixbase.tls is None and posixbase.ssl is None:
        # Twisted's own exception, which doesn't say what to do about it.
        raise AssertionError(f"SSL support is not present: {_tcp.INSTALL_TLS}")


class Transports:
    """`IReactorTCP`, `IReactorUDP`, `IReactorUNIX` and so on by native transports.

    What makes TLS connections comes to these methods too.
    """

    _supportedAddressFamilies: Any

    def listenTCP(
        self, port: Any, factory: Any, backlog: int = 50, interface: str = ""
    ) -> _tcp.Port:
        """See `IReactorTCP.listenTCP`."""
        listening = _tcp.Port(port, factory, backlog, interface, self)
        listening.startListening()
        return listening

    def connectTCP(
        self,
        host: str,
        port: int,
        factory: Any,
        timeout: float = 30.0,
        bindAddress: Any = None,
    ) -> Any:
        """See `IReactorTCP.connectTCP`. ``timeout`` is in seconds."""
        connector = _tcp.Connector(host, port, factory, timeout, bindAddress, self)
        connector.connect()
        return connector

    def listenSSL(
        self,
        port: Any,
        factory: Any,
        contextFactory: Any,
        backlog: int = 50,
        interface: str = "",
    ) -> Any:
        """See `IReactorSSL.listenSSL`."""
        _check_tls()
        base: Any = super()
        return base.listenSSL(port, factory, contextFactory, backlog, interface)

    def connectSSL(
        self,
        host: str,
        port: int,
        factory: Any,
        contextFactory: Any,
        timeout: float = 30.0,
        bindAddress: Any = None,
    ) -> Any:
        """See `IReactorSSL.connectSSL`. ``timeout`` is in seconds."""
        _check_tls()
        base: Any = super()
        return base.connectSSL(host, port, factory, contextFactory, timeout, bindAddress)

    def listenUDP(
        self, port: Any, protocol: Any, interface: str = "", maxPacketSize: int = 8192
    ) -> _udp.Port:
        """See `IReactorUDP.listenUDP`. ``maxPacketSize`` is in bytes."""
        listening = _udp.Port(port, protocol, interface, maxPacketSize, self)
        listening.startListening()
        return listening

    def listenMulticast(
        self,
        port: Any,
        protocol: Any,
        interface: str = "",
        maxPacketSize: int = 8192,
        listenMultiple: bool = False,
    ) -> _udp.MulticastPort:
        """See `IReactorMulticast.listenMulticast`. ``maxPacketSize`` is in bytes."""
        reactor: Any = self
        listening = _udp.MulticastPort(
            port, protocol, interface, maxPacketSize, reactor, listenMultiple
        )
        listening.startListening()
        return listening

    def listenUNIX(
        self, address: Any, factory: Any, backlog: int = 50, mode: int = 0o666, wantPID: Any = 0
    ) -> _unix.Port:
        """See `IReactorUNIX.listenUNIX`."""
        listening = _unix.Port(address, factory, backlog, mode, self, wantPID)
        listening.startListening()
        return listening

    def connectUNIX(
        self, address: Any, factory: Any, timeout: float = 30, checkPID: Any = 0
    ) -> _unix.Connector:
        """See `IReactorUNIX.connectUNIX`. ``timeout`` is in seconds."""
        connector = _unix.Connector(address, factory, timeout, self, checkPID)
        connector.connect()
        return connector

    def listenUNIXDatagram(
        self, address: Any, protocol: Any, maxPacketSize: int = 8192, mode: int = 0o666
    ) -> _unix_datagram.DatagramPort:
        """See `IReactorUNIXDatagram.listenUNIXDatagram`. ``maxPacketSize`` is in bytes."""
        listening = _unix_datagram.DatagramPort(address, protocol, maxPacketSize, mode, self)
        listening.startListening()
        return listening

    def connectUNIXDatagram(
        self,
        address: Any,
        protocol: Any,
        maxPacketSize: int = 8192,
        mode: int = 0o666,
        bindAddress: Any = None,
    ) -> _unix_datagram.ConnectedDatagramPort:
        """See `IReactorUNIXDatagram.connectUNIXDatagram`. ``maxPacketSize`` is in bytes."""
        connected = _unix_datagram.ConnectedDatagramPort(
            address, protocol, maxPacketSize, mode, bindAddress, self
        )
        connected.startListening()
        return connected

    def adoptStreamPort(self, fileDescriptor: int, addressFamily: Any, factory: Any) -> Any:
        """See `IReactorSocket.adoptStreamPort`."""
        self._check_family(addressFamily)
        port: Any
        if addressFamily == socket.AF_UNIX:
            port = _unix.Port._fromListeningDescriptor(self, fileDescriptor, factory)
        else:
            port = _tcp.Port._fromListeningDescriptor(self, fileDescriptor, addressFamily, factory)
        port.startListening()
        return port

    def adoptStreamConnection(self, fileDescriptor: int, addressFamily: Any, factory: Any) -> Any:
        """See `IReactorSocket.adoptStreamConnection`."""
        self._check_family(addressFamily)
        if addressFamily == socket.AF_UNIX:
            return _unix.Server._fromConnectedSocket(fileDescriptor, factory, self)
        return _tcp.Server._fromConnectedSocket(fileDescriptor, addressFamily, factory, self)

    def adoptDatagramPort(
        self, fileDescriptor: int, addressFamily: Any, protocol: Any, maxPacketSize: int = 8192
    ) -> _udp.Port:
        """See `IReactorSocket.adoptDatagramPort`. ``maxPacketSize`` is in bytes."""
        if addressFamily not in (socket.AF_INET, socket.AF_INET6):
            raise error.UnsupportedAddressFamily(addressFamily)
        port: _udp.Port = _udp.Port._fromListeningDescriptor(
            self, fileDescriptor, addressFamily, protocol, maxPacketSize=maxPacketSize
        )
        port.startListening()
        return port

    def _check_family(self, family: Any) -> None:
        if family not in self._supportedAddressFamilies:
            raise error.UnsupportedAddressFamily(family)
