"""One client of each kind: ask the service on a port something, return what is heard."""

from __future__ import annotations

import asyncio
from typing import Any

from tornado.httpclient import AsyncHTTPClient
from tornado.tcpclient import TCPClient
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import connectionDone
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from twisted.web.client import Agent, readBody

from tornado4.demo.words import HOST, heard


async def tornado_http(reactor: Any, port: int, text: str) -> bytes:
    response = await AsyncHTTPClient().fetch(f"http://{HOST}:{port}/{text}")
    return heard(response.body)


async def tornado_lines(reactor: Any, port: int, text: str) -> bytes:
    stream = await TCPClient().connect(HOST, port)
    try:
        await stream.write(f"{text}\n".encode())
        return heard(await stream.read_until(b"\n"))
    finally:
        stream.close()


async def asyncio_lines(reactor: Any, port: int, text: str) -> bytes:
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        writer.write(f"{text}\n".encode())
        return heard(await reader.readline())
    finally:
        writer.close()


async def asyncio_http(reactor: Any, port: int, text: str) -> bytes:
    """HTTP by hand: asyncio has no web client of its own."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        writer.write(f"GET /{text} HTTP/1.0\r\n\r\n".encode())
        return heard((await reader.read()).partition(b"\r\n\r\n")[2])
    finally:
        writer.close()


async def twisted_http(reactor: Any, port: int, text: str) -> bytes:
    agent = Agent(reactor)
    response = await agent.request(b"GET", f"http://{HOST}:{port}/{text}".encode())
    return heard(await readBody(response))


class AskLine(LineReceiver):
    delimiter = b"\n"
    transport: Any

    def __init__(self, text: str) -> None:
        self.text = text
        self.answer: Deferred[bytes] = Deferred()

    def connectionMade(self) -> None:
        self.transport.write(f"{self.text}\n".encode())

    def lineReceived(self, line: bytes) -> None:
        self.answer.callback(heard(line + b"\n"))
        self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not self.answer.called:
            self.answer.errback(reason)


async def twisted_lines(reactor: Any, port: int, text: str) -> bytes:
    endpoint = TCP4ClientEndpoint(reactor, HOST, port)
    protocol: AskLine = await connectProtocol(endpoint, AskLine(text))
    return await protocol.answer
