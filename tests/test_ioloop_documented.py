"""Callbacks, timeouts and running of an IOLoop, as Tornado 4.5 documents them."""

import asyncio
import contextvars
import datetime
import fractions
import os
import signal
import threading
import time

import pytest
import tornado.ioloop
from loops import on_io_loops, ours_io_loop, outcome, pipe, turns
from tornado import gen
from tornado.util import TimeoutError

pytestmark = pytest.mark.timeout(120)

INVALID = ("logged", "ValueError", "invalid literal for int() with base 10: 'x'")


def run_turns(io_loop, count=1):
    turns(io_loop.asyncio_loop, count)


def run_for(io_loop, seconds=0.02):
    io_loop.call_later(seconds, io_loop.stop)
    io_loop.start()


def test_time_is_the_wall_clock():
    def scenario(io_loop, trace):
        trace.append(abs(io_loop.time() - time.time()) < 5)

    assert ours_io_loop(scenario) == [True]


@on_io_loops
def test_deadlines_of_every_kind(run):
    def scenario(io_loop, trace):
        now = io_loop.time()
        for deadline in [
            now - 5,
            int(now) - 60,
            fractions.Fraction(int(now) - 50),
            datetime.timedelta(seconds=-4),
            datetime.timedelta(0),
            True,
            0,
            -1.0,
        ]:
            io_loop.add_timeout(deadline, trace.append, "called")
        io_loop.add_timeout(datetime.timedelta(days=1), trace.append, "too early")
        io_loop.add_timeout(now + 86400, trace.append, "too early")
        run_turns(io_loop)
        for wrong in [None, "1", object(), 1j]:
            trace.append(outcome(io_loop.add_timeout, wrong, print)[0])

    assert run(scenario) == ["called"] * 8 + ["TypeError"] * 4


@on_io_loops
def test_arguments(run):
    def scenario(io_loop, trace):
        def call(*args, **kwargs):
            trace.append((args, kwargs))

        io_loop.add_callback(call, "callback", key=1)
        io_loop.spawn_callback(call, "spawned", key=2)
        run_turns(io_loop)
        for schedule, when in [
            (io_loop.call_later, 0),
            (io_loop.call_at, io_loop.time()),
            (io_loop.add_timeout, io_loop.time()),
            (io_loop.add_timeout, datetime.timedelta(0)),
        ]:
            schedule(when, call, "timeout", key=3)
            run_for(io_loop)

    assert run(scenario) == [
        (("callback",), {"key": 1}),
        (("spawned",), {"key": 2}),
        *[(("timeout",), {"key": 3})] * 4,
    ]


def test_timeouts_run_in_the_order_of_deadline_and_then_of_insertion():
    # Tornado 6 counts every deadline that is past as now.
    def scenario(io_loop, trace):
        past = io_loop.time() - 1000
        for position in [3, 1, 2, 0]:
            for name in "abc":
                io_loop.call_at(past + position, trace.append, f"{position}{name}")
        run_turns(io_loop)

    expected = [f"{position}{name}" for position in range(4) for name in "abc"]
    assert ours_io_loop(scenario) == expected


@on_io_loops
def test_remove_timeout(run):
    def scenario(io_loop, trace):
        def first():
            trace.append("first")
            io_loop.remove_timeout(within)

        before = io_loop.call_later(0, trace.append, "before")
        io_loop.remove_timeout(before)
        io_loop.remove_timeout(before)
        own = io_loop.call_later(0, first)
        within = io_loop.call_later(0, trace.append, "within")
        after = io_loop.call_later(0, trace.append, "after")
        run_for(io_loop)
        for timeout in [own, within, after, after]:
            trace.append(io_loop.remove_timeout(timeout))
        run_turns(io_loop)

    assert run(scenario) == ["first", "after", None, None, None, None]


@on_io_loops
def test_callbacks_in_order_and_what_they_add_waits_a_turn(run):
    def scenario(io_loop, trace):
        def again(name):
            trace.append(name)
            io_loop.add_callback(trace.append, name + "'")

        for name in "abc":
            io_loop.add_callback(again, name)
        run_turns(io_loop)
        trace.append("turn over")
        run_turns(io_loop)

    assert run(scenario) == ["a", "b", "c", "turn over", "a'", "b'", "c'"]


@on_io_loops
def test_callbacks_from_threads(run):
    def scenario(io_loop, trace):
        per_thread = {thread: [] for thread in range(10)}

        def received(thread, number):
            per_thread[thread].append(number)
            if sum(map(len, per_thread.values())) == 10_000:
                io_loop.stop()

        def send(thread):
            for number in range(1_000):
                io_loop.add_callback(received, thread, number=number)

        threads = [threading.Thread(target=send, args=[n]) for n in per_thread]
        for thread in threads:
            thread.start()
        io_loop.start()
        for thread in threads:
            thread.join()
        trace.extend(per_thread.values())

    assert run(scenario) == [list(range(1_000))] * 10


@on_io_loops
def test_what_raises_is_logged_and_the_loop_goes_on(run):
    def scenario(io_loop, trace):
        io_loop.add_callback(int, "x")
        io_loop.add_callback(trace.append, "callback")
        run_turns(io_loop)
        io_loop.call_later(0, int, "x")
        run_for(io_loop)
        io_loop.add_callback(trace.append, "still there")
        run_turns(io_loop)

    assert run(scenario) == [INVALID, "callback", INVALID, "still there"]


