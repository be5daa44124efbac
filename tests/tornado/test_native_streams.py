"""The classes of `tornado4.iostream`: Tornado's, and native as long as nobody has put in the
place of their methods what the native code would leave out."""

import abc
import asyncio
import contextlib
import gc
import os
import re
import socket
import ssl
import struct
import subprocess
import sys
import weakref
from unittest import mock

import pytest
from tornado import iostream as stock
from tornado.http1connection import HTTP1Connection
from tornado.httputil import HTTPMessageDelegate
from tornado.tcpserver import TCPServer

import tornado4.iostream as native
from helpers.certificates import ssl_contexts
from helpers.loops import on_io_loops
from tornado4._streams import drives

CLASSES = ("IOStream", "SSLIOStream", "PipeIOStream")


@contextlib.contextmanager
def pair(module=native, **kwargs):
    """Two streams that are connected."""
    ends = [module.IOStream(sock, **kwargs) for sock in socket.socketpair()]
    try:
        yield ends
    finally:
        for end in ends:
            end.close()


@contextlib.contextmanager
def installed():
    native.install()
    try:
        yield
    finally:
        native.uninstall()


def run(main, *args):
    from tornado4.ioloop import IOLoop

    return IOLoop(make_current=False).run_sync(lambda: main(*args), timeout=20)


@pytest.mark.parametrize("name", CLASSES)
def test_the_classes_are_tornados(name):
    mine, theirs = getattr(native, name), getattr(stock, name)
    assert mine is not theirs
    assert issubclass(mine, theirs)
    # Code that asks for ours gets what Tornado has made, and the other way round.
    assert issubclass(theirs, mine)
    assert not issubclass(stock.BaseIOStream, mine)


def test_every_other_name_is_the_same_object():
    for name in dir(stock):
        if name not in CLASSES and not name.startswith("__"):
            assert getattr(native, name) is getattr(stock, name), name
    assert dir(native) == sorted(native.__all__)
    assert not hasattr(native, "no_such_name")


def test_a_stream_of_tornados_is_an_instance():
    async def main():
        with pair(stock) as (one, _), pair() as (other, _):
            assert isinstance(one, native.IOStream)
            assert not isinstance(one, native.SSLIOStream)
            assert isinstance(other, stock.IOStream)
            assert not isinstance(one, Own)
            assert not native.is_native(one)
            assert native.is_native(other)

    class Own(native.IOStream):
        pass

    run(main)


def test_a_subclass_may_have_abstract_methods():
    class Sized(abc.ABC):
        @abc.abstractmethod
        def size(self): ...

    class Own(native.IOStream, Sized):
        def size(self):
            return 1

    async def main():
        ends = [Own(sock) for sock in socket.socketpair()]
        await ends[0].write(b"data")
        assert await ends[1].read_bytes(4) == b"data"
        assert native.is_native(ends[0])
        assert isinstance(ends[0], Sized)
        for end in ends:
            end.close()

    run(main)


LEFT_OUT = [
    *("read_from_fd", "write_to_fd", "_read_to_buffer", "_find_read_pos", "_add_io_state"),
    *("_handle_read", "_handle_write", "_consume", "closed", "reading", "writing"),
]


@pytest.mark.parametrize("name", LEFT_OUT)
@pytest.mark.parametrize("where", ["object", "class", "base", "subclass"])
def test_a_method_of_somebodys_own_is_called(name, where):
    """Wherever it is put, from then on, until it is taken away."""
    original = getattr(native.IOStream, name)
    calls = []

    def own(stream, *args):
        calls.append(name)
        return original(stream, *args)

    async def exchange(ends):
        calls.clear()
        # More than fits, so that a part waits to be written.
        writing = ends[0].write(bytes(1_000_000))
        read = ends[1].read_bytes(1_000_000)
        ends[0].writing(), ends[1].reading()
        assert await read == bytes(1_000_000)
        await writing
        return list(calls)

    async def main():
        if where == "subclass":
            own_class = type("Own", (native.IOStream,), {name: own})
            with pair(mock.Mock(IOStream=own_class)) as ends:
                assert not native.is_native(ends[0])
                assert await exchange(ends)
            return
        with pair() as ends:
            assert native.is_native(ends[0])
            assert await exchange(ends) == []
            with contextlib.ExitStack() as stack:
                if where == "object":
                    for end in ends:
                        bound = own.__get__(end)
                        stack.enter_context(mock.patch.object(end, name, bound))
                else:
                    class_ = native.IOStream if where == "class" else stock.IOStream
                    stack.enter_context(mock.patch.object(class_, name, own))
                assert not native.is_native(ends[0])
                assert await exchange(ends)
            assert native.is_native(ends[0])
            assert await exchange(ends) == []

    run(main)


