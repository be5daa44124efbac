"""What coroutines do on a TwistedIOLoop: the web, streams, child processes, signals."""

import asyncio
import json
import os
import signal
import threading

import pytest
import tornado.ioloop
from tornado import gen, httpclient, httpserver, web
from tornado.testing import bind_unused_port
from twisted.internet.utils import getProcessOutput

from helpers.loops import LIMIT
from helpers.reactors import io_loop, reactor
from helpers.scenarios import pipe
from tornado4.ioloop import IOLoop

__all__ = ["io_loop", "reactor"]


def test_run_sync(io_loop):
    async def fail():
        await gen.sleep(0)
        raise ValueError("mine")

    assert io_loop.run_sync(lambda: gen.sleep(0)) is None
    assert io_loop.run_sync(lambda: gen.multi([gen.maybe_future(1)])) == [1]
    with pytest.raises(ValueError, match="mine"):
        io_loop.run_sync(fail)
    with pytest.raises(tornado.ioloop.TimeoutError):
        io_loop.run_sync(lambda: gen.sleep(LIMIT), timeout=0.01)


def test_current_inside_callbacks_is_it(io_loop):
    seen = []

    def look(*_):
        seen.extend([IOLoop.current(), tornado.ioloop.IOLoop.current()])
        seen.append(tornado.ioloop.IOLoop.current(instance=False))

    async def main():
        look()
        assert asyncio.get_running_loop() is io_loop.asyncio_loop
        io_loop.remove_handler(r)
        io_loop.stop()

    with pipe() as (r, w):
        os.write(w, b"x")
        io_loop.add_callback(look)
        io_loop.spawn_callback(look)
        io_loop.call_later(0, look)
        io_loop.add_future(io_loop.run_in_executor(None, int), look)
        io_loop.add_handler(r, look, io_loop.READ)
        io_loop.call_later(0.05, main)
        io_loop.start()
    assert len(seen) >= 6 * 3
    assert {id(current) for current in seen} == {id(io_loop)}


class Hello(web.RequestHandler):
    async def get(self):
        await asyncio.sleep(0.001)
        self.write({"current": IOLoop.current() is self.settings["io_loop"]})


def test_a_web_application(io_loop):
    async def main():
        sock, port = bind_unused_port()
        server = httpserver.HTTPServer(web.Application([("/", Hello)], io_loop=io_loop))
        server.add_sockets([sock])
        client = httpclient.AsyncHTTPClient()
        fetches = [client.fetch(f"http://127.0.0.1:{port}/") for _ in range(5)]
        answers = [json.loads(answer.body) for answer in await asyncio.gather(*fetches)]
        client.close()
        server.stop()
        await server.close_all_connections()
        return answers

    assert io_loop.run_sync(main, timeout=LIMIT) == [{"current": True}] * 5


def test_asyncio_streams_and_child_processes(io_loop):
    async def echo(reader, writer):
        writer.write(await reader.readline())
        await writer.drain()
        writer.close()

    async def main():
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"line\n")
        line = await reader.read()
        writer.close()
        server.close()
        await server.wait_closed()
        child = await asyncio.create_subprocess_exec("cat", stdin=-1, stdout=-1)
        return line, (await child.communicate(b"child"))[0], await child.wait()

    assert io_loop.run_sync(main, timeout=LIMIT) == (b"line\n", b"child", 0)


def test_signal_handlers_beside_spawn_process(io_loop, reactor):
    if type(getattr(reactor, "_asyncioEventloop", None)).__module__.startswith("uvloop"):
        pytest.skip("Twisted's own reactor on uvloop loses SIGCHLD now and then, without us too")
    seen = []

    async def main():
        loop, signalled = asyncio.get_running_loop(), asyncio.Event()
        for _ in range(2):
            loop.add_signal_handler(signal.SIGUSR1, signalled.set)
            child = getProcessOutput("/bin/echo", [b"child"], reactor=reactor)
            kill = threading.Timer(0.02, os.kill, [os.getpid(), signal.SIGUSR1])
            kill.start()
            await signalled.wait()
            signalled.clear()
            seen.append(await child.asFuture(loop))
            seen.append(loop.remove_signal_handler(signal.SIGUSR1))

    io_loop.run_sync(main, timeout=LIMIT)
    assert seen == [b"child\n", True] * 2
    assert signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL


def test_a_coroutine_is_no_signal_handler(io_loop):
    async def work():
        pass

    coroutine = work()
    for bad in work, coroutine:
        with pytest.raises(TypeError, match=r"^coroutines cannot be used with add_signal_handler"):
            io_loop.asyncio_loop.add_signal_handler(signal.SIGUSR1, bad)
    coroutine.close()
    assert signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL
