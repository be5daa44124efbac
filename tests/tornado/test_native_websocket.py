"""Tornado's WebSocket, done natively: when it is, and that it isn't where somebody has replaced
what it would leave out."""

import asyncio
import gc
import socket
import subprocess
import sys
import textwrap
from unittest import mock

import pytest
from tornado import tcpserver, websocket
from tornado.httpclient import HTTPRequest
from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream, StreamClosedError
from tornado.web import Application
from tornado.websocket import (
    WebSocketClosedError,
    WebSocketHandler,
    WebSocketProtocol13,
    websocket_connect,
)

import tornado4.http
import tornado4.iostream
from helpers import authorities
from helpers.loops import stock_asyncio, tornado4_asyncio
from tornado4 import _websocket
from tornado4._core import Receiving

#: Text and bytes, around what changes a frame's form, and above what is read at once.
MESSAGES = [
    kind * size
    for size in (0, 1, 125, 126, 65_535, 65_536, 200_000, 1_000_000)
    for kind in ("é", b"\xff")
]


@pytest.fixture
def native():
    tornado4.iostream.install()
    tornado4.http.install()
    assert tornado4.http.is_native()
    yield
    tornado4.http.uninstall()
    tornado4.iostream.uninstall()


class Echo(WebSocketHandler):
    """Sends everything back."""

    last = None

    def open(self, *args, **kwargs):
        Echo.last = self.ws_connection

    def on_message(self, message):
        self.write_message(message, binary=isinstance(message, bytes))


def run(use, handler=Echo, factory=tornado4_asyncio, ssl_options=None, request=None, **settings):
    """Run `use(connection)` with a client's connection to a server of such handlers."""

    async def main():
        server = HTTPServer(Application([("/", handler)], **settings), ssl_options=ssl_options)
        with socket.create_server(("127.0.0.1", 0)) as listening:
            listening.setblocking(False)
            server.add_socket(listening)
            port = listening.getsockname()[1]
            scheme = "ws" if ssl_options is None else "wss"
            url = f"{scheme}://127.0.0.1:{port}/"
            connection = await websocket_connect(HTTPRequest(url, **(request or {})))
            try:
                return await asyncio.wait_for(use(connection), 60)
            finally:
                connection.close()
                server.stop()
                while Echo.last is not None and not Echo.last.stream.closed():
                    await asyncio.sleep(0.001)
                Echo.last = None

    loop = factory()
    try:
        return loop.run_until_complete(main())
    finally:
        loop.close()


async def echoes(connection):
    """Have each message echoed."""
    for message in MESSAGES:
        connection.write_message(message, binary=isinstance(message, bytes))
        assert await connection.read_message() == message
    # More of them at once than are read in one go.
    for message in MESSAGES:
        connection.write_message(message, binary=isinstance(message, bytes))
    assert [await connection.read_message() for _ in MESSAGES] == MESSAGES


def test_install_and_uninstall():
    before = {name: _websocket.find(name) for name in _websocket.FUNCTIONS.values()}
    tornado4.http.install()
    tornado4.http.install()
    for name, stock in before.items():
        assert _websocket.find(name) is not stock
        assert _websocket.find(name).__wrapped__ is stock
    assert tornado4.http.reasons() == {}
    tornado4.http.uninstall()
    assert {name: _websocket.find(name) for name in before} == before
    reasons = tornado4.http.reasons()
    for method in ("_receive_frame", "write_message"):
        name = f"tornado.websocket.WebSocketProtocol13.{method}"
        assert reasons[name] == "it isn't installed"


@pytest.mark.parametrize("factory", [tornado4_asyncio, stock_asyncio])
def test_echoes(native, factory):
    run(echoes, factory=factory)


def test_without_native_streams():
    tornado4.http.install()
    try:
        run(echoes)
    finally:
        tornado4.http.uninstall()


def test_tls(native):
    run(echoes, ssl_options=authorities.server(), request={"validate_cert": False})


def test_that_it_is_native(native):
    async def use(connection):
        protocol = connection.protocol
        coroutine = protocol._receive_frame()
        assert type(coroutine) is Receiving
        sent = connection.write_message("a")
        assert not isinstance(sent, asyncio.Task)
        assert not sent.done()
        assert await sent is None
        assert await connection.read_message() == "a"
        assert type(Echo.last._receive_frame()) is Receiving

    run(use)


# What is somebody's own.


def counting(function, calls):
    def counted(*args, **kwargs):
        calls.append(function)
        return function(*args, **kwargs)

    return counted


REPLACED = {
    "_read_bytes": WebSocketProtocol13,
    "_handle_message": WebSocketProtocol13,
    "_write_frame": WebSocketProtocol13,
    "_run_callback": websocket.WebSocketProtocol,
    "_websocket_mask": websocket,
}


@pytest.mark.parametrize("name", REPLACED)
def test_what_is_replaced_is_used_and_then_no_more(native, monkeypatch, name):
    owner, calls = REPLACED[name], []
    with monkeypatch.context() as patching:
        patching.setattr(owner, name, counting(getattr(owner, name), calls))
        run(echoes)
        assert calls
    assert tornado4.http.is_native()
    if name != "_run_callback":
        # That one is always called.
        calls.clear()
        run(echoes)
        assert not calls


