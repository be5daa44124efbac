"""`runUntilCurrent` wrapped or overridden, as those do who measure a reactor."""

import asyncio
import functools
import gc
import os
import signal
import time
import weakref

import pytest
import tornado.ioloop
from twisted.internet.epollreactor import EPollReactor
from twisted.logger import globalLogPublisher

import tornado4
from helpers.loops import epoll_reactor, on_reactors, tornado4_reactor, watchdog
from helpers.random_programs import CallsProgram, kinds_seen
from helpers.scenarios import handlers_restored, run_reactor
from tornado4.ioloop import IOLoop
from tornado4.platform.twisted import TornadoReactor


def wrapped(function, trace):
    """What notes each call, and leaves out those in which nothing was called."""

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        trace.append("begin")
        try:
            return function(*args, **kwargs)
        finally:
            if trace[-1] == "begin":
                del trace[-1]
            else:
                trace.append("end")

    return wrapper


@on_reactors
@pytest.mark.parametrize("when", ["before", "running"])
def test_calls_are_made_within_the_wrapper(run, when):
    def scenario(reactor, trace):
        def wrap():
            reactor.runUntilCurrent = wrapped(reactor.runUntilCurrent, trace)

        def later():
            trace.append("later")
            reactor.callLater(0.02, reactor.stop)

        def timed_later():
            trace.append("timed later")
            reactor.callLater(0.02, later)

        def begin():
            reactor.callFromThread(trace.append, "thread")
            reactor.callLater(0, trace.append, "timed")
            reactor.callLater(0, reactor.callLater, 0, timed_later)

        if when == "before":
            wrap()
        else:
            reactor.callWhenRunning(wrap)
        reactor.callWhenRunning(begin)
        run_reactor(reactor)

    expected = [["thread", "timed"], ["timed later"], ["later"]]
    found = " ".join(run(scenario)).split("begin")
    # The last one is that of `stop`.
    assert [part.strip() for part in found[1:4]] == [f"{' '.join(e)} end" for e in expected]


@on_reactors
def test_each_iteration_is_one_call(run):
    def scenario(reactor, trace):
        count = []
        original = reactor.runUntilCurrent

        def counts():
            count.append(1)
            original()

        reactor.runUntilCurrent = counts

        def again(left):
            # Each is a turn of its own.
            if left:
                reactor.callLater(0, again, left - 1)
            else:
                trace.append(abs(len(count) - 100) <= 2)
                reactor.stop()

        reactor.callWhenRunning(again, 100)
        run_reactor(reactor)

    assert run(scenario) == [True]


@on_reactors
def test_iterate_and_a_call_by_hand_are_one_call_each(run):
    def scenario(reactor, trace):
        count = []
        original = reactor.runUntilCurrent

        def counts():
            count.append(1)
            original()

        reactor.runUntilCurrent = counts
        for act in [reactor.iterate, reactor.runUntilCurrent, lambda: reactor.iterate(0.01)]:
            reactor.callLater(0, trace.append, "called")
            act()
            trace.append(len(count))

    assert run(scenario) == ["called", 1, "called", 2, "called", 3]


@on_reactors
def test_random_programs_do_the_same_when_wrapped(run):
    def program(seed, reactor, trace):
        original = reactor.runUntilCurrent
        reactor.runUntilCurrent = lambda: original()
        return CallsProgram(seed, reactor, trace)

    assert {"later", "due", "thread"} < kinds_seen(run, program)


@on_reactors
def test_what_it_raises_is_logged(run):
    def scenario(reactor, trace):
        original = reactor.runUntilCurrent
        errors = [LookupError("before"), ValueError("after")]

        def fails():
            if len(errors) == 2:
                raise errors.pop(0)
            original()
            if errors:
                raise errors.pop()

        def end():
            # Each is a turn of its own.
            if errors:
                reactor.callLater(0.001, end)
            else:
                reactor.stop()

        reactor.runUntilCurrent = fails
        reactor.callLater(0, trace.append, "called")
        reactor.callLater(0, end)
        run_reactor(reactor)

    trace = run(scenario)
    assert [entry[1] for entry in trace if entry != "called"] == ["LookupError", "ValueError"]
    assert trace.count("called") == 1


