"""Five servers of three frameworks, all on the loop that is running."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream, StreamClosedError
from tornado.netutil import bind_sockets
from tornado.tcpserver import TCPServer
from tornado.web import Application, RequestHandler
from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineReceiver
from twisted.web.resource import Resource
from twisted.web.server import Site

from tornado4.demo.clients import twisted_lines
from tornado4.demo.words import HOST, said


class Services(NamedTuple):
    reactor: Any
    ports: dict[str, int]


class TornadoWeb(RequestHandler):
    def get(self, text: str) -> None:
        self.write(said("Tornado web", text))


class TornadoRelay(RequestHandler):
    """A Tornado handler that waits for a Twisted client, which asks a Twisted server."""

    def initialize(self, services: Services) -> None:
        self.services = services

    async def get(self, text: str) -> None:
        reactor, ports = self.services
        self.write(await twisted_lines(reactor, ports["Twisted lines"], text))


class TornadoLines(TCPServer):
    async def handle_stream(self, stream: IOStream, address: object) -> None:
        try:
            while True:
                line = await stream.read_until(b"\n")
                await stream.write(said("Tornado lines", line.decode().strip()))
        except StreamClosedError:
            pass  # the client has gone


class TwistedWeb(Resource):
    isLeaf = True

    def render_GET(self, request: Any) -> bytes:
        return said("Twisted web", request.path.decode().strip("/"))


class TwistedLines(LineReceiver):
    delimiter = b"\n"
    transport: Any

    def lineReceived(self, line: bytes) -> None:
        self.transport.write(said("Twisted lines", line.decode()))


async def asyncio_lines(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        writer.write(said("asyncio lines", line.decode().strip()))
    writer.close()


@asynccontextmanager
async def running(reactor: Any) -> AsyncIterator[Services]:
    """``async with running(reactor) as services:`` has all of them listening."""
    services = Services(reactor, ports={})
    relay = (r"/relay/(.*)", TornadoRelay, {"services": services})
    web = Application([relay, (r"/(.*)", TornadoWeb)])
    of_tornado = {"Tornado web": HTTPServer(web), "Tornado lines": TornadoLines()}
    for name, server in of_tornado.items():
        sockets = bind_sockets(0, HOST)
        server.add_sockets(sockets)
        services.ports[name] = sockets[0].getsockname()[1]

    factories = {
        "Twisted web": Site(TwistedWeb()),  # type: ignore[no-untyped-call]
        "Twisted lines": Factory.forProtocol(TwistedLines),
    }
    for name, factory in factories.items():
        port = reactor.listenTCP(0, factory, interface=HOST)  # closed by the reactor's stop
        services.ports[name] = port.getHost().port

    of_asyncio = await asyncio.start_server(asyncio_lines, HOST, 0)
    services.ports["asyncio lines"] = of_asyncio.sockets[0].getsockname()[1]
    try:
        yield services
    finally:
        of_asyncio.close()
        for server in of_tornado.values():
            server.stop()
