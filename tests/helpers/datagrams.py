"""Datagram ports for the tests of transports, and plain sockets to talk to them."""

import contextlib
import socket

import pytest
from twisted.internet.protocol import DatagramProtocol

from helpers.streams import run_until

LOCAL = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}

on_internets = pytest.mark.parametrize("family", list(LOCAL), ids=["ipv4", "ipv6"])


class TracedDatagrams(DatagramProtocol):
    """Writes down what happens to it; `hooks` are called with it then.

    `known` maps the numbers of ports, which the system chooses, to names.
    """

    def __init__(self, trace, **hooks):
        self.trace = trace
        self.hooks = hooks
        self.known = {}
        self.count = 0
        self.stopped = False

    def _happened(self, name, *args):
        if name in self.hooks:
            self.hooks[name](self, *args)

    def startProtocol(self):
        self.trace.append("started")
        self._happened("started")

    def stopProtocol(self):
        self.stopped = True
        self.trace.append("stopped")
        self._happened("stopped")

    def datagramReceived(self, datagram, addr):
        self.count += 1
        named = addr and (addr[0], self.known.get(addr[1], "a port"), *addr[2:])
        self.trace.append((type(datagram).__name__, datagram, type(addr).__name__, named))
        self._happened("received", datagram, addr)

    def connectionRefused(self):
        self.trace.append("refused")
        self._happened("refused")


@contextlib.contextmanager
def listening(reactor, protocol, family=socket.AF_INET, **options):
    """A port for the protocol, and a socket that is at its address; both end."""
    host = LOCAL[family]
    port = reactor.listenUDP(0, protocol, interface=host, **options)
    with udp_socket(family) as peer:
        protocol.known[peer.getsockname()[1]] = "peer"
        peer.connect((host, port.getHost().port))
        try:
            yield port, peer
        finally:
            stop(reactor, port, protocol)


@contextlib.contextmanager
def udp_socket(family=socket.AF_INET):
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind((LOCAL[family], 0))
        sock.setblocking(False)
        yield sock


def stop(reactor, port, protocol):
    if not protocol.stopped:
        port.stopListening()
    run_until(reactor, lambda: protocol.stopped)


def until_received(reactor, protocol, count=1):
    run_until(reactor, lambda: protocol.count >= count)


def taken(reactor, peer, count=1):
    """Runs until a plain socket has received so many datagrams."""
    data = []

    def enough():
        with contextlib.suppress(BlockingIOError):
            while len(data) < count:
                data.append(peer.recv(70_000))
        return len(data) >= count

    run_until(reactor, enough)
    return data


def waiting(peer):
    """What a plain socket has received and not read."""
    data = []
    with contextlib.suppress(BlockingIOError):
        while True:
            data.append(peer.recv(70_000))
    return data