@pytest.mark.parametrize("name", ["_read_bytes", "_handle_message", "_websocket_mask"])
@pytest.mark.parametrize("size", [5, 300_000])
def test_what_is_replaced_while_a_frame_is_awaited_is_used(native, monkeypatch, name, size):
    async def use(connection):
        connection.write_message("first")
        assert await connection.read_message() == "first"
        owner, calls = REPLACED[name], []
        monkeypatch.setattr(owner, name, counting(getattr(owner, name), calls))
        connection.write_message("x" * size)
        assert await connection.read_message() == "x" * size
        assert calls

    run(use)


def test_a_subclass_of_the_protocol_has_its_own_methods(native):
    calls = []

    class Mine(WebSocketProtocol13):
        def _handle_message(self, opcode, data):
            calls.append(opcode)
            return super()._handle_message(opcode, data)

        def _write_frame(self, fin, opcode, data, flags=0):
            calls.append(len(data))
            return super()._write_frame(fin, opcode, data, flags)

    class Handler(Echo):
        def get_websocket_protocol(self):
            params = websocket._WebSocketParams()
            return Mine(self, False, params)

    run(echoes, Handler)
    assert calls[:4] == [1, 0, 2, 0]


@pytest.mark.parametrize("name", ["_read_bytes", "_handle_message", "_write_frame"])
def test_an_object_has_its_own_methods(native, name):
    calls = []

    class Handler(Echo):
        def open(self, *args, **kwargs):
            super().open()
            protocol = self.ws_connection
            setattr(protocol, name, counting(getattr(protocol, name), calls))

    run(echoes, Handler)
    assert calls


def test_a_stream_has_its_own_methods(native, monkeypatch):
    calls = []

    class Mine(IOStream):
        def read_from_fd(self, buf):
            calls.append("read")
            return super().read_from_fd(buf)

        def write(self, data):
            calls.append("write")
            return super().write(data)

    monkeypatch.setattr(tcpserver, "IOStream", Mine)
    run(echoes)
    assert {"read", "write"} == set(calls)


def test_subclasses_of_handlers_and_connections(native):
    said = []

    class Handler(Echo):
        def write_message(self, message, binary=False):
            said.append(message)
            return super().write_message(message, binary)

        def on_message(self, message):
            super().on_message(message * 2)

    async def use(connection):
        connection.write_message({"a": 1})
        assert await connection.read_message() == '{"a": 1}' * 2

    run(use, Handler)
    assert said == ['{"a": 1}' * 2]


def test_a_tornado_that_is_not_known_is_left_alone():
    code = """
        import tornado.websocket, linecache
        lines = linecache.getlines(tornado.websocket.__file__)
        # As a distribution might have patched it.
        at = next(i for i, line in enumerate(lines) if "self._wire_bytes_in += n" in line)
        lines[at] = lines[at].replace("n", "n + 0")
        import tornado4.http
        tornado4.http.install()
        for name, reason in tornado4.http.reasons().items():
            print(name, reason)
    """
    out = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=120,
    )
    protocol = "tornado.websocket.WebSocketProtocol13"
    assert out.stdout.splitlines() == [
        f"{protocol}._receive_frame the source of {protocol}._read_bytes isn't one that is known"
    ]


