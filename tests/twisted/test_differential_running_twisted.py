"""run, stop, crash and the system events, as EPollReactor has them."""

import os
import signal
import threading

import pytest

from helpers.descriptors import Watched
from helpers.loops import on_reactors
from helpers.scenarios import handlers_restored, outcome, pipe, run_reactor, run_turns

NOT_RUNNING = ("ReactorNotRunning", "Can't stop reactor that isn't running.")


@on_reactors
def test_stop_before_run_and_after(run):
    def scenario(reactor, trace):
        trace.append(outcome(reactor.stop))
        reactor.callWhenRunning(reactor.stop)
        run_reactor(reactor)
        trace.append(outcome(reactor.stop))

    assert run(scenario) == [NOT_RUNNING, NOT_RUNNING]


@on_reactors
def test_stop_twice(run):
    def scenario(reactor, trace):
        def stop():
            trace.append(outcome(reactor.stop))
            trace.append(outcome(reactor.stop))

        reactor.callLater(0, stop)
        run_reactor(reactor)

    assert run(scenario) == [None, NOT_RUNNING]


@on_reactors
def test_run_twice(run):
    def scenario(reactor, trace):
        reactor.callWhenRunning(reactor.stop)
        run_reactor(reactor)
        trace.append(outcome(run_reactor, reactor)[0])

    assert run(scenario) == ["ReactorNotRestartable"]


@on_reactors
def test_run_while_running(run):
    def scenario(reactor, trace):
        def again():
            trace.append(outcome(run_reactor, reactor)[0])
            trace.append(reactor.running)
            reactor.callLater(0, reactor.stop)

        reactor.callLater(0, again)
        run_reactor(reactor)

    assert run(scenario) == ["ReactorAlreadyRunning", True]


@on_reactors
def test_stop_lets_what_is_due_run_before_the_shutdown(run):
    def scenario(reactor, trace):
        def stop():
            trace.append("stop")
            reactor.stop()
            reactor.callLater(0, trace.append, "later, after stop")
            reactor.callFromThread(trace.append, "from thread, after stop")

        reactor.addSystemEventTrigger("before", "shutdown", trace.append, "shutdown")
        reactor.callFromThread(trace.append, "from thread")
        reactor.callLater(0, stop)
        reactor.callLater(0, trace.append, "due")
        reactor.callLater(1000, trace.append, "far")
        run_reactor(reactor)
        trace.append(len(reactor.getDelayedCalls()))

    assert run(scenario) == ["from thread", "stop", "due", "shutdown", 2]


@on_reactors
def test_stop_from_a_thread_lets_what_is_due_run(run):
    def scenario(reactor, trace):
        reactor.addSystemEventTrigger("before", "shutdown", trace.append, "shutdown")
        reactor.callFromThread(reactor.stop)
        reactor.callFromThread(trace.append, "from thread")
        reactor.callLater(0, trace.append, "due")
        run_reactor(reactor)

    assert run(scenario) == ["from thread", "due", "shutdown"]


@on_reactors
def test_stop_within_doread_and_the_disconnection(run):
    def scenario(reactor, trace):
        with pipe() as (r, w):
            os.write(w, b"x")
            reactor.addReader(Watched(trace, "r", r, reactor.stop))
            reactor.addSystemEventTrigger("before", "shutdown", trace.append, "before")
            reactor.addSystemEventTrigger("after", "shutdown", trace.append, "after")
            run_reactor(reactor)

    lost = ("r", "connectionLost", "ConnectionLost")
    assert run(scenario) == [("r", "doRead"), "before", lost, "after"]


@on_reactors
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it(run, number):
    def scenario(reactor, trace):
        thread = threading.Timer(0.02, os.kill, [os.getpid(), number])
        reactor.addSystemEventTrigger("before", "shutdown", trace.append, "shutdown")
        reactor.callWhenRunning(thread.start)
        with handlers_restored():
            reactor.run(installSignalHandlers=True)
        thread.join()
        trace.append(reactor._exitSignal)

    assert run(scenario) == ["shutdown", number]


@on_reactors
def test_crash_fires_nothing_and_allows_another_run(run):
    def scenario(reactor, trace):
        reactor.addSystemEventTrigger("before", "shutdown", trace.append, "shutdown")
        for number in range(3):
            reactor.callWhenRunning(trace.append, f"run {number}")
            reactor.callLater(0, reactor.crash)
            reactor.callLater(0, trace.append, f"due {number}")
            run_reactor(reactor)
            trace.append(reactor.running)
        reactor.callWhenRunning(reactor.stop)
        run_reactor(reactor)

    assert run(scenario) == [
        *("run 0", "due 0", False),
        *("run 1", "due 1", False),
        *("run 2", "due 2", False),
        "shutdown",
    ]


@on_reactors
def test_crash_at_the_start(run):
    def scenario(reactor, trace):
        reactor.callWhenRunning(reactor.crash)
        reactor.callWhenRunning(trace.append, "after crash")
        run_reactor(reactor)
        trace.append(reactor.running)
        run_turns(reactor)

    assert run(scenario) == ["after crash", False]


@on_reactors
def test_an_exit_in_a_call_is_logged(run):
    def scenario(reactor, trace):
        def leave(error):
            raise error("mine")

        for error in [SystemExit, KeyboardInterrupt]:
            reactor.callLater(0, leave, error)
            reactor.callFromThread(leave, error)
        reactor.callLater(0, trace.append, "next")
        run_turns(reactor)

    logged = [("logged", name, "mine") for name in ["SystemExit", "KeyboardInterrupt"]]
    assert run(scenario) == [*logged, *logged, "next"]
