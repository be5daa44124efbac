"""A server on Tornado: ``python -m servers.serve_tornado LOOP WORK FOLDER``.

It prints its port, and after the first connection the class of its stream.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream, StreamClosedError
from tornado.tcpserver import TCPServer
from tornado.web import Application, RequestHandler
from tornado.websocket import WebSocketHandler

from harness.loops import new_io_loop
from harness.rows import OURS
from harness.say import say_transport
from tornado4 import http, iostream

from .serve_asyncio import BUFFER, secured
from .serve_web import PAGE, bound


class Echo(TCPServer):
    """Sends everything back."""

    told = False

    async def handle_stream(self, stream: IOStream, address: object) -> None:
        if not self.told:
            self.told = True
            say_transport(stream)
        # The load generator leaves in the middle.
        try:
            while True:
                await stream.write(await stream.read_bytes(BUFFER, partial=True))
        except StreamClosedError:
            stream.close()


class Hello(RequestHandler):
    """The page."""

    told = False

    def get(self) -> None:
        if not Hello.told:
            Hello.told = True
            connection: Any = self.request.connection
            say_transport(connection.stream)
        self.set_header("Content-Type", "text/plain")
        self.write(PAGE)


class Upload(RequestHandler):
    """Sends the body back."""

    told = False

    def post(self) -> None:
        if not Upload.told:
            Upload.told = True
            connection: Any = self.request.connection
            say_transport(connection.stream)
        self.set_header("Content-Type", "application/octet-stream")
        self.write(self.request.body)


class Messages(WebSocketHandler):
    """Sends each WebSocket message back."""

    told = False

    def open(self, *_arguments: str, **_more: str) -> None:
        if not Messages.told:
            Messages.told = True
            connection: Any = self.ws_connection
            say_transport(connection.stream)

    def on_message(self, message: str | bytes) -> None:
        self.write_message(message, binary=isinstance(message, bytes))


def made(work: str) -> Any:
    """Make the server of that work."""
    if work == "tls-echo":
        return Echo(ssl_options=secured())
    if work == "echo":
        return Echo()
    handler = {"http": Hello, "post": Upload, "ws": Messages}[work]
    application = Application([("/", handler)], log_function=lambda _handler: None)
    return HTTPServer(application)


async def serve() -> None:
    """Serve until somebody ends this process."""
    made(sys.argv[2]).add_socket(bound())
    await asyncio.Event().wait()


def main() -> None:
    """Serve on that loop."""
    # The load generator leaves in the middle, which is reported as an error.
    logging.disable(logging.CRITICAL)
    if sys.argv[1] == OURS:
        iostream.install()
        http.install()
    new_io_loop(sys.argv[1]).run_sync(serve)


if __name__ == "__main__":
    main()
