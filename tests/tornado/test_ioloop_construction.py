"""How an IOLoop is made, configured, subclassed and found; PeriodicCallback on it."""

import asyncio
import datetime

import pytest
import tornado.ioloop
from tornado.ioloop import PeriodicCallback
from tornado.platform.asyncio import AsyncIOLoop

from helpers.loops import on_io_loops
from helpers.scenarios import turns


@pytest.fixture
def ours():
    import tornado4.ioloop

    return tornado4.ioloop.IOLoop


@pytest.fixture
def configuration():
    saved = tornado.ioloop.IOLoop._save_configuration()
    yield
    tornado.ioloop.IOLoop._restore_configuration(saved)


async def current():
    return tornado.ioloop.IOLoop.current()


def is_ours(asyncio_loop):
    from tornado4.platform.asyncio import EventLoop

    return isinstance(asyncio_loop, EventLoop)


def test_it_is_a_real_ioloop_on_our_loop(ours):
    io_loop = ours(make_current=False)
    try:
        assert type(io_loop) is ours
        assert isinstance(io_loop, tornado.ioloop.IOLoop)
        assert is_ours(io_loop.asyncio_loop)
    finally:
        io_loop.close()
    assert io_loop.asyncio_loop.is_closed()


def test_two_are_two(ours):
    one, two = ours(make_current=False), ours(make_current=False)
    try:
        assert one is not two
        assert one.asyncio_loop is not two.asyncio_loop
        seen = []
        one.add_callback(seen.append, "one")
        assert two.run_sync(current) is two
        assert seen == []
        assert one.run_sync(current) is one
        assert seen == ["one"]
    finally:
        one.close()
        two.close()


def test_a_subclass_is_initialized(ours):
    class Marked(ours):
        def initialize(self, mark, **kwargs):
            super().initialize(**kwargs)
            self.mark = mark

    class Plain(Marked):
        pass

    for io_loop in [
        Marked("a mark", make_current=False),
        Plain(mark=2, make_current=False),
    ]:
        try:
            assert io_loop.mark in ("a mark", 2)
            assert io_loop.run_sync(current) is io_loop
        finally:
            io_loop.close()
    with pytest.raises(TypeError):
        Marked(make_current=False)


def test_a_failing_initialize_leaves_nothing_behind(ours):
    class Fails(ours):
        def initialize(self, **kwargs):
            super().initialize(**kwargs)
            self.close()
            raise ValueError("mine")

    known = set(tornado.ioloop.IOLoop._ioloop_for_asyncio)
    with pytest.raises(ValueError, match="mine"):
        Fails(make_current=False)
    assert set(tornado.ioloop.IOLoop._ioloop_for_asyncio) <= known


@pytest.mark.parametrize("by_name", [True, False])
def test_configure(ours, configuration, by_name):
    tornado.ioloop.IOLoop.configure("tornado4.ioloop.IOLoop" if by_name else ours)
    io_loop = tornado.ioloop.IOLoop(make_current=False)
    try:
        assert type(io_loop) is ours
        assert is_ours(io_loop.asyncio_loop)
    finally:
        io_loop.close()


@pytest.mark.parametrize("directly", [True, False])
@pytest.mark.parametrize("make_current", [True, False, None])
def test_for_a_foreign_asyncio_loop_it_is_tornados_own(ours, configuration, directly, make_current):
    tornado.ioloop.IOLoop.configure(ours)
    make = ours if directly else tornado.ioloop.IOLoop
    arguments = {} if make_current is None else {"make_current": make_current}
    asyncio.set_event_loop(None)
    loop = asyncio.SelectorEventLoop()
    io_loop = make(asyncio_loop=loop, **arguments)
    try:
        assert type(io_loop) is AsyncIOLoop
        assert io_loop.asyncio_loop is loop
        assert io_loop.run_sync(current) is io_loop
        is_current = make_current is not False
        assert (tornado.ioloop.IOLoop.current(instance=False) is io_loop) == is_current
        with pytest.raises(RuntimeError, match="already associated"):
            make(asyncio_loop=loop, make_current=False)
        second = make(asyncio_loop=asyncio.SelectorEventLoop())
        try:
            # There is one already, or else it becomes the current one.
            found = tornado.ioloop.IOLoop.current(instance=False)
            assert found is (io_loop if is_current else second)
        finally:
            second.close()
    finally:
        io_loop.close()
        asyncio.set_event_loop(None)


