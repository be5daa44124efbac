"""aiohttp on tornado4's loop: its server, its client, and Twisted between them.

To run it:

    pip install tornado4 aiohttp
    python aiohttp_server.py [PORT]
"""

import asyncio
import sys

from aiohttp import ClientSession, web

from tornado4.platform.twisted import install

reactor = install()  # Before whatever else of Twisted wants it.

from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater


class Echo(Protocol):
    """A server of Twisted's, for the sake of the example."""

    def dataReceived(self, data):
        self.transport.write(b"HTTP/1.0 200 OK\r\n\r\nTwisted got: " + data.partition(b"\r")[0])
        self.transport.loseConnection()


async def wait(request):
    return web.Response(text=await deferLater(reactor, 0.05, lambda: "a Deferred's result\n"))


async def ask_twisted(request):
    url = f"http://127.0.0.1:{request.app['port'].getHost().port}/hello"
    async with request.app["client"].get(url) as answer:
        return web.Response(text=await answer.text())


async def echo(request):
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        await socket.send_str(message.data.upper())
    return socket


async def around(app):
    """What lives as long as the server."""
    app["port"] = reactor.listenTCP(0, Factory.forProtocol(Echo), interface="127.0.0.1")
    async with ClientSession() as app["client"]:
        print("On", type(asyncio.get_running_loop()), "with", type(reactor))
        yield
    await app["port"].stopListening()
    print("Stopped")


app = web.Application()
app.add_routes([web.get("/", wait), web.get("/twisted", ask_twisted), web.get("/echo", echo)])
app.cleanup_ctx.append(around)
port = int(sys.argv[1]) if sys.argv[1:] else 8080
# The reactor's loop, which aiohttp closes in the end, and the reactor with it.
web.run_app(app, host="127.0.0.1", port=port, loop=reactor._asyncioEventloop)
