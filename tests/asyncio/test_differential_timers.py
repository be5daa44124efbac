"""call_later and call_at: stock asyncio's calls in stock asyncio's order."""

import math

import pytest

from helpers.loops import on_asyncio, ours_asyncio
from helpers.scenarios import outcome, turns


@on_asyncio
def test_deadlines_in_order_whatever_the_order_of_insertion(run):
    def scenario(loop, trace):
        now = loop.time()
        for position in [5, 2, 9, 0, 7, 1, 8, 3, 6, 4]:
            loop.call_at(now - 10 + position, trace.append, position)
        turns(loop)

    assert run(scenario) == list(range(10))


@on_asyncio
def test_times_before_the_clock_began(run):
    def scenario(loop, trace):
        for when in [0, -1, -3, -2, -1e9, -1e300]:
            loop.call_at(when, trace.append, when)
        turns(loop)

    assert run(scenario) == [-1e300, -1e9, -3, -2, -1, 0]


def equal_deadlines(loop, trace):
    when = loop.time() - 1
    handles = [loop.call_at(when, trace.append, number) for number in range(100)]
    for handle in handles[::3]:
        handle.cancel()
    turns(loop)


@on_asyncio
def test_equal_deadlines_are_all_called(run):
    # The order is up to stock's heap, asyncio promises none.
    def scenario(loop, trace):
        equal_deadlines(loop, trace)
        trace.sort()

    assert run(scenario) == [number for number in range(100) if number % 3]


def test_equal_deadlines_keep_the_order_of_insertion():
    expected = [number for number in range(100) if number % 3]
    assert ours_asyncio(equal_deadlines) == expected


@on_asyncio
@pytest.mark.parametrize("delay", [0, 0.0, -0.0, -1, -1e300, -math.inf, False, 1e-300])
def test_what_is_due_at_once_is_called_in_the_first_turn(run, delay):
    def scenario(loop, trace):
        loop.call_later(delay, trace.append, "called")
        turns(loop)
        trace.append("turn over")

    assert run(scenario) == ["called", "turn over"]


@on_asyncio
@pytest.mark.parametrize("delay", [3600, 1e10, 1e300, math.inf, 10**30])
def test_what_is_far_away_is_not_called(run, delay):
    def scenario(loop, trace):
        handle = loop.call_later(delay, trace.append, "called")
        loop.call_later(0.01, loop.stop)
        loop.run_forever()
        trace.append(handle.when() > loop.time())
        handle.cancel()

    assert run(scenario) == [True]


@on_asyncio
def test_a_turn_is_what_was_soon_then_what_is_due(run):
    def scenario(loop, trace):
        def call(name):
            trace.append(name)
            loop.call_soon(trace.append, name + " soon")
            loop.call_later(0, trace.append, name + " later")

        loop.call_later(0, call, "later")
        loop.call_soon(call, "soon")
        for turn in range(3):
            trace.append(turn)
            turns(loop)

    assert run(scenario) == [
        0,
        "soon",
        "later",
        1,
        "soon soon",
        "later soon",
        "soon later",
        "later later",
        2,
    ]


@on_asyncio
def test_cancel_within_another_timer_due_in_the_same_turn(run):
    def scenario(loop, trace):
        def first():
            trace.append("first")
            second.cancel()

        past = loop.time() - 10
        loop.call_at(past, first)
        second = loop.call_at(past + 1, trace.append, "second")
        loop.call_at(past + 2, trace.append, "third")
        turns(loop, 2)
        trace.append(second.cancelled())

    assert run(scenario) == ["first", "third", True]


@on_asyncio
def test_cancel_before_after_and_within(run):
    def scenario(loop, trace):
        def within():
            trace.append("within")
            handles["within"].cancel()
            trace.append(handles["within"].cancelled())

        handles = {
            "before": loop.call_later(0, trace.append, "before"),
            "within": loop.call_later(0, within),
            "after": loop.call_later(0, trace.append, "after"),
        }
        handles["before"].cancel()
        handles["before"].cancel()
        turns(loop, 2)
        trace.append([handle.cancelled() for handle in handles.values()])
        handles["after"].cancel()
        handles["after"].cancel()
        turns(loop)
        trace.append(handles["after"].cancelled())

    assert run(scenario) == ["within", True, "after", [True, True, False], True]


@on_asyncio
def test_of_many_timers_most_are_cancelled(run):
    def scenario(loop, trace):
        now = loop.time()
        handles = [loop.call_at(now + 1e-6 * n, trace.append, n) for n in range(2000)]
        far = [loop.call_at(now + 1000 + n, trace.append, -n) for n in range(2000)]
        for number, handle in enumerate(handles):
            if number % 100:
                handle.cancel()
        for handle in far:
            handle.cancel()
        loop.call_later(0.05, loop.stop)
        loop.run_forever()

    assert run(scenario) == list(range(0, 2000, 100))


@on_asyncio
def test_never_early(run):
    def scenario(loop, trace):
        def check(when):
            trace.append(loop.time() >= when)
            if len(trace) == 50:
                loop.stop()

        now = loop.time()
        for number in range(50):
            when = now + 0.0007 * number
            loop.call_at(when, check, when)
        loop.run_forever()

    assert run(scenario) == [True] * 50


@on_asyncio
def test_the_handle(run):
    def scenario(loop, trace):
        near = loop.call_at(1000.5, print)
        same = loop.call_at(1000.5, print)
        far = loop.call_at(10**12, print, "args")
        trace.append([near.when(), far.when()])
        trace.append([near < far, near <= same, far > near, far >= same, near > far])
        trace.append([near == same, near != far, near == 1000.5])
        trace.append(hash(near) == hash(same))
        trace.append(outcome(lambda: near < 1)[0])
        same.cancel()
        trace.append(near == same)
        trace.append([near.cancelled(), same.cancelled()])
        before = loop.time()
        later = loop.call_later(60, print)
        trace.append(before + 60 <= later.when() <= loop.time() + 60)
        for handle in [near, far, later]:
            handle.cancel()

    assert run(scenario) == [
        [1000.5, 10**12],
        [True, True, True, True, False],
        [True, True, False],
        True,
        "TypeError",
        False,
        [False, True],
        True,
    ]
