"""Connections whose two ends do at random what may be done.

Every byte that arrives is the right one; what arrives when both ends closed in order
is all that was written; and each end is told exactly once that it has ended.
"""

import random

import pytest
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol
from zope.interface import implementer

from helpers.loops import epoll_reactor, tornado4_reactor
from helpers.seeded import seeds
from helpers.streams import Handing, run_until

PAIRS = 20
STEPS = 60
# What is written is a piece of this, from where the last piece ended.
PATTERN = random.Random(4).randbytes(251 * 257) * 40


class End(Protocol):
    """One end of a connection, driven from outside; it checks what it is told."""

    def __init__(self, rng):
        self.rng = rng
        self.written = 0
        self.received = 0
        self.made = 0
        self.lost = []
        self.aborted = False
        self.paused = False
        self.peer = None
        self.wrong = []
        self.left = 30  # so many deeds within callbacks

    def connectionMade(self):
        self.made += 1
        self.act_perhaps()

    def dataReceived(self, data):
        if self.lost:
            self.wrong.append("data after the end")
        if self.paused:
            self.wrong.append("data while paused")
        if data != PATTERN[self.received : self.received + len(data)]:
            self.wrong.append(f"wrong data at {self.received}")
        self.received += len(data)
        self.act_perhaps()

    def connectionLost(self, reason):
        self.lost.append(reason)
        self.act_perhaps()

    def act_perhaps(self):
        if self.left and self.rng.random() < 0.3:
            self.left -= 1
            self.act()

    def write(self, size):
        transport = self.transport
        size = min(size, len(PATTERN) - self.written)
        piece = PATTERN[self.written : self.written + size]
        if transport.connected and not transport._writeDisconnected:
            self.written += size
        if self.rng.random() < 0.3:
            cut = self.rng.randint(0, size)
            transport.writeSequence([piece[:cut], b"", piece[cut:]])
        else:
            transport.write(piece)

    def act(self):
        if self.transport is None or not self.transport.connected:
            return
        dice = self.rng.random()
        if dice < 0.55:
            self.write(self.rng.choice([0, 1, 10, 1000, 70_000, 300_000]))
        elif dice < 0.7:
            self.paused = True
            self.transport.pauseProducing()
        elif dice < 0.85:
            self.resume()
        elif dice < 0.88:
            self.transport.loseConnection()
        elif dice < 0.89:
            self.aborted = True
            self.transport.abortConnection()
        elif dice < 0.9:
            self.transport.loseWriteConnection()
        elif dice < 0.95:
            self.transport.bufferSize = self.rng.choice([1000, 65536, 200_000])
        else:
            self.transport.getHandle()

    def resume(self):
        self.paused = False
        self.transport.resumeProducing()


@implementer(IHalfCloseableProtocol)
class HalfEnd(End):
    def readConnectionLost(self):
        if self.rng.random() < 0.5:
            self.act()

    def writeConnectionLost(self):
        if self.rng.random() < 0.5:
            self.write(10)


def check(end):
    assert end.wrong == []
    assert end.made == 1
    assert len(end.lost) == 1
    assert end.lost[0].check(ConnectionDone, ConnectionLost, ConnectionAborted)
    assert end.received <= end.peer.written
    if end.lost[0].check(ConnectionAborted):
        assert end.aborted