def test_each_stream_is_looked_at_by_its_own_class():
    class Own(native.IOStream):
        def writing(self):
            return super().writing()

    class Plain(native.IOStream):
        pass

    async def main():
        with contextlib.ExitStack() as stack:
            for class_ in (Own, Plain, Plain, Own, native.IOStream, Own, Plain):
                ends = socket.socketpair()
                stack.callback(ends[1].close)
                stream = class_(ends[0])
                stack.callback(stream.close)
                assert drives(stream) is (class_ is not Own)
            Plain.writing = Own.writing
            assert not drives(stream)
            del Plain.writing
            assert drives(stream)

    run(main)


def test_the_methods_that_tornado_documents_for_subclasses_are_called():
    calls = set()

    class Own(native.IOStream):
        def fileno(self):
            calls.add("fileno")
            return super().fileno()

        def close_fd(self):
            calls.add("close_fd")
            super().close_fd()

        def read_from_fd(self, buf):
            calls.add("read_from_fd")
            count = super().read_from_fd(buf)
            if count:
                buf[:count] = bytes(buf[:count]).upper()
            return count

        def write_to_fd(self, data):
            calls.add("write_to_fd")
            return super().write_to_fd(data[:3])

    async def main():
        one, other = (Own(sock) for sock in socket.socketpair())
        reading = other.read_until(b"T")
        await one.write(b"some text")
        assert await reading == b"SOME T"
        assert await other.read_bytes(3) == b"EXT"
        one.close()
        other.close()

    run(main)
    assert calls == {"fileno", "close_fd", "read_from_fd", "write_to_fd"}


def test_a_property_in_the_place_of_an_attribute_is_asked():
    class Own(native.IOStream):
        @property
        def max_buffer_size(self):
            return 10

        @max_buffer_size.setter
        def max_buffer_size(self, value):
            pass

    async def main():
        one, other = (Own(sock) for sock in socket.socketpair())
        assert not native.is_native(one)
        await one.write(bytes(100))
        with pytest.raises(stock.StreamBufferFullError):
            await other.read_bytes(100)
        assert other.closed()
        one.close()

    run(main)


def test_pipes_are_native():
    async def main():
        reading, writing = os.pipe()
        reader, writer = native.PipeIOStream(reading), native.PipeIOStream(writing)
        assert native.is_native(reader)
        write = writer.write(bytes(300_000))
        assert await reader.read_bytes(300_000) == bytes(300_000)
        await write
        writer.close()
        assert await reader.read_until_close() == b""

    run(main)


def test_start_tls_makes_a_native_stream():
    async def main():
        server, client = ssl_contexts()
        one, other = map(native.IOStream, socket.socketpair())
        ends = await asyncio.gather(
            one.start_tls(True, server), other.start_tls(False, client, "test")
        )
        assert [type(end) for end in ends] == [native.SSLIOStream] * 2
        assert all(map(native.is_native, ends))
        write = ends[0].write(bytes(200_000))
        assert await ends[1].read_bytes(200_000) == bytes(200_000)
        await write
        for end in ends:
            end.close()

    run(main)


def test_start_tls_that_fails_is_reported_as_on_tornados():
    async def main(module):
        _, client = ssl_contexts()
        one, other = map(module.IOStream, socket.socketpair())
        shaking = one.start_tls(False, client, "test")
        await other.write(b"no TLS at all")
        with pytest.raises(ssl.SSLError) as caught:
            await shaking
        other.close()
        return caught.value.reason

    assert run(main, native) == run(main, stock)


async def tls_over_tcp(module):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        one = socket.create_connection(listener.getsockname())
        two, _ = listener.accept()
    server, client = ssl_contexts()
    streams = await asyncio.gather(
        module.IOStream(one).start_tls(True, server),
        module.IOStream(two).start_tls(False, client, "test"),
    )
    for sender, receiver in (streams, reversed(streams)):
        await sender.write(b"x")
        await receiver.read_bytes(1)
    return streams


