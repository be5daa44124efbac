"""Web servers on asyncio: the same page from each, without an access log."""

from __future__ import annotations

import socket
from typing import Any

from harness.say import say, say_transport

BACKLOG = 4_096
PAGE = b"Hello, world!"


def bound() -> socket.socket:
    """Make a socket that listens, and tell its port."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    listening.setblocking(False)
    say(port=listening.getsockname()[1])
    return listening


async def page(scope: Any, _receive: Any, send: Any) -> None:
    """The application, by ASGI."""
    assert scope["type"] == "http"
    length = str(len(PAGE)).encode()
    headers = [(b"content-type", b"text/plain"), (b"content-length", length)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": PAGE})


async def serve_uvicorn() -> None:
    """Serve the page by uvicorn, which parses with h11."""
    import uvicorn
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Telling(H11Protocol):
        def connection_made(self, transport: Any) -> None:
            # The same as its base from now on.
            del Telling.connection_made
            say_transport(transport)
            super().connection_made(transport)

    config = uvicorn.Config(
        page,
        http=Telling,
        ws="none",
        lifespan="off",
        backlog=BACKLOG,
        access_log=False,
        # The load generator leaves in the middle, which is reported as an error.
        log_level="critical",
    )
    await uvicorn.Server(config).serve(sockets=[bound()])


async def serve_aiohttp() -> None:
    """Serve the page by aiohttp."""
    import asyncio

    from aiohttp import web

    told = False

    async def hello(request: web.Request) -> web.Response:
        nonlocal told
        if not told:
            told = True
            say_transport(request.transport)
        return web.Response(body=PAGE, content_type="text/plain")

    application = web.Application()
    application.router.add_get("/", hello)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.SockSite(runner, bound(), backlog=BACKLOG).start()
    await asyncio.Event().wait()


async def serve_websockets() -> None:
    """Echo WebSocket messages, by the websockets package."""
    import asyncio

    from websockets.asyncio.server import ServerConnection, serve

    told = False

    async def echo(connection: ServerConnection) -> None:
        nonlocal told
        if not told:
            told = True
            say_transport(connection.transport)
        async for message in connection:
            await connection.send(message)

    # What a peer says of compression isn't part of the work.
    async with serve(echo, sock=bound(), compression=None):
        await asyncio.Event().wait()
