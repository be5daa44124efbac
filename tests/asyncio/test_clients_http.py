"""HTTP servers and clients that other people wrote, on our loop, with each other."""

import asyncio
import contextlib
import os
import ssl
import sys

import httpx
import hypercorn.asyncio
import pytest
import uvicorn
from hypercorn.config import Config
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from helpers.applications import BODIES, listening_socket, on_loops, run_on
from helpers.certificates import ssl_contexts

try:
    import aiohttp
    from aiohttp import web
except ImportError:
    aiohttp = None

needs_aiohttp = pytest.mark.skipif(
    aiohttp is None, reason="aiohttp is large, and comes with the extra 'clients' only"
)

# Those at once, each with a connection of its own.
AT_ONCE = 8


async def echo_app(scope, receive, send):
    """An ASGI application that sends back what it gets, in pieces."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    length = str(len(body)).encode()
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]}
    )
    for start in range(0, len(body), 100_000):
        piece = body[start : start + 100_000]
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


@contextlib.asynccontextmanager
async def aiohttp_server(tls):
    async def echo(request):
        return web.Response(body=await request.read())

    app = web.Application(client_max_size=10**8)
    app.router.add_post("/", echo)
    runner = web.AppRunner(app)
    await runner.setup()
    with listening_socket() as sock:
        site = web.SockSite(runner, sock, ssl_context=ssl_contexts()[0] if tls else None)
        await site.start()
        try:
            yield sock.getsockname()[1]
        finally:
            await runner.cleanup()


@contextlib.asynccontextmanager
async def uvicorn_server(tls):
    config = uvicorn.Config(echo_app, http="h11", log_level="critical", lifespan="on")
    config.load()
    if tls:
        config.ssl = ssl_contexts()[0]
    server = uvicorn.Server(config)
    # Signals are pytest's.
    server.capture_signals = contextlib.nullcontext
    with listening_socket() as sock:
        task = asyncio.ensure_future(server.serve(sockets=[sock]))
        while not server.started:
            await asyncio.sleep(0.001)
        try:
            yield sock.getsockname()[1]
        finally:
            server.should_exit = True
            await task


class TLSConfig(Config):
    """With a context instead of files."""

    ssl_enabled = True

    def create_ssl_context(self):
        return ssl_contexts()[0]


@contextlib.asynccontextmanager
async def hypercorn_server(tls):
    with listening_socket() as sock:
        port = sock.getsockname()[1]
        config = TLSConfig() if tls else Config()
        # It closes what it is given.
        config.bind = [f"fd://{os.dup(sock.fileno())}"]
        config.loglevel = "CRITICAL"
        config.errorlog = config.accesslog = None
        ended = asyncio.Event()
        task = asyncio.ensure_future(
            hypercorn.asyncio.serve(echo_app, config, shutdown_trigger=ended.wait)
        )
        await asyncio.sleep(0.05)
        try:
            yield port
        finally:
            ended.set()
            await task


@contextlib.asynccontextmanager
async def tornado_server(tls):
    class Echo(RequestHandler):
        def post(self):
            self.write(self.request.body)

    server = HTTPServer(
        Application([("/", Echo)], log_function=lambda handler: None),
        ssl_options=ssl_contexts()[0] if tls else None,
    )
    sockets = bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    try:
        yield sockets[0].getsockname()[1]
    finally:
        server.stop()
        await server.close_all_connections()


def trusting():
    """A client's context for a certificate whose name isn't the address's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@contextlib.asynccontextmanager
async def aiohttp_client(url, tls):
    connector = aiohttp.TCPConnector(ssl=trusting() if tls else False)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def post(body):
            async with session.post(url, data=body) as response:
                return response.status, await response.read()

        yield post
    # Connections of TLS take their time to end.
    await asyncio.sleep(0.05 if tls else 0)


@contextlib.asynccontextmanager
async def httpx_client(url, tls):
    async with httpx.AsyncClient(verify=trusting() if tls else True, trust_env=False) as client:

        async def post(body):
            response = await client.post(url, content=body)
            return response.status_code, response.content

        yield post


@contextlib.asynccontextmanager
async def tornado_client(url, tls):
    client = AsyncHTTPClient(force_instance=True)

    async def post(body):
        # Not a form, which a server would parse.
        headers = {"Content-Type": "application/octet-stream"}
        context = trusting() if tls else None
        request = HTTPRequest(url, "POST", headers, body, ssl_options=context)
        response = await client.fetch(request)
        return response.code, response.body

    yield post
    client.close()


SERVERS = [
    pytest.param(aiohttp_server, marks=needs_aiohttp),
    *(uvicorn_server, hypercorn_server, tornado_server),
]
CLIENTS = [
    pytest.param(aiohttp_client, marks=needs_aiohttp),
    *(httpx_client, tornado_client),
]


async def talk(serve, client, tls):
    """What comes back for each body, one after the other and at once."""
    async with serve(tls) as port:
        url = f"http{'s' if tls else ''}://127.0.0.1:{port}/"
        async with client(url, tls) as post:
            found = [await post(body) for body in BODIES for _ in range(3)]
            found += await asyncio.gather(*(post(BODIES[-1]) for _ in range(AT_ONCE)))
            return found


@on_loops
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("serve", SERVERS)
def test_bodies_there_and_back(factory, serve, client, tls):
    if sys.version_info < (3, 11) and tls and (serve, client) == (uvicorn_server, tornado_client):
        pytest.skip(
            "uvicorn closes with reading paused, and asyncio before 3.11 then doesn't read the "
            "client's close_notify, nor the connection's end"
        )
    bodies = [body for body in BODIES for _ in range(3)] + [BODIES[-1]] * AT_ONCE
    found = run_on(factory, talk, serve, client, tls)
    assert [status for status, _ in found] == [200] * len(bodies)
    assert [body for _, body in found] == bodies


@on_loops
@pytest.mark.parametrize("serve", SERVERS)
def test_clients_that_go_in_the_midst(factory, serve):
    """The server goes on, whatever its clients break off."""

    async def main():
        async with serve(False) as port:
            for cut in (b"", b"PO", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx"):
                for abort in (False, True):
                    _reader, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.write(cut)
                    await asyncio.sleep(0.002)
                    if abort:
                        writer.transport.abort()
                    else:
                        writer.close()
            async with httpx_client(f"http://127.0.0.1:{port}/", False) as post:
                return await post(b"hello")

    assert run_on(factory, main) == (200, b"hello")


@on_loops
@needs_aiohttp
def test_a_stream_of_events_that_its_client_leaves(factory):
    """aiohttp notices when a client goes while a response is being written."""

    async def main():
        left = asyncio.Event()

        async def stream(request):
            response = web.StreamResponse()
            await response.prepare(request)
            try:
                while True:
                    await response.write(b"x" * 50_000)
            finally:
                left.set()

        app = web.Application()
        app.router.add_get("/", stream)
        runner = web.AppRunner(app, handler_cancellation=True)
        await runner.setup()
        with listening_socket() as sock:
            await web.SockSite(runner, sock).start()
            address = sock.getsockname()
            reader, writer = await asyncio.open_connection(*address)
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            got = len(await reader.readexactly(1_000_000))
            writer.transport.abort()
            await left.wait()
            await runner.cleanup()
        return got

    assert run_on(factory, main) == 1_000_000
