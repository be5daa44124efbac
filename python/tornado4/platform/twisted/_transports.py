"""The reactor's methods that make transports: the native ones."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import error

from tornado4 import _core
from tornado4.platform.twisted import _tcp, _unix


class Transports:
    """`IReactorTCP`, `IReactorUNIX` and `IReactorSocket` by native transports.

    What makes TLS connections comes to these methods too.
    """

    _transportCore: _core.Reactor | None
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
    ) -> _tcp.Connector:
        """See `IReactorTCP.connectTCP`. ``timeout`` is in seconds."""
        connector = _tcp.Connector(host, port, factory, timeout, bindAddress, self)
        connector.connect()
        return connector

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

    def _check_family(self, family: Any) -> None:
        if family not in self._supportedAddressFamilies:
            raise error.UnsupportedAddressFamily(family)