@on_reactors
def test_a_signal_handler_that_raises_in_the_wrapper(run):
    def scenario(reactor, trace):
        original = reactor.runUntilCurrent
        left = [1]

        def handler(number, frame):
            raise KeyboardInterrupt("in a handler")

        def interrupted():
            if left:
                left.pop()
                os.kill(os.getpid(), signal.SIGUSR1)
            original()

        signal.signal(signal.SIGUSR1, handler)
        reactor.runUntilCurrent = interrupted
        reactor.callLater(0.03, reactor.stop)
        reactor.addSystemEventTrigger("after", "shutdown", trace.append, "shutdown")
        reactor.run(installSignalHandlers=False)

    before = signal.getsignal(signal.SIGUSR1)
    with handlers_restored():
        trace = run(scenario)
    signal.signal(signal.SIGUSR1, before)
    assert [trace[0][1], trace[1]] == ["KeyboardInterrupt", "shutdown"]


@pytest.mark.parametrize("base", [EPollReactor, TornadoReactor])
@pytest.mark.parametrize("how", ["subclass", "class"])
def test_on_the_class(base, how, monkeypatch):
    trace = []
    if how == "subclass":
        name = {"runUntilCurrent": wrapped(base.runUntilCurrent, trace)}
        made = type("Measured", (base,), name)
    else:
        made = base
        monkeypatch.setattr(base, "runUntilCurrent", wrapped(base.runUntilCurrent, trace))
    io_loop = IOLoop(make_current=False)
    reactor = made(io_loop) if base is TornadoReactor else made()
    reactor.callLater(0, trace.append, "called")
    reactor.callLater(0.02, reactor.stop)
    with watchdog(lambda: reactor.callFromThread(reactor.crash)):
        run_reactor(reactor)
    assert trace[:3] == ["begin", "called", "end"]
    io_loop.close()


def test_a_class_that_is_wrapped_after_the_reactor_was_made(monkeypatch):
    trace = []
    with tornado4_reactor() as reactor:
        name = "runUntilCurrent"
        monkeypatch.setattr(TornadoReactor, name, wrapped(TornadoReactor.runUntilCurrent, trace))
        reactor.callLater(0, trace.append, "called")
        reactor.callLater(0.02, reactor.stop)
        run_reactor(reactor)
    assert trace[:3] == ["begin", "called", "end"]


def test_one_that_calls_nothing_loses_nothing():
    # Twisted's own reactors would call nothing any more; here others' calls depend on it.
    with tornado4_reactor() as reactor:
        trace = []
        reactor.runUntilCurrent = lambda: None
        reactor.callLater(0, trace.append, "timed")
        reactor._asyncioEventloop.call_soon(trace.append, "asyncio's")
        reactor.callLater(0.02, reactor.stop)
        run_reactor(reactor)
    assert sorted(trace) == ["asyncio's", "timed"]


@pytest.mark.parametrize("made", [epoll_reactor, tornado4_reactor])
def test_taken_off_again(made):
    with made() as reactor:
        trace = []
        reactor.runUntilCurrent = wrapped(reactor.runUntilCurrent, trace)
        reactor.callLater(0, trace.append, "measured")

        def alone():
            trace.append("alone")
            reactor.stop()

        def take_off():
            del reactor.runUntilCurrent
            reactor.callLater(0.01, alone)

        reactor.callLater(0.02, take_off)
        run_reactor(reactor)
        assert [entry for entry in trace if entry not in ("begin", "end")] == ["measured", "alone"]
        assert trace[-1] == "alone"


def test_a_turn_in_a_turn():
    with tornado4_reactor() as reactor:
        trace = []
        reactor.runUntilCurrent = wrapped(reactor.runUntilCurrent, trace)

        def nested():
            reactor.callLater(0, trace.append, "inner")
            reactor.iterate()
            trace.append("outer")

        reactor.callLater(0, nested)
        reactor.callLater(0.02, reactor.stop)
        run_reactor(reactor)
    assert trace[:6] == ["begin", "begin", "inner", "end", "outer", "end"]


def asyncios(loop, reactor, call):
    loop.call_soon(call)


def tornados(loop, reactor, call):
    tornado.ioloop.IOLoop.current().add_callback(call)


def twisteds(loop, reactor, call):
    reactor.callLater(0, call)


@pytest.mark.parametrize("schedule", [asyncios, tornados, twisteds])
def test_all_faces_calls_are_measured_on_a_loop_of_ours(schedule):
    async def main():
        measured, seen = [], []
        loop = asyncio.get_running_loop()
        reactor = TornadoReactor()
        original = reactor.runUntilCurrent

        def measures():
            measured.append("begin")
            original()
            measured.pop()

        reactor.runUntilCurrent = measures
        await asyncio.sleep(0.01)
        schedule(loop, reactor, lambda: seen.append(list(measured)))
        await asyncio.sleep(0.01)
        return seen

    assert tornado4.run(main()) == [["begin"]]


