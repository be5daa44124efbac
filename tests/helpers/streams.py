"""Connections for the tests of transports: a protocol in a reactor, and its peer.

The peer is a plain socket that the reactor knows nothing of, so that what happens to
the transport under test happens in an order of its own.
"""

import contextlib
import os
import socket
import struct
import tempfile

import pytest
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import ClientFactory, Protocol
from zope.interface import implementer

from helpers.scenarios import run_reactor

on_ends = pytest.mark.parametrize(
    "end", ["tcp server", "tcp client", "tcp6 server", "tcp6 client", "unix server", "unix client"]
)
on_some_ends = pytest.mark.parametrize("end", ["tcp server", "tcp client", "unix server"])


# Any piece of it tells where it is from.
PATTERN = bytes(range(251)) * 20_000


class Traced(Protocol):
    """Writes down what happens to it; `hooks` are called with it then.

    How data is split is up to the system, so it is collected in `data` instead.
    """

    def __init__(self, trace, **hooks):
        self.trace = trace
        self.hooks = hooks
        self.data = b""
        self.lost = False

    def _happened(self, name, *args):
        if name in self.hooks:
            self.hooks[name](self, *args)

    def connectionMade(self):
        self.trace.append("made")
        self._happened("made")

    def dataReceived(self, data):
        self.data += data
        self._happened("data")

    def connectionLost(self, reason):
        self.lost = True
        self.trace.append(("lost", type(reason.value).__name__))
        self._happened("lost")


@implementer(IHalfCloseableProtocol)
class TracedHalves(Traced):
    def readConnectionLost(self):
        self.trace.append("read lost")
        self._happened("read_lost")

    def writeConnectionLost(self):
        self.trace.append("write lost")
        self._happened("write_lost")


class Handing(ClientFactory):
    """Hands out the given protocols, one for each connection; then no more."""

    noisy = False

    def __init__(self, *protocols):
        self.protocols = list(protocols)

    def buildProtocol(self, addr):
        return self.protocols.pop(0) if self.protocols else None


def sized(size):
    """A hook for `made`: so much is read at once."""

    def set_size(protocol):
        protocol.transport.bufferSize = size

    return set_size


def run_until(reactor, done):
    """Runs the reactor until something is so."""

    def check():
        if done():
            reactor.crash()
        else:
            reactor.callLater(0.001, check)

    reactor.callWhenRunning(check)
    run_reactor(reactor)
    assert done(), "it never came"


def _listening(family, address):
    listener = socket.socket(family)
    listener.bind(address)
    listener.listen()
    return listener


@contextlib.contextmanager
def connected(reactor, protocol, end="tcp server", peer_buffer=None):
    """Connects a protocol in the reactor with a socket outside of it, its peer."""
    family, role = end.split()
    factory = Handing(protocol)
    with contextlib.ExitStack() as stack:
        path = os.path.join(stack.enter_context(tempfile.TemporaryDirectory()), "s")
        number, host = {
            "tcp": (socket.AF_INET, "127.0.0.1"),
            "tcp6": (socket.AF_INET6, "::1"),
            "unix": (socket.AF_UNIX, path),
        }[family]
        if role == "server":
            if family == "unix":
                port = reactor.listenUNIX(path, factory)
                address = path
            else:
                port = reactor.listenTCP(0, factory, interface=host)
                address = (host, port.getHost().port)
            peer = stack.enter_context(socket.socket(number))
            if peer_buffer:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, peer_buffer)
            peer.connect(address)
            run_until(reactor, lambda: protocol.transport is not None or protocol.lost)
            port.stopListening()
        else:
            address = path if family == "unix" else (host, 0)
            listener = stack.enter_context(_listening(number, address))
            if peer_buffer:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, peer_buffer)
            if family == "unix":
                reactor.connectUNIX(path, factory)
            else:
                reactor.connectTCP(host, listener.getsockname()[1], factory)
            run_until(reactor, lambda: protocol.transport is not None)
            peer = stack.enter_context(listener.accept()[0])
        peer.setblocking(False)
        yield peer


def feed(reactor, peer, data, then=None):
    """Sends everything as the peer takes it, while the reactor runs; then calls `then`."""
    left = memoryview(data)

    def send():
        nonlocal left
        try:
            while left:
                left = left[peer.send(left) :]
        except BlockingIOError:
            reactor.callLater(0.001, send)
        else:
            if then is not None:
                then()

    send()


def warm(reactor, protocol, peer, data):
    """Has a connection's receiving buffer grow, so that the kernel takes much at once."""
    for _ in range(3):
        feed(reactor, peer, data)
        run_until(reactor, lambda: len(protocol.data) == len(data))
        protocol.data = b""


def received(reactor, peer, count):
    """Runs until the peer has received so many bytes."""
    data = bytearray()

    def enough():
        with contextlib.suppress(BlockingIOError):
            while len(data) < count and (piece := peer.recv(min(65536, count - len(data)))):
                data.extend(piece)
        return len(data) >= count

    run_until(reactor, enough)
    return bytes(data)


def ending(reactor, peer):
    """Runs until the connection has ended for the peer; what came till then, and how."""
    data = bytearray()
    how = []

    def ended():
        try:
            while piece := peer.recv(65536):
                data.extend(piece)
            how.append("closed")
        except BlockingIOError:
            return False
        except OSError as error:
            how.append(type(error).__name__)
        return True

    run_until(reactor, ended)
    return bytes(data), how[0]


def reset(peer):
    """Closes a socket so that its peer is told of a reset."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def until_lost(reactor, *protocols):
    run_until(reactor, lambda: all(protocol.lost for protocol in protocols))


def fail(*_):
    raise ValueError("mine")


@contextlib.contextmanager
def pair(reactor, server, client):
    """Connects two protocols in one reactor by TCP, and hands out the connector."""
    port = reactor.listenTCP(0, Handing(server), interface="127.0.0.1")
    connector = reactor.connectTCP("127.0.0.1", port.getHost().port, Handing(client))
    run_until(reactor, lambda: server.transport is not None and client.transport is not None)
    port.stopListening()
    yield connector
