"""A line echo over TCP, with the server and its clients on one reactor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineReceiver

from .hosts import TwistedHost
from .work import Measured

CONNECTIONS = 8
ROUND_TRIPS = 800
LINE = b"x" * 62


class Echo(LineReceiver):
    """Sends each line back."""

    def lineReceived(self, line: bytes) -> None:
        self.sendLine(line)


class Clients(Factory):
    """The clients, each of which has one line under way."""

    noisy = False

    def __init__(self) -> None:
        self.connections: list[Client] = []
        self.left = 0
        self.finished: Callable[[], None] = _nothing
        self.changed: Callable[[], None] = _nothing

    def buildProtocol(self, address: object) -> Client:
        return Client(self)

    def begin(self, finish: Callable[[], None]) -> None:
        """Send a line on each connection, and the next when it has come back."""
        self.left, self.finished = ROUND_TRIPS, finish
        for client in self.connections:
            client.sendLine(LINE)

    def came_back(self, client: Client) -> None:
        """Send the next line, if there is one more to send."""
        self.left -= 1
        if self.left >= len(self.connections):
            client.sendLine(LINE)
        elif self.left == 0:
            self.finished()


class Client(LineReceiver):
    """One connection to the server."""

    def __init__(self, clients: Clients) -> None:
        self.clients = clients

    def connectionMade(self) -> None:
        self.clients.connections.append(self)
        self.clients.changed()

    def connectionLost(self, reason: object = None) -> None:
        self.clients.connections.remove(self)
        self.clients.changed()

    def lineReceived(self, line: bytes) -> None:
        self.clients.came_back(self)


def _nothing() -> None:
    pass


@contextmanager
def line_echo(host: TwistedHost) -> Iterator[Measured]:
    """Lines of 64 bytes, one under way on each connection."""
    from twisted.internet.endpoints import TCP4ClientEndpoint

    reactor = host.reactor
    server = Factory.forProtocol(Echo)
    server.noisy = False
    clients = Clients()
    port: Any = reactor.listenTCP(0, server, interface="127.0.0.1")
    endpoint: Any = TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)

    def until(count: int, act: Callable[[], object]) -> None:
        """Act, and run until there are so many connections."""

        def begin(finish: Callable[[], None]) -> None:
            def changed() -> None:
                if len(clients.connections) == count:
                    clients.changed = _nothing
                    # The server's side isn't connected yet.
                    reactor.callLater(0.05, finish)

            clients.changed = changed
            act()

        host.run(begin)

    def connect(count: int) -> None:
        for _ in range(count):
            endpoint.connect(clients)

    def disconnect() -> None:
        for client in list(clients.connections):
            transport: Any = client.transport
            transport.loseConnection()

    # A first connection comes and goes: the allocator learns from it.
    until(1, lambda: connect(1))
    until(0, disconnect)
    until(CONNECTIONS, lambda: connect(CONNECTIONS))
    try:
        yield lambda: host.run(clients.begin)
    finally:
        until(0, disconnect)
        host.call(port.stopListening)
