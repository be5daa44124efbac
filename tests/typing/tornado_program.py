"""A program of Tornado code, as type checkers see it."""

import asyncio
import contextlib
import socket
from datetime import timedelta
from typing import Any

import tornado.ioloop
import tornado.iostream
from typing_extensions import assert_type

import tornado4
import tornado4.http
from tornado4 import iostream
from tornado4.ioloop import IOLoop, PeriodicCallback, TimeoutError
from tornado4.platform.asyncio import EventLoop
from tornado4.web import Application, RequestHandler


class Hello(RequestHandler):
    async def get(self) -> None:
        self.write("hello")


class Own(IOLoop):
    def initialize(self, *args: Any, name: str = "", **kwargs: Any) -> None:
        super().initialize(*args, **kwargs)
        self.name = name


async def job(number: int) -> int:
    await asyncio.sleep(0)
    return number


io_loop = IOLoop()
assert_type(io_loop, IOLoop)
assert_type(IOLoop.current(), IOLoop)
assert_type(IOLoop.current(instance=False), "IOLoop | None")
assert_type(IOLoop.instance(), IOLoop)
assert IOLoop.instance() is IOLoop.current() is io_loop
as_tornados: tornado.ioloop.IOLoop = io_loop
own = Own(name="mine", make_current=False)
assert_type(own, Own)
own.close()

timeout = io_loop.call_later(10, print, "later", sep="")
io_loop.remove_timeout(timeout)
io_loop.remove_timeout(io_loop.add_timeout(timedelta(seconds=10), print))
io_loop.add_callback(print, "called")
assert_type(io_loop.run_sync(lambda: job(1)), int)
io_loop.run_sync(lambda: None)
assert io_loop.run_sync(lambda: [job(1), job(2)]) == [1, 2]
assert_type(io_loop.time(), float)
PeriodicCallback(lambda: None, 1000).stop()
application = Application([("/", Hello)])
with contextlib.suppress(TimeoutError):
    io_loop.run_sync(lambda: asyncio.sleep(10), timeout=0.01)
on_a_loop = IOLoop(asyncio_loop=EventLoop(), make_current=False)
on_a_loop.close()


async def streams() -> bytes:
    one, other = (iostream.IOStream(sock) for sock in socket.socketpair())
    assert_type(one, iostream.IOStream)
    as_tornados: tornado.iostream.BaseIOStream = one
    assert_type(iostream.is_native(as_tornados), bool)
    await other.write(b"a line\n")
    line = await one.read_until(b"\n", max_bytes=100)
    assert_type(line, bytes)
    other.close()
    with contextlib.suppress(iostream.StreamClosedError):
        await one.read_bytes(1, partial=True)
    return line


async def secured(stream: iostream.IOStream) -> iostream.SSLIOStream:
    assert_type(await stream.connect(("localhost", 443)), iostream.IOStream)
    return await stream.start_tls(False, server_hostname="localhost")


iostream.install()
assert_type(io_loop.run_sync(streams), bytes)
iostream.uninstall()
tls_stream: type[iostream.IOStream] = iostream.SSLIOStream
pipe_stream: type[iostream.BaseIOStream] = iostream.PipeIOStream
errors: list[type[Exception]] = [iostream.StreamBufferFullError, iostream.UnsatisfiableReadError]

tornado4.http.install()
assert_type(tornado4.http.is_native(), bool)
assert_type(tornado4.http.reasons(), dict[str, str])
tornado4.http.uninstall()
io_loop.close()


def wrong() -> None:
    IOLoop(make_current="yes")  # type: ignore[arg-type]
    io_loop.call_later("soon", print)  # type: ignore[arg-type]
    io_loop.add_callback(job, "one")  # type: ignore[arg-type]
    io_loop.add_calback(print)  # type: ignore[attr-defined]
    io_loop.run_sync(job)  # type: ignore[arg-type]
    io_loop.run_sync(lambda: "at once")  # type: ignore[arg-type, return-value]
    iostream.is_native(io_loop)  # type: ignore[arg-type]
    iostream.IOStream("a socket")  # type: ignore[arg-type]
    tornado4.http.reason()  # type: ignore[attr-defined]