@on_io_loops
def test_what_a_callback_returns_is_awaited_and_its_failure_logged(run):
    def scenario(io_loop, trace):
        async def native():
            await asyncio.sleep(0)
            int("x")

        @gen.coroutine
        def generator():
            yield gen.moment
            int("x")

        def future():
            failed = io_loop.asyncio_loop.create_future()
            failed.set_exception(ValueError(INVALID[2]))
            return failed

        async def cancelled():
            raise asyncio.CancelledError

        for function in [native, generator, future, cancelled, lambda: [native()]]:
            io_loop.add_callback(function)
            run_for(io_loop)
        io_loop.call_later(0, native)
        run_for(io_loop)

    assert run(scenario) == [INVALID] * 5


@on_io_loops
def test_start_and_stop(run):
    def scenario(io_loop, trace):
        def nested():
            trace.append(outcome(io_loop.start)[0])
            trace.append(tornado.ioloop.IOLoop.current() is io_loop)
            io_loop.stop()
            io_loop.add_callback(trace.append, "next start")

        io_loop.add_callback(nested)
        io_loop.add_callback(trace.append, "same turn")
        io_loop.start()
        trace.append("stopped")
        io_loop.stop()
        io_loop.start()
        trace.append("stopped before it started")
        io_loop.add_callback(io_loop.stop)
        io_loop.start()

    traced = run(scenario)
    # Whether a loop stopped beforehand still makes one turn, 4.5 and 6 disagree on.
    assert traced[:4] == ["RuntimeError", True, "same turn", "stopped"]
    assert sorted(traced[4:]) == ["next start", "stopped before it started"]


@on_io_loops
def test_run_sync(run):
    def scenario(io_loop, trace):
        async def answer(value):
            await asyncio.sleep(0)
            return value

        @gen.coroutine
        def legacy():
            yield gen.moment
            raise gen.Return("legacy")

        async def stop():
            io_loop.stop()
            await asyncio.sleep(0)

        trace.append(io_loop.run_sync(lambda: answer(42)))
        trace.append(io_loop.run_sync(legacy, timeout=60))
        trace.append(io_loop.run_sync(lambda: None))
        trace.append(outcome(io_loop.run_sync, lambda: int("x")))
        trace.append(outcome(io_loop.run_sync, asyncio.Event().wait, timeout=0.01))
        try:
            io_loop.run_sync(asyncio.Event().wait, timeout=0.001)
        except TimeoutError:
            trace.append("tornado.util.TimeoutError")
        trace.append(io_loop.run_sync(lambda: answer("usable")))
        trace.append(outcome(io_loop.run_sync, stop))

    assert run(scenario) == [
        *(42, "legacy", None, INVALID[1:]),
        ("TimeoutError", "Operation timed out after 0.01 seconds"),
        *("tornado.util.TimeoutError", "usable"),
        ("RuntimeError", "Event loop stopped before Future completed."),
    ]


@on_io_loops
@pytest.mark.filterwarnings("ignore:add_callback_from_signal:DeprecationWarning")
def test_after_close_callbacks_are_silently_dropped(run):
    def scenario(io_loop, trace):
        io_loop.add_callback(trace.append, "called")
        io_loop.close()
        for add in [
            io_loop.add_callback,
            io_loop.spawn_callback,
            io_loop.add_callback_from_signal,
        ]:
            trace.append(outcome(add, trace.append, "called"))
        thread = threading.Thread(target=io_loop.add_callback, args=[print])
        thread.start()
        thread.join()

    assert run(scenario) == [None] * 3


var = contextvars.ContextVar("var", default="unset")


@on_io_loops
def test_callbacks_and_timeouts_keep_their_context(run):
    def scenario(io_loop, trace):
        def show(name):
            trace.append((name, var.get()))
            var.set("leaked")

        var.set("callback's")
        io_loop.add_callback(show, "callback")
        var.set("timeout's")
        io_loop.call_later(0, show, "timeout")
        var.set("handler's")
        with pipe() as (r, w):
            os.write(w, b"x")
            io_loop.add_handler(r, lambda *_: show("handler"), io_loop.READ)
            var.set("too late")
            run_turns(io_loop)
            io_loop.remove_handler(r)
        run_for(io_loop)
        trace.sort()

    assert run(lambda *args: contextvars.copy_context().run(scenario, *args)) == [
        ("callback", "callback's"),
        ("handler", "handler's"),
        ("timeout", "timeout's"),
    ]


@pytest.mark.filterwarnings("ignore:add_callback_from_signal:DeprecationWarning")
def test_a_callback_from_a_signal_wakes_the_loop_and_has_an_empty_context():
    # Tornado 6 takes the context of whatever the signal interrupted.
    def scenario(io_loop, trace):
        def handler(number, frame):
            io_loop.add_callback_from_signal(called, "signal", key=1)

        def called(*args, **kwargs):
            trace.append((args, kwargs, var.get(), len(contextvars.copy_context())))
            io_loop.stop()

        var.set("interrupted")
        before = signal.signal(signal.SIGALRM, handler)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.02)
            io_loop.start()
        finally:
            signal.signal(signal.SIGALRM, before)

    traced = ours_io_loop(lambda *args: contextvars.copy_context().run(scenario, *args))
    assert traced == [(("signal",), {"key": 1}, "unset", 0)]
