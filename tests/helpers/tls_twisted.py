"""TLS ends of Twisted for the tests: both of one reactor, or one with a peer outside of it."""

import contextlib
import socket

from twisted.internet.interfaces import IHandshakeListener
from zope.interface import implementer

from helpers.scenarios import open_fds, run_reactor, run_turns
from helpers.streams import Handing, Traced
from helpers.tls_peers import HasPeer, TLSPeer, shown

LOCAL = "127.0.0.1"

# So often a condition is looked at without waiting: most come true at once.
HASTY = 60


def run_until(reactor, condition):
    """Runs the reactor until a condition holds."""

    def look(count=0):
        if condition():
            reactor.crash()
        else:
            reactor.callLater(0 if count < HASTY else 0.001, look, count + 1)

    reactor.callWhenRunning(look)
    run_reactor(reactor)
    assert condition(), "it never came to that"


def told(reason):
    """What an end is told of its end: an error's class and what it says."""
    error = reason.value
    name = type(error).__name__
    return (name, shown(error)[1] if name == "Error" else str(error))


class TLSTraced(Traced):
    """Writes down data too: pieces with nothing between them are one event."""

    def dataReceived(self, data):
        self.data += data
        if self.trace and self.trace[-1][0] == "data":
            data = self.trace.pop()[1] + data
        self.trace.append(("data", data))
        self._happened("data")

    def connectionLost(self, reason):
        self.lost = True
        self.trace.append(("lost", *told(reason)))
        self._happened("lost")


@implementer(IHandshakeListener)
class Shaking(TLSTraced):
    """Is told of the handshake too."""

    shaken = False

    def handshakeCompleted(self):
        self.shaken = True
        self.trace.append("handshake")
        self._happened("shaken")


KINDS = [TLSTraced, Shaking]


@contextlib.contextmanager
def all_closed(reactor):
    """What was opened within is closed in the end, without anybody's further doing."""
    before = set(open_fds().items())

    def closed():
        return not [
            entry
            for entry in open_fds().items()
            if entry not in before and entry[1].startswith("socket:")
        ]

    yield
    run_until(reactor, closed)


def connect(reactor, server_side, client_side, *, made=Shaking):
    """Both ends, after the handshake, or after its failure."""
    first, second = made([]), made([])
    port = reactor.listenSSL(0, Handing(first), server_side, interface=LOCAL)
    reactor.connectSSL(LOCAL, port.getHost().port, Handing(second), client_side)
    run_until(
        reactor, lambda: all(end.lost or getattr(end, "shaken", True) for end in (first, second))
    )
    port.stopListening()
    return first, second


def part(reactor, *ends):
    for end in ends:
        if not end.lost:
            end.transport.loseConnection()
    run_until(reactor, lambda: all(end.lost for end in ends))
    run_turns(reactor)


def talk(reactor, first, second):
    """Data in both directions."""
    first.transport.write(b"from the first")
    second.transport.write(b"from the second")
    run_until(reactor, lambda: first.data and second.data)
    return first.data, second.data


class Facing(HasPeer):
    """A protocol and its peer."""

    def __init__(self, reactor, protocol, peer):
        self.reactor = reactor
        self.protocol = protocol
        self.peer = peer

    def until(self, condition):
        run_until(self.reactor, condition)

    def shaken(self):
        """Both ends have done the handshake, or the peer couldn't."""
        self.until(self.peer.handshake)
        if self.peer.ended is None and isinstance(self.protocol, Shaking):
            self.until(lambda: self.protocol.shaken or self.peer.gone())
        return self.peer

    def over(self):
        self.until(lambda: self.peer.gone(answering=True) and self.protocol.lost)
        run_turns(self.reactor)


@contextlib.contextmanager
def facing(reactor, protocol, end, ours, theirs, *, name="test"):
    """A protocol at that end of a connection, and a TLSPeer, before the handshake."""
    with contextlib.ExitStack() as stack:
        factory = Handing(protocol)
        if end == "server":
            port = reactor.listenSSL(0, factory, ours, interface=LOCAL)
            sock = socket.create_connection((LOCAL, port.getHost().port))
            run_until(reactor, lambda: protocol.transport)
            port.stopListening()
        else:
            listening = stack.enter_context(socket.create_server((LOCAL, 0)))
            reactor.connectSSL(*listening.getsockname(), factory, ours)
            run_until(reactor, lambda: protocol.transport)
            sock = listening.accept()[0]
        stack.enter_context(sock)
        peer = TLSPeer(sock, theirs, server=end == "client", name=name)
        try:
            yield Facing(reactor, protocol, peer)
        finally:
            peer.sock.close()
            protocol.hooks.clear()
            protocol.trace = []
            if not protocol.lost:
                protocol.transport.abortConnection()
                run_until(reactor, lambda: protocol.lost)
            run_turns(reactor)
