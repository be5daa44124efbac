"""Clocks of somebody's own: timers follow them as they do on the stock loop."""

import asyncio
import datetime
import random
import time
from unittest import mock

import pytest
import tornado.platform.asyncio

import tornado4.ioloop
from helpers.loops import on_asyncio, on_io_loops, tornado4_reactor
from helpers.scenarios import outcome, turns

SEEDS = range(150)


def give_clock(loop, way, clock):
    """Lets the loop have the clock, in one of the ways that people use."""
    if way == "instance":
        loop.time = clock
    else:
        base = type(loop)

        class Own(base):
            def time(self):
                return clock()

        loop.__class__ = Own


WAYS = ["instance", "class"]


@on_asyncio
@pytest.mark.parametrize("way", WAYS)
def test_timers_wait_for_the_clock(run, way):
    def scenario(loop, trace):
        now = [100.0]
        loop.call_later(1000, trace.append, "of the clock before")
        give_clock(loop, way, lambda: now[0])
        assert loop.time() == 100.0
        trace.append(loop.call_later(5, trace.append, "later").when())
        trace.append(loop.call_at(103, trace.append, "at").when())
        cancelled = loop.call_later(4, trace.append, "cancelled")
        for then in (102.0, 102.999, 103.0, 104.5, 105.0):
            now[0] = then
            trace.append(then)
            loop.call_soon(int)
            turns(loop, 2)
            if then == 102.0:
                cancelled.cancel()
        now[0] = 1e9
        turns(loop, 2)

    assert run(scenario) == [
        *(105.0, 103.0, 102.0, 102.999, 103.0, "at", 104.5, 105.0, "later"),
        "of the clock before",
    ]


@on_asyncio
@pytest.mark.parametrize("way", WAYS)
def test_a_loop_that_waits_follows_a_fast_clock(run, way):
    def scenario(loop, trace):
        start = time.monotonic()
        give_clock(loop, way, lambda: (time.monotonic() - start) * 10)
        now = loop.time()
        loop.call_at(now + 0.3, trace.append, "30")
        loop.call_at(now + 0.2, trace.append, "20")
        loop.call_later(0.5, loop.stop)
        loop.run_forever()

    assert run(scenario) == ["20", "30"]


@on_asyncio
def test_a_clock_that_is_moved_on_by_tasks(run):
    def scenario(loop, trace):
        now = [0.0]
        loop.time = lambda: now[0]

        async def sleeper(seconds):
            await asyncio.sleep(seconds)
            trace.append((seconds, loop.time()))

        async def main():
            tasks = [asyncio.ensure_future(sleeper(s)) for s in (3600, 60, 86400 * 30)]
            while not all(task.done() for task in tasks):
                now[0] += 30
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            try:
                await asyncio.wait_for(forever, 0)
            except asyncio.TimeoutError:
                trace.append("timeout")

        forever = loop.create_future()
        loop.run_until_complete(main())

    events = run(scenario)
    assert [event if event == "timeout" else event[0] for event in events] == [
        *(60, 3600, 86400 * 30, "timeout")
    ]


@on_asyncio
def test_a_clock_that_is_taken_away_again(run):
    def scenario(loop, trace):
        loop.time = lambda: 5.0
        loop.call_later(1, trace.append, "of a clock that stood at 5")
        del loop.time
        loop.call_later(0, trace.append, "of the real one")
        turns(loop, 2)
        with mock.patch.object(loop, "time", return_value=0.0):
            loop.call_later(10, trace.append, "soon past")
            turns(loop, 2)
            trace.append("mocked")
        turns(loop, 2)

    assert run(scenario) == [
        *("of a clock that stood at 5", "of the real one", "mocked", "soon past"),
    ]


