"""A reactor runs once, as Twisted's do, unless it is restartable: then at will."""

import asyncio
import gc
import signal
import threading

import pytest
from twisted.internet.error import ReactorNotRestartable
from twisted.internet.threads import deferToThreadPool
from twisted.internet.utils import getProcessOutput

from helpers.loops import watchdog
from helpers.scenarios import SIGNALS, handlers_restored, open_fds, run_reactor
from tornado4.ioloop import IOLoop
from tornado4.platform.twisted import TornadoReactor

ROUNDS = 100
PHASES = [(phase, event) for event in ["startup", "shutdown"] for phase in ["before", "after"]]


def ours():
    io_loop = IOLoop(make_current=False)
    return io_loop, io_loop.close


def stock():
    loop = asyncio.SelectorEventLoop()
    return loop, loop.close


def uvloop():
    loop = pytest.importorskip("uvloop", reason="uvloop is not installed").new_event_loop()
    return loop, loop.close


@pytest.fixture(params=[ours, stock, uvloop])
def host(request):
    gc.collect()  # what other tests have left would go in some round
    with handlers_restored():
        host, close = request.param()
        yield host
        close()


def discard(reactor):
    reactor.fireSystemEvent("shutdown")
    reactor.disconnectAll()


def state(reactor):
    """What a round must leave as it was."""
    return {
        "fds": len(open_fds()),
        "threads": threading.active_count(),
        "signals": [signal.getsignal(number) for number in SIGNALS],
        "watched": (reactor.getReaders(), reactor.getWriters(), reactor.getDelayedCalls()),
        "running": reactor.running,
    }


@pytest.mark.parametrize("arguments", [{}, {"restartable": False}])
def test_by_default_a_reactor_runs_once(host, arguments):
    reactor = TornadoReactor(host, **arguments)
    reactor.callLater(0.01, reactor.stop)
    run_reactor(reactor)
    with pytest.raises(ReactorNotRestartable):
        run_reactor(reactor)
    discard(reactor)


def test_restartable_is_given_by_name(host):
    with pytest.raises(TypeError):
        TornadoReactor(host, True)


@pytest.mark.parametrize("signals", [False, True])
def test_many_rounds(host, signals):
    reactor = TornadoReactor(host, restartable=True)
    events, states = [], []
    with watchdog(lambda: reactor.callFromThread(reactor.crash)):
        for number in range(ROUNDS):
            for phase, event in PHASES:
                name = number, phase, event
                reactor.addSystemEventTrigger(phase, event, events.append, name)
            pool = reactor.getThreadPool()
            called = deferToThreadPool(reactor, pool, threading.get_ident)
            called.addCallback(lambda ident: events.append(ident != threading.get_ident()))
            called.addBoth(lambda _: reactor.stop())
            reactor.run(installSignalHandlers=signals)
            states.append(state(reactor))
    expected = []
    for number in range(ROUNDS):
        startup, shutdown = PHASES[:2], PHASES[2:]
        expected += [(number, *name) for name in startup]
        expected += [True, *[(number, *name) for name in shutdown]]
    assert events == expected
    changes = [
        (key, found[key]) for found in states for key in found if found[key] != states[0][key]
    ]
    assert changes == []
    discard(reactor)


def test_child_processes_in_each_of_some_rounds(host):
    reactor = TornadoReactor(host, restartable=True)
    before, seen = signal.getsignal(signal.SIGCHLD), []
    with watchdog(lambda: reactor.callFromThread(reactor.crash)):
        for _ in range(5):
            child = getProcessOutput("/bin/echo", [b"child"], reactor=reactor)
            child.addCallback(seen.append).addBoth(lambda _: reactor.stop())
            bound = reactor.callLater(5, reactor.stop)
            reactor.run()
            if bound.active():
                bound.cancel()
            assert signal.getsignal(signal.SIGCHLD) == before
    assert seen == [b"child\n"] * 5
    discard(reactor)


def test_what_a_stop_leaves_undone_is_done_in_the_next_round(host):
    reactor = TornadoReactor(host, restartable=True)
    ran = []
    with watchdog(lambda: reactor.callFromThread(reactor.crash)):
        for number in range(3):
            left = reactor.callLater(3600, ran.append, number)
            reactor.callLater(0.01, reactor.stop)
            run_reactor(reactor)
            assert number not in ran
            reactor.callWhenRunning(left.reset, 0)
            reactor.callLater(0.01, reactor.stop)
            run_reactor(reactor)
            assert ran[-1] == number
    discard(reactor)


def test_run_again_in_an_after_shutdown_trigger_is_refused_or_works(host):
    # Whichever it is: the reactor says so, and can be run later on.
    reactor = TornadoReactor(host, restartable=True)
    seen = []

    def again():
        with pytest.raises(RuntimeError):
            run_reactor(reactor)
        seen.append("refused")

    with watchdog(lambda: reactor.callFromThread(reactor.crash)):
        reactor.addSystemEventTrigger("during", "shutdown", again)
        reactor.callLater(0.01, reactor.stop)
        run_reactor(reactor)
        reactor.callLater(0.01, reactor.stop)
        run_reactor(reactor)
    assert seen == ["refused"]
    discard(reactor)
