"""WebSocket over streams that have methods of their own, or that aren't Tornado's at all."""

import asyncio
import types
from unittest import mock

import pytest
from tornado import httpserver, netutil, web, websocket
from tornado.concurrent import Future
from tornado.iostream import BaseIOStream

import tornado4.http
import tornado4.iostream
from helpers.loops import tornado4_asyncio


@pytest.fixture(params=["stock", "native"])
def loop(request):
    if request.param == "native":
        tornado4.iostream.install()
        tornado4.http.install()
        assert tornado4.http.is_native()
    loop = tornado4_asyncio()
    yield loop
    loop.close()
    tornado4.http.uninstall()
    tornado4.iostream.uninstall()


async def sent_to_a_server(opened):
    """What three messages arrive as, at a server that calls `opened` with the stream."""
    got = []

    class Handler(websocket.WebSocketHandler):
        def open(self):
            opened(self.ws_connection.stream)

        def on_message(self, message):
            got.append(message)

        def on_close(self):
            closed.set_result(None)

    closed = asyncio.get_running_loop().create_future()
    server = httpserver.HTTPServer(web.Application([("/", Handler)]))
    (listener,) = netutil.bind_sockets(0, "127.0.0.1")
    server.add_socket(listener)
    client = await websocket.websocket_connect(f"ws://127.0.0.1:{listener.getsockname()[1]}/")
    for message in ("one", b"two", ""):
        await client.write_message(message, binary=isinstance(message, bytes))
    client.close()
    await asyncio.wait_for(closed, 60)
    server.stop()
    await server.close_all_connections()
    return got


def test_a_streams_own_method_reads(loop):
    calls = []

    def opened(stream):
        stock = stream.read_bytes

        def read_bytes(num_bytes):
            calls.append(num_bytes)
            return stock(num_bytes)

        stream.read_bytes = read_bytes

    assert loop.run_until_complete(sent_to_a_server(opened)) == ["one", b"two", ""]
    # Head, mask, payload; then the frame of closing.
    assert calls == [2, 4, 3, 2, 4, 3, 2, 4, 0, 2, 4, 0]


def test_what_was_put_into_the_class_reads(loop, monkeypatch):
    calls = []
    stock = BaseIOStream.read_bytes

    def read_bytes(self, num_bytes):
        calls.append(num_bytes)
        return stock(self, num_bytes)

    def opened(stream):
        monkeypatch.setattr(BaseIOStream, "read_bytes", read_bytes)

    assert loop.run_until_complete(sent_to_a_server(opened)) == ["one", b"two", ""]
    monkeypatch.undo()
    assert sum(calls) >= 3 * 6 + 3 + 3


class Slots:
    """Just what a stream of WebSocket needs."""

    __slots__ = ("data", "sent")

    def __init__(self):
        self.data = b"\x81\x02ab\x82\x85\0\0\0\0hello"
        self.sent = []

    def closed(self):
        return False

    def write(self, data):
        self.sent.append(data)
        return done(None)

    def read_bytes(self, num_bytes):
        data, self.data = self.data[:num_bytes], self.data[num_bytes:]
        return done(data)


def done(result):
    future = Future()
    future.set_result(result)
    return future


def namespace(stream):
    return types.SimpleNamespace(
        closed=stream.closed, write=stream.write, read_bytes=stream.read_bytes
    )


class Proxy:
    def __init__(self, stream):
        self.stream = stream

    def __getattr__(self, name):
        return getattr(self.stream, name)


@pytest.mark.parametrize("made", [lambda stream: stream, namespace, Proxy])
def test_anything_may_be_the_stream(loop, made):
    stream = Slots()
    handler = mock.Mock()
    handler.on_message.return_value = None
    protocol = websocket.WebSocketProtocol13(handler, False, websocket._WebSocketParams())
    protocol.stream = made(stream)

    async def main():
        await protocol.write_message("hi")
        await protocol.write_message(b"yo", binary=True)
        await protocol._receive_frame()
        await protocol._receive_frame()

    loop.run_until_complete(main())
    assert stream.sent == [b"\x81\x02hi", b"\x82\x02yo"]
    assert handler.on_message.mock_calls == [mock.call("ab"), mock.call(b"hello")]
