"""Callbacks, timeouts and running of an IOLoop, as Tornado 4.5 documents them."""

import asyncio
import datetime
import fractions
import sys
import time

import pytest
from tornado import gen

from helpers.loops import on_io_loops, ours_io_loop
from helpers.scenarios import io_turns, outcome, run_for
from tornado4.ioloop import IOLoop

INVALID = ("logged", "ValueError", "invalid literal for int() with base 10: 'x'")


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
        io_turns(io_loop)
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
        io_turns(io_loop)
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
        io_turns(io_loop)

    expected = [f"{position}{name}" for position in range(4) for name in "abc"]
    assert ours_io_loop(scenario) == expected


@on_io_loops
def test_what_cannot_be_called_is_refused(run):
    def scenario(io_loop, trace):
        for wrong in [None, "text"]:
            trace.append(outcome(io_loop.add_callback, wrong)[0])
            trace.append(outcome(io_loop.spawn_callback, wrong)[0])
            trace.append(outcome(io_loop.call_later, 0, wrong)[0])
            trace.append(outcome(io_loop.add_timeout, io_loop.time(), wrong)[0])
        run_for(io_loop)

    assert run(scenario) == ["TypeError"] * 8


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
        io_turns(io_loop)

    assert run(scenario) == ["first", "after", None, None, None, None]


@on_io_loops
def test_callbacks_in_order_and_what_they_add_waits_a_turn(run):
    def scenario(io_loop, trace):
        def again(name):
            trace.append(name)
            io_loop.add_callback(trace.append, name + "'")

        for name in "abc":
            io_loop.add_callback(again, name)
        io_turns(io_loop)
        trace.append("turn over")
        io_turns(io_loop)

    assert run(scenario) == ["a", "b", "c", "turn over", "a'", "b'", "c'"]


@on_io_loops
def test_what_raises_is_logged_and_the_loop_goes_on(run):
    def scenario(io_loop, trace):
        io_loop.add_callback(int, "x")
        io_loop.add_callback(trace.append, "callback")
        io_turns(io_loop)
        io_loop.call_later(0, int, "x")
        run_for(io_loop)
        io_loop.add_callback(trace.append, "still there")
        io_turns(io_loop)

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
            io_turns(io_loop, 5)
        io_loop.call_later(0, native)
        run_for(io_loop)
        io_turns(io_loop, 5)

    assert run(scenario) == [INVALID] * 5


@pytest.mark.parametrize("kind", ["callback", "coroutine", "future"])
def test_handle_callback_exception_is_told_of_everything_that_fails(kind):
    reported = []

    class Reporting(IOLoop):
        def handle_callback_exception(self, callback):
            reported.append(sys.exc_info()[0])
            self.stop()

    def fail():
        raise LookupError

    async def fail_later():
        raise LookupError

    io_loop = Reporting(make_current=False)
    if kind == "callback":
        io_loop.add_callback(fail)
    elif kind == "coroutine":
        io_loop.add_callback(fail_later)
    else:
        future = io_loop.asyncio_loop.create_future()
        io_loop.add_future(future, lambda _: fail())
        io_loop.add_callback(future.set_result, None)
    io_loop.start()
    io_loop.close()
    assert reported == [LookupError]


SCHEDULING = {
    "add_callback": lambda io_loop, callback: io_loop.add_callback(callback),
    "add_callback_from_signal": lambda io_loop, callback: io_loop.add_callback_from_signal(
        callback
    ),
    "spawn_callback": lambda io_loop, callback: io_loop.spawn_callback(callback),
    "call_later": lambda io_loop, callback: io_loop.call_later(0, callback),
    "call_at": lambda io_loop, callback: io_loop.call_at(io_loop.time(), callback),
    "add_timeout": lambda io_loop, callback: io_loop.add_timeout(io_loop.time(), callback),
}


@pytest.mark.parametrize("schedule", SCHEDULING.values(), ids=SCHEDULING)
def test_a_coroutine_in_the_place_of_its_function(schedule):
    def scenario(io_loop, trace):
        async def work(number):
            trace.append(number)

        coroutine = work(1)
        with pytest.raises(TypeError) as caught:
            schedule(io_loop, coroutine)
        coroutine.close()
        named = f"the first argument must be callable, got {coroutine!r}: "
        trace.append(str(caught.value).removeprefix(named))
        with pytest.raises(TypeError, match=r"^the first argument must be callable, got None$"):
            schedule(io_loop, None)
        io_loop.add_callback(work, 2)
        io_turns(io_loop, 3)

    said = "pass the function itself, and its arguments after it"
    assert ours_io_loop(scenario) == [said, 2]
