"""TLS connections of Twisted whose peers go at any step: nothing is left of them."""

import socket

import pytest
from twisted.internet.protocol import ClientFactory, Protocol

from helpers import authorities, tls_resets
from helpers.loops import as_global, epoll_reactor, tornado4_reactor
from helpers.scenarios import run_turns
from helpers.tls_resets import LARGE
from helpers.tls_twisted import LOCAL, run_until

# At a time.
TOGETHER = 34


class Serving(Protocol):
    """Does what the first letter asks for."""

    open = 0

    def connectionMade(self):
        type(self).open += 1

    def dataReceived(self, data):
        kind = data[:1]
        self.transport.write(LARGE if kind == b"m" else data)
        if kind == b"c":
            self.transport.loseConnection()
        elif kind == b"a":
            self.transport.write(LARGE)
            self.transport.abortConnection()

    def connectionLost(self, reason):
        type(self).open -= 1


class Factory(ClientFactory):
    noisy = False
    protocol = Serving
    failed = 0

    def clientConnectionFailed(self, connector, reason):
        type(self).failed += 1


def ended(reactor):
    run_until(reactor, lambda: not Serving.open)
    run_turns(reactor, 5)


def served(reactor):
    """Rounds of clients that come to a server of ours."""
    context = authorities.twisted_server()

    def rounds(count):
        port = reactor.listenSSL(0, Factory(), context, backlog=TOGETHER, interface=LOCAL)
        address = (LOCAL, port.getHost().port)
        chosen = tls_resets.steps(count, count)
        for first in range(0, count, TOGETHER):
            some = enumerate(chosen[first : first + TOGETHER])
            lives = [tls_resets.connecting(address, step, number) for number, step in some]
            tls_resets.live(lives, lambda: run_turns(reactor, 1))
        port.stopListening()
        ended(reactor)

    return rounds


def connected(reactor):
    """Rounds of clients of ours whose servers go."""
    context = authorities.twisted_client()

    def rounds(count):
        chosen = tls_resets.steps(count, count)
        with socket.create_server((LOCAL, 0), backlog=TOGETHER) as listening:
            listening.setblocking(False)
            for first in range(0, count, TOGETHER):
                some = chosen[first : first + TOGETHER]
                for _ in some:
                    reactor.connectSSL(*listening.getsockname(), Factory(), context)
                lives = [
                    tls_resets.accepted(listening, step, number) for number, step in enumerate(some)
                ]
                tls_resets.live(lives, lambda: run_turns(reactor, 1))
        ended(reactor)

    return rounds


def growth(factory, ends, count):
    with factory() as reactor, as_global(reactor):
        return tls_resets.grown(ends(reactor), count)


on_ends = pytest.mark.parametrize("ends", [served, connected])


@on_ends
def test_nothing_is_left(ends):
    growth(tornado4_reactor, ends, 150)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@on_ends
def test_nothing_is_left_of_thousands(ends):
    stock = growth(epoll_reactor, ends, 3750)
    # What leaks of each connection, however little, is more.
    assert growth(tornado4_reactor, ends, 3750) < max(stock, 0) + 4_000_000
