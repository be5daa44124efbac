"""A program of Tornado code, as type checkers see it."""

import asyncio
import contextlib
from datetime import timedelta
from typing import Any

import tornado.ioloop
from typing_extensions import assert_type

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
io_loop.close()


def wrong() -> None:
    IOLoop(make_current="yes")  # type: ignore[arg-type]
    io_loop.call_later("soon", print)  # type: ignore[arg-type]
    io_loop.add_callback(job, "one")  # type: ignore[arg-type]
    io_loop.add_calback(print)  # type: ignore[attr-defined]
    io_loop.run_sync(job)  # type: ignore[arg-type]
    io_loop.run_sync(lambda: "at once")  # type: ignore[arg-type, return-value]