def test_a_wrapper_that_turns_the_loop_first():
    with tornado4_reactor() as reactor:
        trace, nests = [], []
        original = reactor.runUntilCurrent

        def nested():
            if not nests:
                nests.append(1)
                reactor.iterate()
                nests.pop()
            original()

        reactor.runUntilCurrent = nested
        for name in "abc":
            reactor.callFromThread(trace.append, name)
            reactor.callLater(0, trace.append, name.upper())
        reactor.callLater(0.02, reactor.stop)
        run_reactor(reactor)
    assert sorted(trace) == list("ABCabc")


@pytest.mark.parametrize("host", ["asyncio", "uvloop"])
def test_as_a_guest(host):
    if host == "uvloop":
        loop = pytest.importorskip("uvloop", reason="uvloop is not installed").new_event_loop()
    else:
        loop = asyncio.SelectorEventLoop()
    trace = []
    reactor = TornadoReactor(loop)
    reactor.runUntilCurrent = wrapped(reactor.runUntilCurrent, trace)
    reactor.callLater(0, trace.append, "timed")
    reactor.callFromThread(trace.append, "thread")
    reactor.callLater(0.02, reactor.stop)
    with handlers_restored(), watchdog(lambda: reactor.callFromThread(reactor.crash)):
        run_reactor(reactor)
    assert trace[0] == "begin"
    assert {"timed", "thread"} < set(trace)
    loop.close()


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_loop_comes_through(error):
    with tornado4_reactor() as reactor:
        trace = []
        reactor.runUntilCurrent = wrapped(reactor.runUntilCurrent, trace)

        def end():
            trace.append("end of all")
            raise error("mine")

        reactor._asyncioEventloop.call_later(0.01, end)
        with pytest.raises(error, match="mine"):
            run_reactor(reactor)
        reactor.callLater(0, trace.append, "goes on")
        reactor.callLater(0.01, reactor.stop)
        run_reactor(reactor)
    assert [entry for entry in trace if entry not in ("begin", "end")] == ["end of all", "goes on"]


def test_not_called_any_more_when_the_reactor_has_ended():
    async def main():
        calls = []
        reactor = TornadoReactor()
        original = reactor.runUntilCurrent

        def counts():
            calls.append(1)
            original()

        reactor.runUntilCurrent = counts
        await asyncio.sleep(0.01)
        assert calls
        reactor.stop()
        await asyncio.sleep(0.01)
        del calls[:]
        await asyncio.sleep(0.01)
        return calls

    assert tornado4.run(main()) == []


def test_nothing_is_left_of_a_wrapped_reactor():
    def live():
        with tornado4_reactor() as reactor:
            reactor.runUntilCurrent = wrapped(reactor.runUntilCurrent, [])
            reactor.callLater(0.01, reactor.crash)
            run_reactor(reactor)
            return weakref.ref(reactor), weakref.ref(reactor._core)

    gone = live()
    gc.collect()
    assert [reference() for reference in gone] == [None, None]


def test_the_log_names_the_main_loop():
    events = []
    globalLogPublisher.addObserver(events.append)
    try:
        with tornado4_reactor() as reactor:

            def fails():
                reactor.callLater(0.01, reactor.stop)
                del reactor.runUntilCurrent
                raise LookupError

            reactor.runUntilCurrent = fails
            reactor.callLater(0, int)
            run_reactor(reactor)
    finally:
        globalLogPublisher.removeObserver(events.append)
    assert "Unexpected error in main loop" in [event["log_format"] for event in events]


def test_a_clock_that_fails_is_no_signals_error():
    with tornado4_reactor() as reactor:
        reactor.runUntilCurrent = wrapped(reactor.runUntilCurrent, ["begin"])
        loop = reactor._asyncioEventloop
        failing = []

        def clock():
            if failing:
                raise LookupError("mine")
            return time.monotonic()

        loop.time = clock
        reactor.callLater(0.01, failing.append, True)
        reactor.callLater(1, reactor.stop)  # in another turn, however slow the machine is
        with pytest.raises(LookupError, match="mine"):
            run_reactor(reactor)
        del loop.time
        run_reactor(reactor)
