"""callLater and its delayed calls: EPollReactor's calls in its order."""

import math

import pytest
import twisted
from incremental import Version
from twisted.internet.interfaces import IDelayedCall
from zope.interface.verify import verifyObject

from helpers.loops import on_reactors
from helpers.scenarios import outcome, run_reactor, run_turns

SLEW = 0.001


def run_for(reactor, seconds=0.02):
    reactor.callLater(seconds, reactor.crash)
    run_reactor(reactor)


@on_reactors
def test_equal_delays_keep_the_order_of_insertion(run):
    def scenario(reactor, trace):
        for number in range(100):
            reactor.callLater(0, trace.append, number)
        run_turns(reactor)

    assert run(scenario) == list(range(100))


@on_reactors
def test_deadlines_in_order_whatever_the_order_of_insertion(run):
    def scenario(reactor, trace):
        for position in [5, 2, 9, 0, 7, 1, 8, 3, 6, 4]:
            reactor.callLater(1000, trace.append, position).reset(position - 100)
        run_turns(reactor)

    assert run(scenario) == list(range(10))


@on_reactors
def test_arguments(run):
    def scenario(reactor, trace):
        def call(*args, **kwargs):
            trace.append((args, kwargs))

        call_later = reactor.callLater(0, call, 1, None, func=2, time=3, args=4)
        trace.append((call_later.func is call, call_later.args, call_later.kw))
        trace.append(verifyObject(IDelayedCall, call_later))
        reactor.callLater(0, call)
        run_turns(reactor)

    args, kwargs = (1, None), {"func": 2, "time": 3, "args": 4}
    assert run(scenario) == [(True, args, kwargs), True, (args, kwargs), ((), {})]


@on_reactors
def test_delays_that_are_refused(run):
    def scenario(reactor, trace):
        for delay in [-1, -1e-9, math.nan, -math.inf]:
            trace.append(outcome(reactor.callLater, delay, print))
        for delay in [None, "1"]:
            trace.append(outcome(reactor.callLater, delay, print)[0])
        trace.append(reactor.getDelayedCalls())

    assert run(scenario) == [
        ("AssertionError", "-1 is not greater than or equal to 0 seconds"),
        ("AssertionError", "-1e-09 is not greater than or equal to 0 seconds"),
        ("AssertionError", "nan is not greater than or equal to 0 seconds"),
        ("AssertionError", "-inf is not greater than or equal to 0 seconds"),
        "TypeError",
        "TypeError",
        [],
    ]


@on_reactors
@pytest.mark.parametrize("delay", [2**31, 1e10, 1e300, 10**30, math.inf])
def test_huge_delays_wait(run, delay):
    def scenario(reactor, trace):
        call = reactor.callLater(delay, trace.append, "called")
        run_for(reactor)
        trace.append((call.active(), call.getTime() > reactor.seconds() + 2**30))
        call.cancel()

    assert run(scenario) == [(True, True)]


@on_reactors
def test_a_call_made_within_a_call_waits_for_the_next_turn(run):
    def scenario(reactor, trace):
        def first():
            trace.append("first")
            reactor.callLater(0, trace.append, "new")

        reactor.callLater(0, first)
        reactor.callLater(0, trace.append, "second")
        run_turns(reactor)

    assert run(scenario) == ["first", "second", "new"]


@on_reactors
def test_a_call_that_raises_is_logged_and_the_others_go_on(run):
    def scenario(reactor, trace):
        reactor.callLater(0, int, "x")
        reactor.callLater(0, trace.append, "next")
        run_turns(reactor)

    assert run(scenario) == [
        ("logged", "ValueError", "invalid literal for int() with base 10: 'x'"),
        "next",
    ]


@pytest.mark.skipif(twisted.version < Version("Twisted", 24, 10, 0), reason="stock asserts earlier")
@on_reactors
def test_what_cannot_be_called_is_logged_and_the_others_go_on(run):
    def scenario(reactor, trace):
        reactor.callLater(0, None)
        reactor.callLater(0, trace.append, "next")
        run_turns(reactor)

    assert run(scenario) == [("logged", "TypeError", "'NoneType' object is not callable"), "next"]


@on_reactors
def test_never_early(run):
    def scenario(reactor, trace):
        def check(number):
            trace.append(reactor.seconds() >= calls[number].getTime() - SLEW)
            if len(trace) == 50:
                reactor.crash()

        calls = [reactor.callLater(0.0007 * n, check, n) for n in range(50)]
        calls[30].reset(0.001)
        calls[3].reset(0.03)
        run_reactor(reactor)

    assert run(scenario) == [True] * 50


@on_reactors
def test_many_cancellations(run):
    def scenario(reactor, trace):
        calls = [reactor.callLater(n * 1e-6, trace.append, n) for n in range(1000)]
        for number, call in enumerate(calls):
            if number % 100:
                call.cancel()
        trace.append(len(reactor.getDelayedCalls()))
        run_for(reactor)
        trace.append(len(reactor.getDelayedCalls()))

    assert run(scenario) == [10, *range(0, 1000, 100), 0]