@on_asyncio
def test_time_monotonic_replaced(run):
    """What freezegun does, also while the loop runs."""

    def scenario(loop, trace):
        def frozen():
            with mock.patch("time.monotonic", side_effect=lambda: now[0]):
                trace.append(loop.time())
                loop.call_later(10, trace.append, "10")
                timer = loop.call_at(now[0] + 5, trace.append, "5")
                trace.append(timer.when())
                for step in (4, 2, 5):
                    now[0] += step
                    yield

        def step():
            if next(steps, "over") != "over":
                loop.call_soon(step)
            else:
                loop.stop()

        now = [1.7e9]
        steps = frozen()
        loop.call_soon(step)
        loop.run_forever()
        assert abs(loop.time() - time.monotonic()) < 100
        loop.call_later(0, trace.append, "real")
        turns(loop, 2)

    assert run(scenario) == [1.7e9, 1.7e9 + 5, "5", "10", "real"]


@on_asyncio
def test_a_clock_that_stands_where_a_timer_is_due(run):
    """0.1 + 0.2 isn't 0.3: times computed in different ways differ in their last digit."""

    def scenario(loop, trace):
        now = [0.0]
        loop.time = lambda: now[0]
        called = []
        for tenth in range(20):
            now[0] = tenth / 10
            loop.call_soon(int)
            turns(loop, 2)
            # Those that are due at the same time may come in any order.
            trace.append((tenth, sorted(called)))
            called.clear()
            for delay in (1, 3, 7):
                loop.call_later(delay / 10, called.append, (tenth, delay))

    due = dict(run(scenario))
    assert due[9] == [(2, 7), (6, 3), (8, 1)]


class Wrong(Exception):
    pass


@on_asyncio
@pytest.mark.parametrize("wrong", ["raises", "text"])
def test_a_clock_that_fails(run, wrong):
    def scenario(loop, trace):
        def clock():
            if failing:
                if wrong == "raises":
                    raise Wrong("clock")
                return "text"
            return 0.0

        failing = []
        loop.time = clock
        loop.call_later(1, trace.append, "never")
        failing.append(True)
        trace.append(outcome(loop.call_later, 1, int)[0])
        trace.append(outcome(turns, loop)[0])
        trace.append(loop.is_running())
        failing.clear()
        loop.call_soon(trace.append, "usable")
        turns(loop)

    name = "Wrong" if wrong == "raises" else "TypeError"
    assert run(scenario) == [name, name, False, "usable"]


def test_no_call_is_lost_when_a_clock_fails():
    for failing in range(10):
        with tornado4_reactor() as reactor:
            loop = reactor._asyncioEventloop
            trace = []
            for number in range(3):
                reactor.callLater(0, trace.append, number)
                loop.call_soon(trace.append, "soon")
                loop.call_later(0, trace.append, "later")
            readings = iter(range(1000))

            def clock(readings=readings, failing=failing):
                if next(readings) == failing:
                    raise Wrong("clock")
                return time.monotonic()

            loop.time = clock
            failed = 0
            for _ in range(20):
                try:
                    turns(loop)
                except Wrong:
                    failed += 1
            assert failed == 1
            assert sorted(map(str, trace)) == [*"012", *["later"] * 3, *["soon"] * 3]


@on_asyncio
@pytest.mark.parametrize("way", ["instance", "class"])
def test_call_later_goes_through_call_at(run, way):
    def scenario(loop, trace):
        base = type(loop)

        def call_at(when, callback, *args, context=None):
            trace.append((round(when - loop.time()), args, context is None))
            return base.call_at(loop, when, callback, *args, context=context)

        class Own(base):
            def call_at(self, *args, **kwargs):
                return call_at(*args, **kwargs)

        if way == "instance":
            loop.call_at = call_at
        else:
            loop.__class__ = Own
        loop.call_later(10, print, 1, 2).cancel()
        trace.append(outcome(loop.call_later, None, print)[0])
        loop.call_later(0, trace.append, "called")
        turns(loop, 2)

    assert run(scenario) == [
        *((10, (1, 2), True), "TypeError", (0, ("called",), True), "called"),
    ]


