"""Connections leave nothing behind: no descriptors, no objects, no memory."""

import contextlib
import gc
import socket
import sys
import weakref

import pytest
from twisted.internet.protocol import Factory, Protocol

from helpers.loops import tornado4_reactor
from helpers.scenarios import open_fds, resident_size, run_turns
from helpers.streams import Handing, Traced, connected, on_ends, run_until, until_lost

AT_ONCE = 100


class Counting(Factory):
    """Serves with one kind of protocol, and counts how many have come and gone."""

    noisy = False

    def __init__(self, protocol):
        self.protocol = protocol
        self.made = self.lost = 0


class Echo(Protocol):
    def connectionMade(self):
        self.factory.made += 1

    def dataReceived(self, data):
        self.transport.write(data)

    def connectionLost(self, reason):
        self.factory.lost += 1


class Leaving(Echo):
    def dataReceived(self, data):
        self.transport.write(data * 1000)
        self.transport.loseConnection()


class Aborting(Echo):
    def dataReceived(self, data):
        self.transport.write(data * 1000)
        self.transport.abortConnection()


class Asking(Echo):
    """Makes the objects that are made only when asked for."""

    def dataReceived(self, data):
        self.transport.getHandle(), repr(self.transport), self.transport.getHost()
        self.transport.doRead = self.transport.doRead
        self.transport.registerProducer(self, True)
        self.transport.write(data)

    def pauseProducing(self):
        pass

    resumeProducing = stopProducing = pauseProducing


class Raising(Echo):
    def dataReceived(self, data):
        raise ValueError("mine")


def serve_many(reactor, kind, count):
    """Opens and closes so many connections, many of them at once."""
    factory = Counting(kind)
    port = reactor.listenTCP(0, factory, backlog=AT_ONCE, interface="127.0.0.1")
    address = ("127.0.0.1", port.getHost().port)
    for done in range(0, count, AT_ONCE):
        with contextlib.ExitStack() as stack:
            for _ in range(AT_ONCE):
                client = stack.enter_context(socket.create_connection(address))
                client.send(b"hello")
            until = done + AT_ONCE
            run_until(reactor, lambda until=until: factory.made == until)
            run_turns(reactor)
        run_until(reactor, lambda until=until: factory.lost == until)
    port.stopListening()
    run_turns(reactor)


def measured():
    gc.collect()
    return len(open_fds()), len(gc.get_objects()), resident_size()


KINDS = [Echo, Leaving, Aborting, Asking, Raising]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [10_000, pytest.param(100_000, marks=pytest.mark.slow)])
@pytest.mark.timeout(900)
def test_many_connections_leave_nothing(kind, count):
    with tornado4_reactor() as reactor:
        serve_many(reactor, kind, 500)
        before = measured()
        serve_many(reactor, kind, count)
        fds, objects, size = (now - then for now, then in zip(measured(), before, strict=True))
    assert fds == 0
    assert objects < count / 20
    # A kilobyte for each connection would be more.
    assert size < max(10_000_000, count * 500)


@on_ends
def test_a_connection_that_ended_is_released_at_once(end):
    with tornado4_reactor() as reactor:
        protocol = Traced([])
        with connected(reactor, protocol, end) as peer:
            alive = [weakref.ref(protocol), weakref.ref(protocol.transport)]
            peer.send(b"hello")
            run_until(reactor, lambda: protocol.data)
            peer.close()
            until_lost(reactor, protocol)
            protocol = None
        run_turns(reactor)
        gc.collect()
        assert [ref() for ref in alive] == [None, None]


@on_ends
@pytest.mark.parametrize("unsent", [b"", b"x" * 10_000_000], ids=len)
def test_a_discarded_reactor_takes_its_connections_with_it(end, unsent):
    gc.collect()  # what earlier tests have left
    before = open_fds()
    with tornado4_reactor() as reactor:
        protocol = Traced([])
        with connected(reactor, protocol, end):
            protocol.transport.mine = protocol
            protocol.transport.registerProducer(Asking(), True)
            protocol.transport.write(unsent)
            alive = [weakref.ref(protocol), weakref.ref(protocol.transport), weakref.ref(reactor)]
            del protocol
    del reactor
    gc.collect()
    assert [ref() for ref in alive] == [None, None, None]
    assert open_fds() == before


def test_what_was_sent_is_released():
    with tornado4_reactor() as reactor:
        protocol = Traced([])
        with connected(reactor, protocol) as peer:
            pieces = [bytes([number]) * 1000 for number in range(10)]
            references = [sys.getrefcount(piece) for piece in pieces]
            protocol.transport.write(pieces[0])
            protocol.transport.writeSequence(pieces[1:])
            run_turns(reactor)
            assert len(peer.recv(100_000)) == 10_000
            assert [sys.getrefcount(piece) for piece in pieces] == references


@pytest.mark.parametrize("how", ["abortConnection", "peer"])
def test_what_is_never_sent_is_released(how):
    with tornado4_reactor() as reactor:
        protocol = Traced([])
        with connected(reactor, protocol) as peer:
            piece = bytes(10_000_000)
            references = sys.getrefcount(piece)
            protocol.transport.write(piece)
            run_turns(reactor)
            assert sys.getrefcount(piece) > references
            if how == "peer":
                peer.close()
            else:
                protocol.transport.abortConnection()
            until_lost(reactor, protocol)
            assert sys.getrefcount(piece) == references


def test_a_failed_connection_leaves_nothing():
    with tornado4_reactor() as reactor:
        port = reactor.listenTCP(0, Handing(), interface="127.0.0.1")
        number = port.getHost().port
        port.stopListening()
        run_turns(reactor)

        def fail_some():
            failed = []
            for _ in range(100):
                factory = Handing()
                factory.clientConnectionFailed = lambda *_: failed.append(1)
                reactor.connectTCP("127.0.0.1", number, factory)
            run_until(reactor, lambda: len(failed) == 100)

        fail_some()
        before = measured()
        fail_some()
        fds, objects, _ = (now - then for now, then in zip(measured(), before, strict=True))
    assert fds == 0
    assert objects < 50