def test_it_comes_with_the_switch_when_tornado_websocket_is_imported():
    code = """
        import sys, tornado4
        tornado4.install()
        import tornado.web
        assert "tornado4._websocket" not in sys.modules
        import tornado.websocket
        method = tornado.websocket.WebSocketProtocol13._receive_frame
        assert method.__wrapped__ is not method
        tornado4.uninstall()
        assert not hasattr(tornado.websocket.WebSocketProtocol13._receive_frame, "__wrapped__")
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, timeout=120)


def test_check_tells_of_it():
    code = """if True:
        from tornado.websocket import WebSocketProtocol13
        WebSocketProtocol13._write_frame = lambda self: None
    """
    command = [sys.executable, "-m", "tornado4", "--check", "-c"]
    own, other = (
        subprocess.run([*command, it], capture_output=True, text=True, check=True, timeout=120)
        for it in ("import tornado.websocket", code)
    )
    assert "\n  WebSocket   native\n" in own.stderr
    assert "\n  WebSocket   native, but for these:\n" in other.stderr
    assert "13.write_message: something that it calls was replaced\n" in other.stderr


# What is awaited.


def alone(use):
    """Run `use(protocol)` with a protocol whose peer says nothing."""

    async def main():
        mine, other = socket.socketpair()
        protocol = WebSocketProtocol13(None, False, websocket._WebSocketParams())
        protocol.stream = IOStream(mine)
        with other:
            await asyncio.wait_for(use(protocol), 60)
        protocol.stream.close()

    loop = tornado4_asyncio()
    loop.run_until_complete(main())
    loop.close()


def test_a_frame_is_awaited_like_a_coroutine(native):
    async def use(protocol):
        coroutine = protocol._receive_frame()
        future = coroutine.send(None)
        assert asyncio.isfuture(future)
        assert protocol.stream.reading()
        with pytest.raises(KeyError, match="mine"):
            coroutine.throw(KeyError("mine"))
        for again in (coroutine.__next__, lambda: coroutine.throw(KeyError), coroutine.__next__):
            with pytest.raises(RuntimeError, match="already awaited"):
                again()
        coroutine.close()
        begun = protocol._receive_frame()
        with pytest.raises(KeyError):
            begun.throw(KeyError)
        protocol.stream.close()
        with pytest.raises(StreamClosedError):
            await protocol._receive_frame()
        closed = protocol._receive_frame()
        closed.close()
        with pytest.raises(RuntimeError):
            await closed

    alone(use)


def test_whoever_waits_for_a_frame_may_be_cancelled(native):
    async def use(protocol):
        task = asyncio.create_task(protocol._receive_frame())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    alone(use)


def test_frames_are_handled_one_after_the_other(native):
    said = []

    class Handler(Echo):
        async def on_message(self, message):
            said.append(("begins", message))
            await asyncio.sleep(0.001)
            said.append(("ends", message))
            await self.write_message(message)

    async def use(connection):
        for message in "abc":
            connection.write_message(message)
        assert [await connection.read_message() for _ in "abc"] == list("abc")

    run(use, Handler)
    assert said == [(what, message) for message in "abc" for what in ("begins", "ends")]


def test_no_more_is_read_than_somebody_handles(native):
    release = []

    class Handler(Echo):
        async def on_message(self, message):
            while not release:
                await asyncio.sleep(0.001)

    async def use(connection):
        message = bytes(1_000)
        sending = [connection.write_message(message, binary=True) for _ in range(50_000)]
        while Echo.last.stream._read_buffer_size == 0:
            await asyncio.sleep(0.001)
        for _ in range(200):
            await asyncio.sleep(0)
        # What is read at once, and what Tornado reads at most besides.
        assert Echo.last.stream._read_buffer_size < 500_000
        assert not sending[-1].done()
        release.append(True)
        await asyncio.gather(*sending)

    run(use, Handler)


# What is sent.


def test_who_sends_waits_until_it_is_sent(native):
    async def use(connection):
        big = bytes(5_000_000)
        sent = [Echo.last.write_message(big, binary=True) for _ in range(10)]
        # The client reads no more than one message that nobody has asked for.
        await asyncio.sleep(0.05)
        assert not sent[-1].done()
        for _ in sent:
            assert await connection.read_message() == big
        assert await asyncio.gather(*sent) == [None] * 10

    run(use)


def test_what_is_not_sent_any_more_is_an_error(native):
    async def use(connection):
        server = Echo.last
        sent = server.write_message(bytes(50_000_000), binary=True)
        server.stream.close()
        with pytest.raises(WebSocketClosedError) as raised:
            await sent
        assert isinstance(raised.value.__context__, StreamClosedError)
        with pytest.raises(WebSocketClosedError):
            server.write_message("more")

    run(use)


def test_a_future_that_was_cancelled_is_no_error(native, caplog):
    async def use(connection):
        sent = connection.write_message("a")
        sent.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sent
        assert await connection.read_message() == "a"

    run(use)
    assert not caplog.records


@pytest.mark.parametrize("what", ["a task factory", "debug mode"])
def test_who_looks_at_tasks_sees_them(native, what):
    async def use(connection):
        loop = asyncio.get_running_loop()
        made = []

        def factory(loop, coro, **kwargs):
            made.append(coro)
            return asyncio.Task(coro, loop=loop, **kwargs)

        if what == "debug mode":
            loop.set_debug(True)
        else:
            loop.set_task_factory(factory)
        sent = connection.write_message("a")
        assert isinstance(sent, asyncio.Task)
        assert made or what == "debug mode"
        await sent
        loop.set_debug(False)

    run(use)


def test_a_loop_without_a_task_factory(native, monkeypatch):
    async def use(connection):
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "get_task_factory", mock.Mock(side_effect=NotImplementedError))
        assert isinstance(connection.write_message("a"), asyncio.Task)
        assert await connection.read_message() == "a"

    run(use)


@pytest.mark.parametrize("message", ["\ud800", 5, None, object()])
def test_what_is_no_message_is_refused(native, message):
    async def use(connection):
        before = connection.protocol._wire_bytes_out
        with pytest.raises((UnicodeEncodeError, TypeError, AssertionError)):
            connection.protocol.write_message(message)
        assert connection.protocol._wire_bytes_out == before
        with pytest.raises(TypeError):
            connection.protocol.write_message()
        with pytest.raises(TypeError):
            connection.protocol.write_message("a", False, 3)
        with pytest.raises(TypeError):
            connection.protocol.write_message("a", bad=1)

    run(use)


def test_nothing_leaks(native):
    async def use(connection):
        for _ in range(100):
            connection.write_message("a")
            await connection.read_message()

    def there():
        gc.collect()
        return {id(it) for it in gc.get_objects() if type(it) is Receiving}

    before = there()
    for _ in range(3):
        run(use)
    # One may be kept by what another test has left, but not one of each connection.
    assert len(there() - before) < 3
