"""A Deferred may be awaited in any task of a loop that has a reactor."""

import asyncio
import contextvars
import gc
import subprocess
import sys
import threading
import traceback

import pytest
from tornado import web
from tornado.httpclient import AsyncHTTPClient
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.testing import bind_unused_port
from twisted.internet.defer import (
    Deferred,
    DeferredLock,
    fail,
    succeed,
)
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool

from helpers.worlds import WORLDS, made


@pytest.fixture(params=WORLDS)
def world(request):
    with made(request.param) as world:
        yield world


def test_a_deferred_that_fires_later(world):
    async def main():
        return await deferLater(world.reactor, 0.01, lambda: "value")

    assert world.run(main()) == "value"


def test_one_that_has_fired(world):
    async def main():
        deferred = succeed("value")
        return await deferred, await deferred

    assert world.run(main()) == ("value", "value")


def test_one_that_fires_in_the_same_turn(world):
    async def main():
        deferred = Deferred()
        asyncio.get_running_loop().call_soon(deferred.callback, "value")
        return await deferred

    assert world.run(main()) == "value"


def test_a_failure_is_raised_with_its_traceback_and_is_handled(world):
    def fails():
        raise ValueError("mine")

    async def main():
        with pytest.raises(ValueError, match="mine") as caught:
            await deferLater(world.reactor, 0.01, fails)
        with pytest.raises(ValueError, match="fired"):
            await fail(ValueError("fired"))
        return [frame.name for frame in traceback.extract_tb(caught.tb)]

    names = world.run(main())
    assert "main" in names
    assert names[-1] == "fails"


def test_a_failure_leaves_the_task_with_its_traceback(world):
    def fails():
        raise ValueError("mine")

    async def inner():
        await deferLater(world.reactor, 0.01, fails)

    async def main():
        await asyncio.create_task(inner())

    with pytest.raises(ValueError, match="mine") as caught:
        world.run(main())
    names = [frame.name for frame in traceback.extract_tb(caught.tb)]
    named = [name for name in names if name in {"main", "inner", "fails"}]
    assert named == ["main", "inner", "fails"]


def test_a_stop_iteration_does_not_hang(world):
    async def main():
        with pytest.raises(RuntimeError):
            await deferLater(world.reactor, 0.01, next, iter([]))

    world.run(main())


def test_one_that_waits_for_another(world):
    async def main():
        inner = Deferred()
        outer = succeed(None).addCallback(lambda _: inner)
        world.later(inner.callback, "value")
        return await outer

    assert world.run(main()) == "value"


def test_one_that_is_paused(world):
    async def main():
        deferred = succeed("value")
        deferred.pause()
        world.later(deferred.unpause)
        return await deferred

    assert world.run(main()) == "value"


def test_one_that_is_paused_between_its_firing_and_the_step_of_the_task(world):
    async def main():
        deferred = Deferred()
        waiting = asyncio.ensure_future(deferred)
        await asyncio.sleep(0)
        deferred.callback("value")
        deferred.pause()
        await asyncio.sleep(0.01)
        assert not waiting.done()
        deferred.unpause()
        return await waiting

    assert world.run(main()) == "value"


def test_the_result_of_a_thread(world):
    async def main():
        pool = world.reactor.getThreadPool()
        return await deferToThreadPool(world.reactor, pool, threading.get_ident)

    world.reactor.callWhenRunning(world.reactor.getThreadPool)
    assert world.run(main()) != threading.get_ident()


def test_in_depth(world):
    """Through coroutines, asynchronous generators and context managers."""

    async def values():
        try:
            for value in range(3):
                yield await deferLater(world.reactor, 0, lambda value=value: value)
        finally:
            await deferLater(world.reactor, 0, seen.append, "closed")

    async def middle():
        lock, found = DeferredLock(), []
        await lock.acquire()
        world.later(lock.release)
        async with lock:
            async for value in values():
                found.append(value)
        return found

    async def main():
        return await middle()

    seen = []
    assert world.run(main()) == [0, 1, 2]
    assert seen == ["closed"]


def test_an_asynchronous_generator_that_is_left_is_closed(world):
    async def values():
        try:
            yield 1
        finally:
            await deferLater(world.reactor, 0, seen.append, "closed")

    async def main():
        async for _ in values():
            break
        gc.collect()
        await asyncio.sleep(0.05)

    seen = []
    world.run(main())
    assert seen == ["closed"]


