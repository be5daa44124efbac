"""What callLater returns: cancelling, moving and listing it, as EPollReactor has it."""

import re

import pytest

from helpers.loops import on_reactors
from helpers.scenarios import outcome, run_turns

CANCELLED = ("AlreadyCancelled", "Tried to cancel an already-cancelled event.")
CALLED = ("AlreadyCalled", "Tried to cancel an already-called event.")


# reactor.seconds() is the wall clock, which may be slewed while a timer waits.
def waiting(reactor):
    """The names that a test gave to the calls that wait, sorted."""
    first = [call.args[0] for call in reactor.getDelayedCalls()]
    return sorted(name for name in first if isinstance(name, str))


@on_reactors
def test_a_call_that_is_over_says_so(run):
    def scenario(reactor, trace):
        cancelled = reactor.callLater(0, trace.append, "cancelled")
        cancelled.cancel()
        called = reactor.callLater(0, trace.append, "called")
        run_turns(reactor)
        for call in [cancelled, called]:
            for again in [
                call.cancel,
                lambda c=call: c.reset(1),
                lambda c=call: c.delay(1),
            ]:
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
def test_they_are_ordered_by_time_and_equal_to_themselves_alone(run):
    def scenario(reactor, trace):
        near, far = (reactor.callLater(delay, print) for delay in [1000, 2000])
        trace.append([near < far, near <= far, far < near, far <= near])
        trace.append([near == near, near == far, near != far])
        trace.append({near: 1, far: 2}[near])
        trace.append(len({near, far, near}))
        near.cancel()
        trace.append(len({near, far, near}))
        far.cancel()

    assert run(scenario) == [
        [True, True, False, False],
        [True, False, True],
        *(1, 2, 2),
    ]


@on_reactors
def test_repr(run):
    def scenario(reactor, trace):
        def add(call):
            text = re.sub("0x[0-9a-f]+", "0x", repr(call))
            trace.append(re.sub(r"\[-?[0-9.e-]+s\]", "[Ns]", text))

        waits = reactor.callLater(1000, print, 1, "two", sep="")
        add(waits)
        waits.cancel()
        add(waits)
        called = reactor.callLater(0, int)
        run_turns(reactor)
        add(called)

    assert run(scenario) == [
        "<DelayedCall 0x [Ns] called=0 cancelled=0 print(1, 'two', sep='')>",
        "<DelayedCall 0x [Ns] called=0 cancelled=1>",
        "<DelayedCall 0x [Ns] called=1 cancelled=0 int()>",
    ]


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
            # Ours is on a clock that isn't read at the very same moment.
            earliest, latest = before - 1e-5, reactor.seconds() + 1e-5
            trace.append(earliest + seconds <= call.getTime() <= latest + seconds)

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
        run_turns(reactor)
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
