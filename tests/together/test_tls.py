"""asyncio, Twisted and Tornado in one process, on one loop: each of them a TLS server and a
client of each of the others."""

import asyncio
import random
import socket

import pytest
from tornado.iostream import IOStream, StreamClosedError
from tornado.tcpserver import TCPServer
from tornado.testing import bind_unused_port
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol, wrapClientTLS
from twisted.internet.protocol import Factory, Protocol

from helpers import authorities
from helpers.authorities import HOST, VERSIONS
from helpers.loops import as_global
from helpers.worlds import WORLDS, made
from tornado4.platform.twisted import as_future

LOCAL = "127.0.0.1"
SIZES = [1, 1000, 16_385, 300_000]
DATA = random.Random(7).randbytes(max(SIZES))


class Echo(Protocol):
    def dataReceived(self, data):
        self.transport.write(data)


class Echoing(TCPServer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.streams = []

    async def handle_stream(self, stream, address):
        self.streams.append(stream)
        try:
            while True:
                await stream.write(await stream.read_bytes(70_000, partial=True))
        except StreamClosedError:
            pass


async def asyncio_echo(reader, writer):
    while data := await reader.read(70_000):
        writer.write(data)
        await writer.drain()
    writer.close()


async def asyncio_server(world, version):
    context = authorities.server(version=version)
    server = await asyncio.start_server(asyncio_echo, LOCAL, 0, ssl=context)
    return server.sockets[0].getsockname()[1], server.close


async def twisted_server(world, version):
    options = authorities.twisted_server(version=version)
    port = world.reactor.listenSSL(0, Factory.forProtocol(Echo), options, interface=LOCAL)
    return port.getHost().port, port.stopListening


async def tornado_server(world, version):
    server = Echoing(ssl_options=authorities.server(version=version))
    sock, port = bind_unused_port()
    server.add_socket(sock)

    def stop():
        server.stop()
        for stream in server.streams:
            stream.close()

    return port, stop


async def asyncio_client(world, port):
    reader, writer = await asyncio.open_connection(
        LOCAL, port, ssl=authorities.client(), server_hostname=HOST
    )
    for size in SIZES:
        writer.write(DATA[:size])
        assert await reader.readexactly(size) == DATA[:size]
    writer.close()
    await writer.wait_closed()


class Asking(Protocol):
    def __init__(self, loop):
        self.loop = loop
        self.data = b""
        self.wanted = None
        self.lost = loop.create_future()

    def ask(self, data):
        self.data, self.wanted = b"", self.loop.create_future()
        self.size = len(data)
        self.transport.write(data)
        return self.wanted

    def dataReceived(self, data):
        self.data += data
        if len(self.data) >= self.size and not self.wanted.done():
            self.wanted.set_result(self.data)

    def connectionLost(self, reason):
        self.lost.set_result(reason.type.__name__)


async def twisted_client(world, port):
    raw = TCP4ClientEndpoint(world.reactor, LOCAL, port)
    endpoint = wrapClientTLS(authorities.twisted_client(), raw)
    protocol = await as_future(connectProtocol(endpoint, Asking(world.loop)))
    for size in SIZES:
        assert await protocol.ask(DATA[:size]) == DATA[:size]
    protocol.transport.loseConnection()
    # Tornado's server doesn't answer a close_notify.
    assert await protocol.lost in ("ConnectionDone", "ConnectionLost")


async def tornado_client(world, port):
    sock = socket.create_connection((LOCAL, port))
    stream = await IOStream(sock).start_tls(False, authorities.client(), server_hostname=HOST)
    for size in SIZES:
        # Both at once, or neither end would read any more.
        _, got = await asyncio.gather(stream.write(DATA[:size]), stream.read_bytes(size))
        assert got == DATA[:size]
    stream.close()


SERVERS = [asyncio_server, twisted_server, tornado_server]
CLIENTS = [asyncio_client, twisted_client, tornado_client]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("factory", WORLDS)
def test_each_serves_each(factory, version):
    async def main(world):
        for serve in SERVERS:
            port, stop = await serve(world, version)
            for _ in range(3):
                await asyncio.gather(*(client(world, port) for client in CLIENTS))
            stop()
        await asyncio.sleep(0.01)

    # Twisted's TLS gathers what is written by calls of the global reactor's.
    with made(factory) as world, as_global(world.reactor):
        world.run(main(world))