def test_every_way_to_make_a_task(world):
    def later(value):
        return deferLater(world.reactor, 0.01, lambda: value)

    async def wait(value):
        return await later(value)

    async def main():
        loop = asyncio.get_running_loop()
        found = [
            await asyncio.create_task(wait(1)),
            await loop.create_task(wait(2)),
            await asyncio.ensure_future(wait(3)),
            await asyncio.wait_for(wait(4), 10),
            await asyncio.shield(wait(5)),
            *await asyncio.gather(wait(6), later(7), asyncio.sleep(0, 8)),
            await asyncio.ensure_future(later(9)),
            await asyncio.wait_for(later(10), 10),
        ]
        done, _ = await asyncio.wait([asyncio.create_task(wait(11))])
        found += [task.result() for task in done]
        for coroutine in asyncio.as_completed([wait(12)]):
            found.append(await coroutine)
        return found

    assert world.run(main()) == list(range(1, 13))


@pytest.mark.skipif(sys.version_info < (3, 11), reason="new in Python 3.11")
def test_a_task_group(world):
    async def wait(value):
        return await deferLater(world.reactor, 0.01, lambda: value)

    async def main():
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(wait(value)) for value in range(3)]
        with pytest.raises(Exception, match="unhandled errors in a TaskGroup"):
            await failing()
        assert len(cancelled) == 1
        return [task.result() for task in tasks]

    async def failing():
        async with asyncio.TaskGroup() as group:
            group.create_task(forever())
            group.create_task(wait_and_fail())

    async def forever():
        await Deferred(cancelled.append)

    async def wait_and_fail():
        await deferLater(world.reactor, 0.01, lambda: 1 / 0)

    cancelled = []
    assert world.run(main()) == [0, 1, 2]


def test_a_tornado_handler_and_callback(world):
    class Handler(web.RequestHandler):
        async def get(self):
            self.write(await deferLater(world.reactor, 0.01, lambda: "served"))

    async def called():
        seen.set_result(await deferLater(world.reactor, 0.01, lambda: "called"))

    async def main():
        nonlocal seen
        seen = asyncio.get_running_loop().create_future()
        IOLoop.current().add_callback(called)
        sock, port = bind_unused_port()
        server = HTTPServer(web.Application([("/", Handler)]))
        server.add_socket(sock)
        client = AsyncHTTPClient(force_instance=True)
        response = await client.fetch(f"http://127.0.0.1:{port}/")
        client.close()
        server.stop()
        await server.close_all_connections()
        return response.body, await seen

    seen = None
    assert world.run(main()) == (b"served", "called")


def test_the_context_is_the_tasks(world):
    variable = contextvars.ContextVar("variable")

    async def main():
        variable.set("mine")
        deferred = Deferred()
        contextvars.Context().run(world.later, deferred.callback, None)
        await deferred
        task = asyncio.current_task()
        variable.set("changed")
        await deferLater(world.reactor, 0.01, lambda: variable.set("another's"))
        return task is not None and variable.get()

    assert world.run(main()) == "changed"


INSTALLED = """
import asyncio, tornado4, tornado.ioloop
from tornado4.platform.twisted import install
reactor = install()
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

async def wait(value):
    return await deferLater(reactor, 0.01, lambda: value)
"""
WAYS = {
    "tornado4.run": "print(tornado4.run(wait('value')))",
    "run_sync": "print(tornado.ioloop.IOLoop.current().run_sync(lambda: wait('value')))",
    "run_until_complete": "print(reactor._asyncioEventloop.run_until_complete(wait('value')))",
    "reactor.run": """
async def main():
    print(await wait("value"))
    reactor.stop()
reactor.callWhenRunning(lambda: asyncio.ensure_future(main()))
reactor.run()
""",
    "IOLoop.start": """
async def main():
    print(await wait("value"))
    reactor.stop()
tornado.ioloop.IOLoop.current().add_callback(main)
tornado.ioloop.IOLoop.current().start()
""",
    "asyncio.Runner": """
with asyncio.Runner(loop_factory=lambda: reactor._asyncioEventloop) as runner:
    print(runner.run(wait("value")))
""",
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_run_the_global_reactor(way):
    if way == "asyncio.Runner" and sys.version_info < (3, 11):
        pytest.skip("new in Python 3.11")
    command = [sys.executable, "-c", INSTALLED + WAYS[way]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("value\n", "")
