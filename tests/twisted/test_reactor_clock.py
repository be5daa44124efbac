"""`reactor.seconds` that somebody has replaced: delayed calls follow it, as Twisted's do."""

import random

import pytest

from helpers.loops import on_reactors, tornado4_reactor
from helpers.scenarios import run_reactor
from tornado4.ioloop import IOLoop
from tornado4.platform.twisted import TornadoReactor


class Clock:
    """Goes on only when it is told to."""

    def __init__(self, now=1000.0):
        self.now = now

    def __call__(self):
        return self.now


@on_reactors
def test_a_clock_that_stands_still_and_one_that_is_moved_on(run):
    def scenario(reactor, trace):
        clock = reactor.seconds = Clock()
        for seconds in 3, 1, 2, 1000:
            reactor.callLater(seconds, trace.append, seconds)

        def step(times):
            trace.append(("now", reactor.seconds(), len(reactor.getDelayedCalls())))
            clock.now += 1
            if times:
                reactor.callFromThread(step, times - 1)
            else:
                reactor.crash()

        reactor.callWhenRunning(step, 6)
        run_reactor(reactor)
        trace.append([call.getTime() for call in reactor.getDelayedCalls()])

    trace = run(scenario)
    assert [event for event in trace if not isinstance(event, (tuple, list))] == [1, 2, 3]


@on_reactors
def test_calls_that_are_older_than_the_clock(run):
    def scenario(reactor, trace):
        call = reactor.callLater(0.001, trace.append, "early")
        clock = reactor.seconds = Clock(call.getTime() - 500)

        def turn(times):
            if times == 5:
                clock.now += 1000
                trace.append("moved on")
            if times:
                reactor.callFromThread(turn, times - 1)
            else:
                reactor.crash()

        reactor.callWhenRunning(turn, 10)
        run_reactor(reactor)

    assert run(scenario) == ["moved on", "early"]


@on_reactors
@pytest.mark.parametrize("seed", range(20))
def test_random_programs(run, seed):
    def scenario(reactor, trace):
        chance = random.Random(seed)
        clock = reactor.seconds = Clock()
        calls = []

        def fire(name):
            trace.append((name, clock.now))
            if chance.random() < 0.3:
                calls.append(reactor.callLater(chance.random() * 3, fire, f"{name}+"))

        def step(times):
            for number in range(chance.randrange(3)):
                name = f"{times}.{number}"
                # No two are due at the same time: Twisted's order of these is a heap's.
                delay = chance.randrange(8) + chance.random()
                calls.append(reactor.callLater(delay, fire, name))
            pending = [call for call in calls if call.active()]
            if pending and chance.random() < 0.5:
                call = chance.choice(pending)
                change = chance.choice(["cancel", "reset", "delay"])
                arguments = () if change == "cancel" else (chance.random() * 4,)
                getattr(call, change)(*arguments)
            clock.now += chance.choice([0, 0, 0.5, 1, 3, -1])
            if times:
                reactor.callFromThread(step, times - 1)
            else:
                reactor.crash()

        reactor.callWhenRunning(step, 40)
        run_reactor(reactor)
        trace.append(sorted(call.getTime() for call in reactor.getDelayedCalls()))

    assert len(run(scenario)) > 10


@on_reactors
def test_the_reactors_own_clock_again(run):
    def scenario(reactor, trace):
        reactor.seconds = Clock()
        reactor.callLater(3600, trace.append, "late")
        reactor.callLater(0.01, trace.append, "soon")
        reactor.callLater(0.02, reactor.stop)
        del reactor.seconds
        # By the clock that is the reactor's now they have been due for decades.
        run_reactor(reactor)

    assert run(scenario) == ["soon", "late"]


def test_a_subclass_has_a_clock_of_its_own():
    clock, ran = Clock(), []

    class Reactor(TornadoReactor):
        def seconds(self):
            return clock()

    io_loop = IOLoop(make_current=False)
    reactor = Reactor(io_loop)
    reactor.callLater(3600, ran.append, "called")
    clock.now += 3600
    reactor.iterate(0)
    assert ran == ["called"]
    reactor.fireSystemEvent("shutdown")
    reactor.disconnectAll()
    io_loop.close()


def test_a_clock_that_fails_ends_the_run():
    def fails():
        raise LookupError("no time")

    with tornado4_reactor() as reactor:
        reactor.callLater(0.01, reactor.stop)
        with pytest.raises(LookupError, match="no time"):
            reactor.seconds = fails
        del reactor.seconds
        run_reactor(reactor)
