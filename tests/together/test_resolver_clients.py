"""TwistedResolver as Tornado's clients use it."""

import asyncio
import os
import socket

import pytest
import tornado.ioloop
from tornado.httpclient import AsyncHTTPClient
from tornado.httpserver import HTTPServer
from tornado.netutil import Resolver
from tornado.tcpclient import TCPClient
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler

import tornado4
from helpers.resolvers import _server, server
from tornado4.ioloop import IOLoop

__all__ = ["_server", "server"]


# As it is used


class Hello(RequestHandler):
    def get(self):
        self.write(f"hello {self.request.host_name}")


@pytest.fixture
def configured(server):
    saved = Resolver._save_configuration()
    Resolver.configure(
        "tornado4.platform.twisted.TwistedResolver", servers=[server.address], hosts=os.devnull
    )
    yield
    Resolver._restore_configuration(saved)


async def fetch(close):
    sock, port = bind_unused_port()
    web = HTTPServer(Application([("/", Hello)]))
    web.add_sockets([sock])
    client = AsyncHTTPClient(force_instance=close)
    try:
        responses = await asyncio.gather(
            *[client.fetch(f"http://{host}.test:{port}/") for host in ["web", "www", "web"]]
        )
        with pytest.raises(socket.gaierror):
            await client.fetch(f"http://nowhere.test:{port}/")
        return [response.body.decode() for response in responses]
    finally:
        if close:
            client.close()
        web.stop()
        await web.close_all_connections()


@pytest.mark.parametrize("close", [True, False], ids=["closed", "left open"])
@pytest.mark.parametrize("start", ["tornado4.run", "run_sync", "stock run_sync"])
def test_the_http_client_resolves_by_it(server, configured, start, close):
    server.add("web.test", "127.0.0.1")
    server.add("www.test", alias="web.test")
    if start == "tornado4.run":
        bodies = tornado4.run(fetch(close))
    else:
        made = IOLoop if start == "run_sync" else tornado.ioloop.IOLoop
        io_loop = made(make_current=False)
        bodies = io_loop.run_sync(lambda: fetch(close))
        io_loop.close()
    assert bodies == ["hello web.test", "hello www.test", "hello web.test"]


def test_the_tcp_client_goes_on_to_the_next_address(server, configured):
    # Nobody listens at the IPv6 address, which comes first.
    server.add("both.test", "127.0.0.1", "::1")

    async def main():
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen()
            client = TCPClient()
            stream = await client.connect("both.test", listening.getsockname()[1])
            address = stream.socket.getpeername()
            stream.close()
            client.close()
            return address == listening.getsockname()

    assert tornado4.run(main())