@on_asyncio
def test_random_clocks(run):
    """Timers set, cancelled, and a clock moved, back too, and exchanged, in callbacks too."""

    def program(seed):
        def scenario(loop, trace):
            rng = random.Random(seed)
            now = [float(rng.randint(0, 10**5))]
            clocks = [lambda: now[0], lambda: now[0] * 2, lambda: now[0] - 50]
            handles = []

            def act():
                kind = rng.choice(
                    ["later", "at", "later", "move", "move", "back", "cancel", "soon"]
                )
                name = len(handles)
                if kind == "later":
                    handles.append(
                        loop.call_later(rng.randint(-3, 30) + rng.random(), called, name)
                    )
                elif kind == "at":
                    when = loop.time() + rng.randint(-20, 40) + rng.random()
                    handles.append(loop.call_at(when, called, name))
                elif kind == "move":
                    now[0] += rng.randint(0, 12)
                elif kind == "back" and not rng.randint(0, 3):
                    now[0] -= rng.randint(0, 20)
                elif kind == "cancel" and handles:
                    rng.choice(handles).cancel()
                elif kind == "soon":
                    handles.append(loop.call_soon(called, name))

            def called(name):
                trace.append((name, loop.time()))
                for _ in range(rng.randint(0, 2)):
                    act()

            loop.time = clocks[0]
            for _ in range(40):
                if not rng.randint(0, 9):
                    loop.time = rng.choice(clocks)
                for _ in range(rng.randint(0, 3)):
                    act()
                turns(loop)
                trace.append("turn")

        return scenario

    calls = 0
    for seed in SEEDS:
        calls += sum(event != "turn" for event in run(program(seed)))
    assert calls > 1000


@on_io_loops
@pytest.mark.parametrize("way", WAYS)
def test_tornados_timeouts_follow_the_asyncio_loop(run, way):
    def scenario(io_loop, trace):
        now = [0.0]
        loop = io_loop.asyncio_loop
        give_clock(loop, way, lambda: now[0])
        io_loop.call_later(10, trace.append, "later")
        io_loop.add_timeout(io_loop.time() + 5, trace.append, "timeout")
        io_loop.call_at(io_loop.time() + 15, trace.append, "at")
        for then in (4.0, 6.0, 11.0, 16.0):
            now[0] = then
            turns(loop, 2)
            trace.append(then)

    assert run(scenario) == [4.0, "timeout", 6.0, "later", 11.0, "at", 16.0]


@on_io_loops
def test_tornado_with_time_time_replaced(run):
    def scenario(io_loop, trace):
        with mock.patch("time.time", return_value=1000.0):
            assert io_loop.time() == 1000.0
            io_loop.call_at(1000.0 + 3600, trace.append, "in an hour")
            io_loop.call_at(1000.0, trace.append, "now")
            io_loop.call_later(0.05, io_loop.stop)
            io_loop.start()

    assert run(scenario) == ["now"]


STOCK_OR_OURS = [tornado.platform.asyncio.AsyncIOLoop, tornado4.ioloop.IOLoop]


@pytest.mark.parametrize("base", STOCK_OR_OURS)
def test_tornados_other_methods_go_through_call_at(base):
    seen = []

    class Own(base):
        def call_at(self, when, callback, *args, **kwargs):
            seen.append((round(when - self.time()), args, kwargs))
            return super().call_at(when, callback, *args, **kwargs)

    io_loop = Own(make_current=False)
    io_loop.remove_timeout(io_loop.call_later(10, print, 1, end=""))
    io_loop.remove_timeout(io_loop.add_timeout(io_loop.time() + 20, print))
    io_loop.remove_timeout(io_loop.add_timeout(datetime.timedelta(seconds=30), print, 2))
    io_loop.call_later(0, io_loop.stop)
    io_loop.start()
    io_loop.close()
    assert seen == [(10, (1,), {"end": ""}), (20, (), {}), (30, (2,), {}), (0, (), {})]
