"""The futures that Tornado's native streams return: of the loop that runs, and nobody else's."""

import asyncio
import gc
import os
import socket
import threading
import weakref

import pytest
from tornado import iostream

import tornado4
import tornado4.iostream
from helpers.loops import stock_asyncio, tornado4_asyncio
from tornado4 import _core

LOOPS = {"tornado4": tornado4_asyncio, "asyncio": stock_asyncio}
on_loops = pytest.mark.parametrize("factory", LOOPS.values(), ids=LOOPS)


@pytest.fixture
def pair():
    pairs = []

    def make():
        ends = [tornado4.iostream.IOStream(sock) for sock in socket.socketpair()]
        pairs.append(ends)
        return ends

    yield make
    for ends in pairs:
        for end in ends:
            end.close()


def run(factory, main):
    loop = factory()
    try:
        return loop.run_until_complete(asyncio.wait_for(main(), 20))
    finally:
        loop.close()


@on_loops
def test_each_write_has_a_future_of_its_own_as_long_as_somebody_has_it(factory, pair):
    async def main():
        one, two = pair()
        kept = [one.write(b"x") for _ in range(5)]
        assert len(set(map(id, kept))) == 5
        for future in kept:
            assert type(future) is asyncio.Future
            assert future.get_loop() is asyncio.get_running_loop()
            assert future.done()
            assert await future is None
        del kept[1:]
        assert one.write(b"x") is not kept[0]
        assert await two.read_bytes(6) == b"x" * 6

    run(factory, main)


@on_loops
def test_what_somebody_has_put_on_a_future_is_not_on_the_next_one(factory, pair):
    async def main():
        one, _ = pair()
        future = one.write(b"x")
        future.mine = True
        future = None
        assert not hasattr(one.write(b"x"), "mine")
        seen = weakref.ref(one.write(b"x"))
        assert seen() is not one.write(b"x")
        called = []
        one.write(b"x").add_done_callback(called.append)
        for _ in range(3):
            await asyncio.sleep(0)
        assert len(called) == 1
        assert called[0] is not one.write(b"x")

    run(factory, main)


@on_loops
def test_a_weak_reference_dies_with_the_future(factory, pair):
    async def main():
        one, _ = pair()
        await one.write(b"x")
        seen = weakref.ref(one.write(b"x"))
        one.write(b"x")
        assert seen() is None

    run(factory, main)


def test_a_write_that_waits_leaves_the_next_ones_done(pair):
    async def main():
        one, two = pair()
        await one.write(b"x")
        waiting = one.write(bytes(5_000_000))
        assert not waiting.done()
        other, _ = pair()
        for _ in range(3):
            assert other.write(b"x").done()
        assert len(await two.read_bytes(5_000_001)) == 5_000_001
        assert await waiting is None

    run(tornado4_asyncio, main)


def test_a_future_is_of_the_loop_that_runs(pair):
    """One loop's callbacks run another one, in the same thread and in another one."""
    found = []

    async def write(stream):
        await stream.write(b"x")
        future = stream.write(b"x")
        found.append(future.get_loop() is asyncio.get_running_loop())
        reading = stream.read_bytes(1)
        found.append(reading.get_loop() is asyncio.get_running_loop())
        reading.cancel()

    def elsewhere(factory):
        async def main():
            await write(pair()[0])

        run(factory, main)

    async def main():
        one, _ = pair()
        await write(one)
        for factory in LOOPS.values():
            thread = threading.Thread(target=elsewhere, args=(factory,))
            thread.start()
            thread.join()
            running, task = asyncio._get_running_loop(), asyncio.current_task()
            # Since Python 3.14 a thread has one task that runs, whichever the loop.
            asyncio.tasks._leave_task(running, task)
            asyncio._set_running_loop(None)
            try:
                elsewhere(factory)
            finally:
                asyncio._set_running_loop(running)
                asyncio.tasks._enter_task(running, task)
            await write(pair()[0])

    run(tornado4_asyncio, main)
    assert found == [True] * 14


def test_without_a_running_loop_it_is_as_without(pair):
    async def main():
        native, _ = pair()
        stock = iostream.IOStream(socket.socketpair()[0])
        await native.write(b"x")
        running = asyncio._get_running_loop()
        other = tornado4.new_event_loop()
        asyncio._set_running_loop(other)
        try:
            assert native.write(b"x").get_loop() is other
            assert stock.write(b"x").get_loop() is other
            assert _core.running_loop() is other
            asyncio._set_running_loop(None)
            assert _core.running_loop() is None
        finally:
            asyncio._set_running_loop(running)
            other.close()
        assert _core.running_loop() is running
        assert native.write(b"x").get_loop() is running
        stock.close()

    run(tornado4_asyncio, main)
    assert _core.running_loop() is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_in_a_forked_child_no_loop_runs(pair):
    async def main():
        one, _ = pair()
        await one.write(b"x")
        assert _core.running_loop() is asyncio.get_running_loop()
        child = os.fork()
        if child == 0:
            right = _core.running_loop() is asyncio._get_running_loop()
            os._exit(0 if right else 1)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    assert run(tornado4_asyncio, main) == 0


def test_in_debug_mode_a_future_knows_where_it_was_made(pair):
    async def main():
        one, _ = pair()
        await one.write(b"x")
        asyncio.get_running_loop().set_debug(True)
        assert one.write(b"x")._source_traceback
        asyncio.get_running_loop().set_debug(False)
        assert not one.write(b"x")._source_traceback

    run(tornado4_asyncio, main)


def test_a_loop_that_has_ended_is_let_go():
    async def main():
        ends = [tornado4.iostream.IOStream(sock) for sock in socket.socketpair()]
        for _ in range(3):
            await ends[0].write(b"x")
            assert await ends[1].read_bytes(1) == b"x"
        for end in ends:
            end.close()

    def once():
        loop = tornado4.new_event_loop()
        loop.run_until_complete(main())
        loop.close()
        return weakref.ref(loop)

    seen = once()
    # Tornado forgets those that are closed when it gets another one.
    once()
    gc.collect()
    assert seen() is None