@pytest.mark.parametrize("what", ["read", "read_into", "waiting", "write", "write much"])
def test_a_connection_over_tls_that_is_reset(what):
    """The system says so once. Python's versions make different errors of it."""

    async def main(module):
        one, two = await tls_over_tcp(module)
        tries = {
            "read": lambda: one.read_bytes(5),
            "read_into": lambda: one.read_into(bytearray(5)),
            "waiting": lambda: waiting,
            "write": lambda: one.write(b"x"),
            "write much": lambda: one.write(b"x" * 500_000),
        }
        if what == "waiting":
            waiting = one.read_bytes(5)
        linger = struct.pack("ii", 1, 0)
        two.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        two.close()
        with pytest.raises(stock.StreamClosedError) as raised:
            await tries[what]()
        return repr(raised.value.real_error), repr(one.error), one.closed()

    assert run(main, native) == run(main, stock)


@on_io_loops
def test_a_socket_that_is_closed_behind_its_stream(run):
    def scenario(io_loop, trace):
        async def main():
            for module in (stock, native):
                for what in ("read", "write"):
                    with pair(module) as (one, _):
                        one.socket.close()
                        try:
                            future = one.read_bytes(1) if what == "read" else one.write(b"x")
                            await future
                        except OSError as error:
                            real = getattr(error, "real_error", None)
                            trace.append((what, type(error).__name__, repr(real)))
                        trace.append((one.closed(), repr(one.error)))

        io_loop.run_sync(main)
        assert trace[:4] == trace[4:]

    run(scenario)


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("what", ["read_bytes", "read_until", "read_until_regex", "write"])
def test_a_stream_that_is_closed_while_the_future_is_made(what, tls):
    """The loop may be asked for its mode by Python code: the number of the descriptor can be
    another socket's then, and OpenSSL's connection is gone."""

    async def main():
        one, two = (native.IOStream(sock) for sock in socket.socketpair())
        if tls:
            server, client = ssl_contexts()
            one, two = await asyncio.gather(
                one.start_tls(True, server), two.start_tls(False, client, "test")
            )
        await two.write(b"for the stream")
        number, others = one.socket.fileno(), []
        # Whoever keeps a future has another one made.
        kept = one.write(b"before")

        def get_debug():
            if not others:
                one.close()
                others.extend(socket.socketpair())
                others[1].sendall(b"for another")
            return False

        argument = 3 if what == "read_bytes" else b"for"
        asks = mock.patch.object(asyncio.get_running_loop(), "get_debug", get_debug)
        with asks, pytest.raises(stock.StreamClosedError):
            await getattr(one, what)(argument)
        await kept
        two.close()
        with others[0], others[1]:
            assert others[0].fileno() == number
            assert others[0].recv(100) == b"for another"
            others[1].setblocking(False)
            with pytest.raises(BlockingIOError):
                others[1].recv(1)

    run(main)


@pytest.mark.parametrize("in_buffer", [True, False])
@pytest.mark.parametrize("module", [native, stock])
def test_a_stream_that_is_closed_while_its_data_are_searched(module, in_buffer):
    """A long search runs signal handlers."""

    class Pattern:
        def __init__(self, handler):
            self.handler = handler

        def search(self, data):
            handler, self.handler = self.handler, None
            if handler is not None:
                handler()

    async def main():
        one, two = (module.IOStream(sock) for sock in socket.socketpair())
        number, others = one.socket.fileno(), []

        def handler():
            one.close()
            others.extend(socket.socketpair())
            others[1].sendall(b"for another")

        if in_buffer:
            one._read_buffer += b"data"
            one._read_buffer_size = 4
        else:
            await two.write(b"data")
        future = one._start_read()
        one._read_regex = Pattern(handler)
        if in_buffer:
            with pytest.raises(stock.StreamClosedError):
                one._try_inline_read()
        else:
            one._try_inline_read()
        assert isinstance(future.exception(), stock.StreamClosedError)
        two.close()
        with others[0], others[1]:
            assert others[0].fileno() == number
            assert others[0].recv(100) == b"for another"

    run(main)


def test_a_stream_and_what_it_holds_are_collected():
    async def main():
        with pair() as (one, _):
            one.itself = one
            one.set_close_callback(one.closed)
            await one.write(b"data")
            gone = weakref.ref(one)
        del one
        return gone

    gone = run(main)
    gc.collect()
    assert gone() is None


