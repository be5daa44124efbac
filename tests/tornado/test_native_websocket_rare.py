"""WebSocket where a frame's receiver is cancelled, and on loops that can do less than others."""

import asyncio
import contextlib
import socket
from unittest import mock

import pytest
from tornado import websocket
from tornado.iostream import IOStream

import tornado4.http
import tornado4.iostream
from helpers.loops import tornado4_asyncio


@pytest.fixture(params=["stock", "native"])
def native(request):
    if request.param == "native":
        tornado4.iostream.install()
        tornado4.http.install()
        assert tornado4.http.is_native()
    yield request.param == "native"
    tornado4.http.uninstall()
    tornado4.iostream.uninstall()


def a_protocol():
    """One end of a connection, what it has been told, and the other end's socket."""
    one, other = socket.socketpair()
    got = []
    handler = mock.Mock()
    handler.on_message = got.append
    protocol = websocket.WebSocketProtocol13(handler, False, websocket._WebSocketParams())
    protocol.stream = IOStream(one)
    return protocol, got, other


def run(loop, main):
    with contextlib.closing(loop):
        loop.run_until_complete(asyncio.wait_for(main(), 60))


def test_who_is_cancelled_leaves_the_stream_what_comes_later(native):
    async def main():
        protocol, got, other = a_protocol()
        task = asyncio.ensure_future(protocol._receive_frame())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        other.send(b"\x82\x01a\x82\x02bc")
        while protocol.stream._read_future is not None:
            await asyncio.sleep(0)
        # Two bytes are gone with the future that nobody awaits.
        assert bytes(protocol.stream._read_buffer) == b"a\x82\x02bc"
        assert (got, protocol._wire_bytes_in) == ([], 0)
        protocol.stream.close()
        other.close()

    run(tornado4_asyncio(), main)


def test_what_has_come_when_its_receiver_is_cancelled_is_there_still(native):
    async def main():
        protocol, got, other = a_protocol()
        receiver = protocol._receive_frame().__await__()
        read = receiver.send(None)
        other.send(b"\x82\x01a\x82\x02bc")
        while not read.done():
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            receiver.throw(asyncio.CancelledError())
        if not native:
            # Tornado has lost the head.
            protocol.stream._read_buffer[:0] = b"\x82\x01"
            protocol.stream._read_buffer_size += 2
        await protocol._receive_frame()
        await protocol._receive_frame()
        assert (got, protocol._wire_bytes_in) == ([b"a", b"bc"], 7)
        protocol.stream.close()
        other.close()

    run(tornado4_asyncio(), main)


class Loop(asyncio.SelectorEventLoop):
    """As `AbstractEventLoop` has it."""

    def get_task_factory(self):
        raise NotImplementedError


def test_a_loop_may_have_no_task_factory(native):
    async def main():
        protocol, _, other = a_protocol()
        await protocol.write_message("x")
        assert other.recv(100) == b"\x81\x01x"
        protocol.stream.close()
        other.close()

    run(Loop(), main)
