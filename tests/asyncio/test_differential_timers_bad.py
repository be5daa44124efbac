"""Timers that cannot be: as stock asyncio has it, except where that is broken by them."""

import math
import sys

import pytest

from helpers.loops import on_asyncio, ours_asyncio
from helpers.scenarios import outcome, turns


def test_nan_is_refused():
    # Stock takes it for due at once, and its heap then has others in a wrong order:
    # deadlines inserted as 3, NaN, 2, 1, 0 come as 2, 3, 0, 1.
    def scenario(loop, trace):
        trace.append(outcome(loop.call_later, math.nan, trace.append, "called")[0])
        trace.append(outcome(loop.call_at, math.nan, trace.append, "called")[0])
        turns(loop)

    assert ours_asyncio(scenario) == ["ValueError"] * 2


@pytest.mark.skipif(sys.version_info < (3, 11), reason="stock's assertion fails there")
@on_asyncio
def test_none_is_refused(run):
    def scenario(loop, trace):
        trace.append(outcome(loop.call_later, None, print))
        trace.append(outcome(loop.call_at, None, print))
        turns(loop)

    assert run(scenario) == [
        ("TypeError", "delay must not be None"),
        ("TypeError", "when cannot be None"),
    ]


@on_asyncio
def test_a_delay_that_is_no_number_is_refused(run):
    def scenario(loop, trace):
        for delay in ["1", [], object()]:
            trace.append(outcome(loop.call_later, delay, print)[0])
        turns(loop)

    assert run(scenario) == ["TypeError"] * 3


@pytest.mark.parametrize("when", ["1", [], object()])
def test_a_time_that_is_no_number_is_refused(when):
    # Stock takes it, and from then on every turn fails.
    def scenario(loop, trace):
        trace.append(outcome(loop.call_at, when, print)[0])
        turns(loop)

    assert ours_asyncio(scenario) == ["TypeError"]


@on_asyncio
def test_a_failing_timer_is_reported_and_the_others_go_on(run):
    def scenario(loop, trace):
        past = loop.time() - 10
        loop.call_at(past, int, "x")
        loop.call_at(past + 1, trace.append, "next")
        loop.call_at(past + 2, None)
        turns(loop)

    assert run(scenario) == [
        ("reported", "ValueError", "invalid literal for int() with base 10: 'x'"),
        "next",
        ("reported", "TypeError", "'NoneType' object is not callable"),
    ]


@on_asyncio
def test_on_a_closed_loop(run):
    def scenario(loop, trace):
        pending = loop.call_later(0, trace.append, "called")
        loop.close()
        trace.append(outcome(loop.call_later, 0, print))
        trace.append(outcome(loop.call_at, 0, print))
        trace.append(pending.cancelled())
        pending.cancel()
        trace.append(pending.cancelled())

    closed = ("RuntimeError", "Event loop is closed")
    assert run(scenario) == [closed, closed, False, True]