@pytest.mark.skipif(sys.version_info < (3, 11), reason="there asyncio's TLS is left to itself")
def test_tls_that_cannot_be_driven_directly_is_tornados():
    path = os.path.abspath(__file__)
    code = (
        "import sys, importlib.util as u\n"
        f"sys.path.insert(0, {os.path.dirname(os.path.dirname(path))!r})\n"
        f"spec = u.spec_from_file_location('streams_test', {path!r})\n"
        "module = u.module_from_spec(spec); spec.loader.exec_module(module)\n"
        "module.test_start_tls_makes_a_native_stream()\n"
        "import tornado4; assert tornado4.tls_engine()['ssl'].engine == 'fallback'\n"
    )
    environment = {**os.environ, "TORNADO4_TLS": "fallback"}
    subprocess.run([sys.executable, "-c", code], env=environment, timeout=60, check=True)


def test_a_tornado_that_is_not_known_keeps_its_own_streams():
    code = (
        "import asyncio, socket, tornado\n"
        "tornado.version_info = (9, 0, 0, 0)\n"
        "from tornado4 import iostream\n"
        "iostream.install()\n"
        "async def main():\n"
        "    one, other = map(iostream.IOStream, socket.socketpair())\n"
        "    assert not iostream.is_native(one)\n"
        "    await one.write(b'data')\n"
        "    assert await other.read_bytes(4) == b'data'\n"
        "asyncio.run(main())\n"
    )
    subprocess.run([sys.executable, "-c", code], timeout=60, check=True)


class Greeter(TCPServer):
    streams = ()

    async def handle_stream(self, stream, address):
        self.streams = [*self.streams, stream]
        await stream.write(await stream.read_until(b"\n"))


def test_install_makes_tornados_own_streams_native():
    originals = dict(vars(stock.BaseIOStream))

    async def main():
        with pair(stock) as (one, other), installed():
            native.install()  # once more: nothing changes
            # One that was there before.
            assert native.is_native(one)
            await one.write(b"data")
            assert await other.read_bytes(4) == b"data"
            server = Greeter()
            server.listen(0, "127.0.0.1")
            (listening,) = server._sockets.values()
            client = stock.IOStream(socket.socket())
            await client.connect(listening.getsockname())
            await client.write(b"hello\n")
            assert await client.read_until(b"\n") == b"hello\n"
            assert native.is_native(client)
            assert native.is_native(server.streams[0])
            assert type(client) is stock.IOStream
            client.close()
            server.stop()
        assert not native.is_native(one)

    run(main)
    assert dict(vars(stock.BaseIOStream)) == originals
    native.uninstall()
    assert dict(vars(stock.BaseIOStream)) == originals


def test_install_leaves_what_somebody_else_has_replaced():
    def own(stream, data):
        raise ValueError(data)

    async def main():
        with mock.patch.object(stock.BaseIOStream, "write", own), pair(stock) as (one, other):
            with installed():
                with pytest.raises(ValueError, match="data"):
                    one.write(b"data")
                other.socket.send(b"x")
                assert await one.read_bytes(1) == b"x"
            assert stock.BaseIOStream.write is own

    run(main)


def test_what_is_replaced_after_install_stays():
    def own(stream, data):
        raise ValueError(data)

    original = stock.BaseIOStream.write
    native.install()
    try:
        stock.BaseIOStream.write = own
    finally:
        native.uninstall()
    assert stock.BaseIOStream.write is own
    stock.BaseIOStream.write = original


def test_install_in_the_middle_of_everything_loses_nothing():
    data = os.urandom(3_000_000)

    async def switch():
        while True:
            native.install()
            await asyncio.sleep(0)
            native.uninstall()
            await asyncio.sleep(0)

    async def send(stream):
        for at in range(0, len(data), 7001):
            await stream.write(data[at : at + 7001])

    async def receive(stream):
        came = b""
        while len(came) < len(data):
            came += await stream.read_bytes(5003, partial=True)
        return came

    async def main():
        with pair(stock) as (one, other):
            switching = asyncio.ensure_future(switch())
            _, came = await asyncio.gather(send(one), receive(other))
            assert came == data
            switching.cancel()

    try:
        run(main)
    finally:
        native.uninstall()


def test_the_end_of_tornados_heads_is_known_without_compiling_its_pattern():
    async def main():
        known = []
        for _ in range(2):
            with pair() as (one, _):
                connection = HTTP1Connection(one, is_client=False)
                reading = asyncio.ensure_future(connection.read_response(HTTPMessageDelegate()))
                while one._read_regex is None:
                    await asyncio.sleep(0)
                known.append(one._read_regex)
                one.close()
                with pytest.raises(stock.StreamClosedError):
                    await reading
            # Whoever compiles it would find the same one again.
            re.purge()
        assert known[0] is known[1]
        assert known[0] == re.compile(b"\r?\n\r?\n")

    run(main)