def test_what_is_no_asyncio_loop_is_refused(ours):
    class Subclass(ours):
        pass

    loop = asyncio.SelectorEventLoop()
    known = set(tornado.ioloop.IOLoop._ioloop_for_asyncio)
    for make, wrong in [(ours, object()), (ours, ours), (Subclass, loop)]:
        with pytest.raises(TypeError, match="not a tornado4 event loop"):
            make(asyncio_loop=wrong, make_current=False)
    assert set(tornado.ioloop.IOLoop._ioloop_for_asyncio) <= known
    loop.close()


def test_made_current_it_is_found(ours):
    io_loop = ours()
    try:
        assert tornado.ioloop.IOLoop.current() is io_loop
        assert asyncio.get_event_loop() is io_loop.asyncio_loop
    finally:
        asyncio.set_event_loop(None)
        io_loop.close()


def test_not_made_current_it_is_not_found_until_it_runs(ours):
    io_loop = ours(make_current=False)
    try:
        asyncio.set_event_loop(None)
        assert tornado.ioloop.IOLoop.current(instance=False) is None
        assert io_loop.run_sync(current) is io_loop
        assert tornado.ioloop.IOLoop.current(instance=False) is None
    finally:
        io_loop.close()


def test_current_within_what_run_runs():
    import tornado4
    import tornado4.ioloop

    async def main():
        io_loop = tornado.ioloop.IOLoop.current()
        called = asyncio.Event()
        io_loop.add_callback(called.set)
        await called.wait()
        assert io_loop is tornado4.ioloop.IOLoop.current()
        assert io_loop.asyncio_loop is asyncio.get_running_loop()
        assert is_ours(io_loop.asyncio_loop)
        return "done"

    assert tornado4.run(main()) == "done"
    assert tornado4.run(main()) == "done"


@on_io_loops
def test_a_second_ioloop_for_one_asyncio_loop_is_refused(run):
    def scenario(io_loop, trace):
        asyncio_loop = io_loop.asyncio_loop
        with pytest.raises(RuntimeError, match="already associated"):
            AsyncIOLoop(asyncio_loop=asyncio_loop, make_current=False)
        trace.append(io_loop.run_sync(current) is io_loop)

    assert run(scenario) == [True]


@on_io_loops
def test_asyncio_and_tornado_share_the_loop(run):
    def scenario(io_loop, trace):
        loop = io_loop.asyncio_loop

        def first():
            trace.append("tornado")
            loop.call_soon(trace.append, "asyncio'")
            io_loop.add_callback(trace.append, "tornado'")
            trace.append(asyncio.get_running_loop() is loop)

        loop.call_soon(trace.append, "asyncio")
        io_loop.add_callback(first)
        turns(loop, 2)
        trace.append(loop.run_until_complete(asyncio.sleep(0, "slept")))

    assert run(scenario) == [
        "asyncio",
        "tornado",
        True,
        "asyncio'",
        "tornado'",
        "slept",
    ]


@on_io_loops
@pytest.mark.parametrize("period", [1, 0.5, datetime.timedelta(milliseconds=1)])
def test_periodic_callback(run, period):
    def scenario(io_loop, trace):
        def tick():
            trace.append((len(trace), periodic.is_running()))
            if len(trace) == 2:
                int("x")
            if len(trace) == 5:
                periodic.stop()
                io_loop.call_later(0.02, io_loop.stop)

        periodic = PeriodicCallback(tick, period)
        trace.append(periodic.is_running())
        io_loop.add_callback(periodic.start)
        io_loop.start()
        trace.append(periodic.is_running())

    assert run(scenario) == [
        *(False, (1, True)),
        ("logged", "ValueError", "invalid literal for int() with base 10: 'x'"),
        *((3, True), (4, True), False),
    ]


@on_io_loops
def test_periodic_coroutines_do_not_overlap(run):
    def scenario(io_loop, trace):
        async def tick():
            trace.append("in")
            await asyncio.sleep(0.005)
            trace.append("out")
            if len(trace) >= 6:
                periodic.stop()
                io_loop.stop()

        periodic = PeriodicCallback(tick, 1)
        io_loop.add_callback(periodic.start)
        io_loop.start()

    assert run(scenario) == ["in", "out"] * 3


def test_a_periodic_callback_needs_a_period():
    for wrong in [0, -1]:
        with pytest.raises(ValueError, match="positive"):
            PeriodicCallback(print, wrong)
