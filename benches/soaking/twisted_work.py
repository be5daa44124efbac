"""Twisted's transports: TCP, UNIX, TLS, UDP, with producers; and its web."""

from __future__ import annotations

import asyncio
import random
from io import BytesIO
from pathlib import Path
from typing import Any

from twisted.internet import interfaces, protocol, ssl
from twisted.internet.endpoints import (
    SSL4ClientEndpoint,
    TCP4ClientEndpoint,
    UNIXClientEndpoint,
    connectProtocol,
)
from twisted.web.client import Agent, FileBodyProducer, HTTPConnectionPool, readBody
from twisted.web.resource import Resource
from twisted.web.server import Site
from zope.interface import implementer

from .asyncio_work import ask_by_datagrams
from .world import HOST, World, ending, pieces, some


@implementer(interfaces.IHalfCloseableProtocol)
class Echo(protocol.Protocol):
    """Sends everything back, and reads nothing while that has to wait."""

    transport: Any

    def connectionMade(self) -> None:
        self.transport.registerProducer(self.transport, True)

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data)

    def readConnectionLost(self) -> None:
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        pass


@implementer(interfaces.IHalfCloseableProtocol)
class Client(protocol.Protocol):
    """Sends the pieces when they are wanted."""

    transport: Any

    def __init__(self, world: World, chance: random.Random, data: bytes, half: bool) -> None:
        self.world, self.chance, self.data = world, chance, data
        self.how = ending(chance, half)
        self.left = pieces(chance, data)
        self.came = bytearray()
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.paused = False

    def connectionMade(self) -> None:
        self.transport.registerProducer(self, True)
        if self.how == "pause":
            self.transport.pauseProducing()
            self.world.reactor.callLater(self.chance.uniform(0, 0.05), self.go_on)
        self.resumeProducing()

    def go_on(self) -> None:
        if not self.lost.done():
            self.transport.resumeProducing()

    def resumeProducing(self) -> None:
        self.paused = False
        while not self.paused:
            piece = next(self.left, None)
            if piece is None:
                self.transport.unregisterProducer()
                if self.how == "half":
                    self.transport.loseWriteConnection()
                return
            if self.chance.random() < 0.3:
                self.transport.writeSequence([piece[:1], piece[1:]])
            else:
                self.transport.write(piece)

    def pauseProducing(self) -> None:
        self.paused = True

    def stopProducing(self) -> None:
        self.paused = True

    def dataReceived(self, data: bytes) -> None:
        self.came += data
        if self.how == "reset":
            self.data = self.data[: len(self.came)]
            self.transport.abortConnection()
        elif self.how != "half" and len(self.came) >= len(self.data):
            self.transport.loseConnection()

    def readConnectionLost(self) -> None:
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        pass

    def connectionLost(self, reason: Any = protocol.connectionDone) -> None:
        self.stopProducing()
        self.lost.set_result(None)


def start(world: World, pem: Path) -> dict[str, Any]:
    """Start the servers; return the visits to them."""
    reactor = world.reactor
    path = str(world.folder / "twisted")
    factory = protocol.Factory.forProtocol(Echo)
    certificate = ssl.PrivateCertificate.loadPEM(pem.read_bytes())
    listening = {
        "Twisted TCP": reactor.listenTCP(0, factory, interface=HOST),
        "Twisted TLS": reactor.listenSSL(0, factory, certificate.options(), interface=HOST),
        "Twisted UNIX": reactor.listenUNIX(path, factory),
    }
    for port in listening.values():
        world.closing.append(stop(world, port))
    numbers = {name: port.getHost().port for name, port in listening.items() if "UNIX" not in name}
    endpoints = {
        "Twisted TCP": TCP4ClientEndpoint(reactor, HOST, numbers["Twisted TCP"]),
        "Twisted TLS": SSL4ClientEndpoint(
            reactor, HOST, numbers["Twisted TLS"], ssl.CertificateOptions()
        ),
        "Twisted UNIX": UNIXClientEndpoint(reactor, path),
    }

    def over(name: str) -> Any:
        async def visit(world: World, chance: random.Random) -> None:
            data = some(chance)
            client = Client(world, chance, data, half=name != "Twisted TLS")
            await connectProtocol(endpoints[name], client).asFuture(world.loop)
            await client.lost
            world.compare(name, client.data, bytes(client.came))

        return visit

    world.ports["Twisted TCP"] = numbers["Twisted TCP"]  # type: ignore[attr-defined]
    visits = {name: over(name) for name in endpoints}
    return visits | {"Twisted UDP": start_datagrams(world), "Twisted web": start_web(world)}


def stop(world: World, port: Any) -> Any:
    async def stopped() -> None:
        if (deferred := port.stopListening()) is not None:
            await deferred.asFuture(world.loop)

    return stopped


def start_datagrams(world: World) -> Any:
    class Server(protocol.DatagramProtocol):
        def datagramReceived(self, data: bytes, address: Any) -> None:
            self.transport.write(data, address)

    class Asks(protocol.DatagramProtocol):
        def __init__(self) -> None:
            self.came: asyncio.Queue[bytes] = asyncio.Queue()

        def startProtocol(self) -> None:
            self.transport.connect(HOST, server.getHost().port)

        def datagramReceived(self, data: bytes, address: Any) -> None:
            self.came.put_nowait(data)

    server = world.reactor.listenUDP(0, Server(), interface=HOST)
    world.closing.append(stop(world, server))

    async def visit(world: World, chance: random.Random) -> None:
        asks = Asks()
        port = world.reactor.listenUDP(0, asks, interface=HOST)
        try:
            await ask_by_datagrams("Twisted UDP", world, chance, asks.transport.write, asks.came)
        finally:
            await stop(world, port)()

    return visit


class Echoes(Resource):
    """Answers with what it was sent."""

    isLeaf = True

    def render_POST(self, request: Any) -> bytes:
        content: bytes = request.content.read()
        return content


def start_web(world: World) -> Any:
    port = world.reactor.listenTCP(0, Site(Echoes()), interface=HOST)
    world.closing.append(stop(world, port))
    pool = HTTPConnectionPool(world.reactor)

    async def close() -> None:
        await pool.closeCachedConnections().asFuture(world.loop)

    world.closing.append(close)
    agent = Agent(world.reactor, pool=pool)
    ports = world.ports  # type: ignore[attr-defined]
    ports["Twisted web"] = port.getHost().port

    async def visit(world: World, chance: random.Random) -> None:
        """A client of Twisted's, with a server of Twisted's or Tornado's."""
        data = some(chance)
        address = f"http://{HOST}:{ports[chance.choice(['Twisted web', 'Tornado web'])]}/"
        body = FileBodyProducer(BytesIO(data))
        answer = await agent.request(b"POST", address.encode(), bodyProducer=body).asFuture(
            world.loop
        )
        came = await readBody(answer).asFuture(world.loop)
        world.compare("Twisted web", data, came)

    return visit