def run(reactor, rng, family, path):
    ends = []
    for _ in range(PAIRS):
        server, client = (rng.choice([End, HalfEnd])(rng) for _ in range(2))
        server.peer, client.peer = client, server
        ends += [server, client]
    # Connected one by one: who is whose peer must be known.
    for server, client in zip(ends[::2], ends[1::2], strict=True):
        if family == "tcp":
            port = reactor.listenTCP(0, Handing(server), interface="127.0.0.1")
            reactor.connectTCP("127.0.0.1", port.getHost().port, Handing(client))
        else:
            name = f"{path}/{len(list(path.iterdir()))}{id(reactor)}{id(server)}"
            port = reactor.listenUNIX(name, Handing(server))
            reactor.connectUNIX(name, Handing(client))
        run_until(reactor, lambda pair=(server, client): all(end.made for end in pair))
        port.stopListening()
    left = [STEPS * PAIRS]

    def step():
        for _ in range(rng.randint(1, 5)):
            rng.choice(ends).act()
        left[0] -= 1
        if left[0] > 0:
            reactor.callLater(0, step)

    turns = iter(range(1_000_000))

    def finish():
        """Has everything end that hasn't. Two ends that both wait to be read by the
        other, which are closing and read no more, are aborted after a while."""
        patient = next(turns) < 50
        for end in ends:
            if not end.lost:
                end.aborted = end.aborted or not patient
                if patient:
                    end.resume()
                    end.transport.loseConnection()
                else:
                    end.transport.abortConnection()
        return all(end.lost for end in ends)

    reactor.callLater(0, step)
    run_until(reactor, lambda: left[0] <= 0)
    run_until(reactor, finish)
    for end in ends:
        check(end)
    watched = reactor.getReaders() + reactor.getWriters()
    assert not [end for end in ends if end.transport in watched]


@pytest.mark.parametrize("seed", seeds(12))
@pytest.mark.parametrize("family", ["tcp", "unix"])
@pytest.mark.parametrize("factory", [epoll_reactor, tornado4_reactor], ids=["stock", "tornado4"])
def test_random_ends(factory, family, seed, tmp_path):
    print(f"seed {seed}")
    with factory() as reactor:
        run(reactor, random.Random(seed), family, tmp_path)


class Sending(Protocol):
    """Sends all of the pattern in pieces, as a producer now and then, then closes."""

    def __init__(self, rng, total):
        self.rng = rng
        self.left = total
        self.position = 0
        self.lost = []
        self.paused = False

    def connectionMade(self):
        self.transport.registerProducer(self, True)
        self.resumeProducing()

    def pauseProducing(self):
        self.paused = True

    def resumeProducing(self):
        self.paused = False
        while self.left and not self.paused:
            size = min(self.left, self.rng.choice([1, 100, 5000, 100_000]))
            self.transport.write(PATTERN[self.position : self.position + size])
            self.left -= size
            self.position += size
        if not self.left and not self.transport.disconnecting:
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    def stopProducing(self):
        self.left = 0

    def connectionLost(self, reason):
        self.lost.append(reason)


class Receiving(Protocol):
    """Reads with pauses."""

    def __init__(self, rng, reactor):
        self.rng = rng
        self.reactor = reactor
        self.data = bytearray()
        self.lost = []

    def dataReceived(self, data):
        self.data += data
        if self.rng.random() < 0.3:
            self.transport.pauseProducing()
            self.reactor.callLater(0, self.transport.resumeProducing)

    def connectionLost(self, reason):
        self.lost.append(reason)


@pytest.mark.parametrize("seed", seeds(6))
@pytest.mark.parametrize("factory", [epoll_reactor, tornado4_reactor], ids=["stock", "tornado4"])
def test_what_ends_in_order_arrives_whole(factory, seed):
    print(f"seed {seed}")
    rng = random.Random(seed)
    with factory() as reactor:
        pairs = []
        for number in range(6):
            total = rng.randint(0, len(PATTERN))
            ends = [Sending(rng, total), Receiving(rng, reactor)]
            pairs.append((total, *ends))
            if number % 2:
                ends.reverse()
            port = reactor.listenTCP(0, Handing(ends[0]), interface="127.0.0.1")
            reactor.connectTCP("127.0.0.1", port.getHost().port, Handing(ends[1]))
            run_until(reactor, lambda pair=ends: all(end.transport for end in pair))
            port.stopListening()
        run_until(reactor, lambda: all(a.lost and b.lost for _, a, b in pairs))
        for total, sender, receiver in pairs:
            assert receiver.data == PATTERN[:total]
            for end in (sender, receiver):
                assert [reason.type for reason in end.lost] == [ConnectionDone]
