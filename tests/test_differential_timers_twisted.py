"""callLater and its delayed calls: EPollReactor's calls in its order."""

import math

import pytest
from loops import on_reactors, outcome, run_turns
from twisted.internet.interfaces import IDelayedCall
from zope.interface.verify import verifyObject

pytestmark = pytest.mark.timeout(120)

CANCELLED = ("AlreadyCancelled", "Tried to cancel an already-cancelled event.")
CALLED = ("AlreadyCalled", "Tried to cancel an already-called event.")

# reactor.seconds() is the wall clock, which may be slewed while a timer waits.
SLEW = 0.001


def waiting(reactor):
    """The names that a test gave to the calls that wait, sorted."""
    first = [call.args[0] for call in reactor.getDelayedCalls()]
    return sorted(name for name in first if isinstance(name, str))


def run_for(reactor, seconds=0.02):
    reactor.callLater(seconds, reactor.crash)
    reactor.run(installSignalHandlers=False)


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
def test_a_call_that_is_over_says_so(run):
    def scenario(reactor, trace):
        cancelled = reactor.callLater(0, trace.append, "cancelled")
        cancelled.cancel()
        called = reactor.callLater(0, trace.append, "called")
        run_turns(reactor)
        for call in [cancelled, called]:
            for again in [call.cancel, lambda c=call: c.reset(1), lambda c=call: c.delay(1)]:
                trace.append(outcome(again))
            trace.append((call.active(), bool(call.called), bool(call.cancelled)))

    assert run(scenario) == [
        "called",
        *[CANCELLED] * 3,
        (False, False, True),
        *[CALLED] * 3,
        (False, True, False),
    ]


@on_reactors
def test_within_its_own_call(run):
    def scenario(reactor, trace):
        def within(name):
            trace.append((call.active(), bool(call.called), waiting(reactor)))
            for late in [call.cancel, lambda: call.reset(1), lambda: call.delay(1)]:
                trace.append(outcome(late))

        call = reactor.callLater(0, within, "self")
        other = reactor.callLater(1000, print, "other")
        trace.append(waiting(reactor))
        run_turns(reactor)
        other.cancel()
        trace.append(waiting(reactor))

    within = [(False, True, ["other"]), CALLED, CALLED, CALLED]
    assert run(scenario) == [["other", "self"], *within, []]


@on_reactors
def test_the_list_of_what_waits(run):
    def scenario(reactor, trace):
        def first(name):
            trace.append(waiting(reactor))  # "second" is due, and has not run
            reactor.callLater(0, trace.append, "new")
            trace.append(waiting(reactor))

        reactor.callLater(0, first, "first")
        reactor.callLater(0, trace.append, "second")
        far = reactor.callLater(1000, print, "far")
        gone = reactor.callLater(1000, print, "gone")
        gone.cancel()
        trace.append(far in reactor.getDelayedCalls())
        run_turns(reactor)
        trace.append(reactor.getDelayedCalls() == [far])
        far.cancel()

    assert run(scenario) == [
        True,
        ["far", "second"],
        ["far", "new", "second"],
        "second",
        "new",
        True,
    ]


@on_reactors
def test_gettime_follows_reset_and_delay(run):
    def scenario(reactor, trace):
        def about(seconds):
            trace.append(before + seconds <= call.getTime() <= reactor.seconds() + seconds)

        before = reactor.seconds()
        call = reactor.callLater(100, print)
        about(100)
        for seconds in [50, 200, 0, 10, -5]:
            before = reactor.seconds()
            call.reset(seconds)
            about(seconds)
        for seconds in [100, 20, -10, -200, 0]:
            time = call.getTime()
            call.delay(seconds)
            trace.append(abs(call.getTime() - (time + seconds)) < 1e-5)
        call.cancel()
        trace.append(abs(call.getTime() - (time + seconds)) < 1e-5)

    assert run(scenario) == [True] * 12


@on_reactors
def test_reset_and_delay_move_the_call(run):
    def scenario(reactor, trace):
        calls = {
            name: reactor.callLater(delay, trace.append, name)
            for name, delay in [
                ("reset sooner", 1000),
                ("reset later", 0),
                ("reset later, then sooner", 0),
                ("delayed", 0),
                ("delayed by less than nothing", 1000),
                ("delayed back and forth", 0),
            ]
        }
        calls["reset sooner"].reset(-30)
        calls["reset later"].reset(1000)
        calls["reset later, then sooner"].reset(1000)
        calls["reset later, then sooner"].reset(-40)
        calls["delayed"].delay(1000)
        calls["delayed by less than nothing"].delay(-1050)
        calls["delayed back and forth"].delay(1000)
        calls["delayed back and forth"].delay(-1000)
        run_for(reactor)
        for name, call in calls.items():
            if call.active():
                trace.append(("active", name))
                call.cancel()

    assert run(scenario) == [
        "delayed by less than nothing",
        "reset later, then sooner",
        "reset sooner",
        "delayed back and forth",
        ("active", "reset later"),
        ("active", "delayed"),
    ]


@on_reactors
@pytest.mark.parametrize(
    ("what", "runs"),
    [("cancel", []), ("reset", []), ("delay", []), ("sooner", ["other"])],
)
def test_on_another_call_due_in_the_same_turn(run, what, runs):
    def scenario(reactor, trace):
        def first():
            trace.append("first")
            if what == "cancel":
                other.cancel()
            elif what == "reset":
                other.reset(1000)
            elif what == "delay":
                other.delay(1000)
            else:
                other.reset(-10)
            trace.append(other.active())

        reactor.callLater(0, first)
        other = reactor.callLater(0, trace.append, "other")
        reactor.callLater(0, trace.append, "last")
        run_turns(reactor)
        trace.append(other.active())
        if other.active():
            other.cancel()

    active = what in ("reset", "delay")
    assert run(scenario) == ["first", what != "cancel", *runs, "last", active]


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
        reactor.callLater(0, None)
        reactor.callLater(0, trace.append, "next")
        run_turns(reactor)

    assert run(scenario) == [
        ("logged", "ValueError", "invalid literal for int() with base 10: 'x'"),
        ("logged", "TypeError", "'NoneType' object is not callable"),
        "next",
    ]


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
        reactor.run(installSignalHandlers=False)

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
