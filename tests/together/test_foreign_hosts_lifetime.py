"""From its start to its end: TornadoReactor as the guest of a foreign loop."""

import asyncio
import gc
import sys
import threading
import weakref

import pytest
import tornado.ioloop
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater

from helpers.foreign_hosts import Echo, discard, factory, host, reactor
from helpers.loops import LIMIT
from helpers.scenarios import open_fds, run_reactor
from tornado4.platform.twisted import TornadoReactor

__all__ = ["factory", "host", "reactor"]


def events_of(reactor):
    events = []
    for phase in ["before", "during", "after"]:
        reactor.addSystemEventTrigger(phase, "startup", events.append, f"{phase} startup")
    reactor.callWhenRunning(events.append, "running")
    for phase in ["before", "during", "after"]:
        reactor.addSystemEventTrigger(phase, "shutdown", events.append, f"{phase} shutdown")
    return events


STARTUP = ["before startup", "during startup", "running", "after startup"]
SHUTDOWN = ["before shutdown", "during shutdown", "after shutdown"]


def by_run(loop, reactor):
    run_reactor(reactor)


def by_run_forever(loop, reactor):
    reactor.addSystemEventTrigger("after", "shutdown", loop.stop)
    loop.run_forever()


def by_run_until_complete(loop, reactor):
    ended = loop.create_future()
    reactor.addSystemEventTrigger("after", "shutdown", ended.set_result, None)
    loop.run_until_complete(ended)


def by_io_loop(loop, reactor):
    io_loop = tornado.ioloop.IOLoop(make_current=False, asyncio_loop=loop)
    reactor.addSystemEventTrigger("after", "shutdown", io_loop.stop)
    io_loop.start()


def fds():
    """What is open, but for garbage."""
    gc.collect()
    return open_fds()


@pytest.mark.parametrize("start", [by_run, by_run_forever, by_run_until_complete, by_io_loop])
def test_startup_and_shutdown_fire_once_however_the_loop_is_started(host, reactor, start):
    events = events_of(reactor)
    reactor.callLater(0.02, reactor.stop)
    start(host, reactor)
    assert sorted(events[:4]) == sorted(STARTUP)
    assert events[4:] == SHUTDOWN
    assert (reactor.running, host.is_running()) == (False, False)
    host.call_soon(host.stop)
    host.run_forever()
    assert len(events) == 7, "nothing fires again"


def test_on_a_running_loop_it_starts_in_the_next_turn(host):
    async def main():
        reactor = TornadoReactor()
        assert reactor._asyncioEventloop is host
        events = events_of(reactor)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        started, running = list(events), reactor.running
        reactor.callLater(0, reactor.stop)
        await asyncio.sleep(0.05)
        discard(reactor)
        return len(started), running, events[4:], reactor.running

    assert host.run_until_complete(main()) == (4, True, SHUTDOWN, False)


def test_stop_leaves_somebody_elses_loop_running(host):
    async def main():
        reactor = TornadoReactor(host)
        await deferLater(reactor, 0.01, reactor.stop).asFuture(host)
        await asyncio.sleep(0.02)
        assert not reactor.running
        assert (reactor.getReaders(), reactor.getDelayedCalls()) == ([], [])
        return "goes on"

    assert host.run_until_complete(main()) == "goes on"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 has no asyncio.Runner")
@pytest.mark.parametrize("stopped", [False, True])
def test_the_end_of_asyncio_run_shuts_the_reactor_down(factory, stopped):
    events = []

    async def main():
        loop = asyncio.get_running_loop()
        reactor = TornadoReactor()
        events.append(events_of(reactor))
        slow = deferLater, reactor, 0.05, events[0].append, "waited"
        reactor.addSystemEventTrigger("before", "shutdown", *slow)
        await deferLater(reactor, 0.01, int).asFuture(loop)
        if stopped:
            reactor.stop()
        return reactor

    before = fds()
    with asyncio.Runner(loop_factory=factory) as runner:
        reactor = runner.run(main())
        assert reactor.running or stopped
    assert events[0][4:] == ["before shutdown", "waited", "during shutdown", "after shutdown"]
    assert not reactor.running
    del reactor
    assert fds() == before


@pytest.mark.parametrize("started", [False, True])
def test_a_host_that_was_closed(factory, started):
    before = fds()
    loop = factory()
    reactor = TornadoReactor(loop)
    reactor.callLater(LIMIT, int)
    reactor.callFromThread(int)
    if started:
        loop.call_later(0.01, loop.stop)
        loop.run_forever()
        assert reactor.running
    loop.close()
    bound = threading.Timer(5, reactor.crash)  # ends a run that spins
    bound.start()
    for act in [reactor.run, reactor.iterate]:
        with pytest.raises(RuntimeError):  # ReactorAlreadyRunning is one
            act()
    bound.cancel()
    bound.join()
    discard(reactor)
    del reactor, act, bound
    assert fds() == before


def test_what_is_no_host(factory):
    for bad in [3, "loop", object(), asyncio, factory]:
        with pytest.raises(TypeError, match="not an IOLoop"):
            TornadoReactor(bad)
    before = fds()
    loop = factory()
    loop.close()
    with pytest.raises(RuntimeError, match="closed"):
        TornadoReactor(loop)
    assert fds() == before


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_host_leaves_the_reactor_able_to_go_on(host, reactor, error):
    ran = []

    def fail():
        raise error("mine")

    host.call_later(0.01, fail)
    timer = reactor.callLater(LIMIT, ran.append, "timer")
    with pytest.raises(error):
        run_reactor(reactor)
    assert ran == []
    timer.reset(0.01)
    reactor.callLater(0.02, reactor.stop)
    run_reactor(reactor)
    assert ran == ["timer"]


def test_a_short_life_leaves_nothing_behind(factory):
    def live():
        loop = factory()
        reactor = TornadoReactor(loop)
        reactor.listenTCP(0, Factory.forProtocol(Echo), interface="127.0.0.1")
        reactor.callLater(LIMIT, int)
        reactor.callInThread(int)
        loop.call_later(0.02, loop.stop)
        loop.run_forever()
        discard(reactor)
        loop.close()
        return [weakref.ref(thing) for thing in (reactor, reactor._host, reactor._core)]

    live()  # Twisted's first listening port opens a descriptor in reserve.
    gc.collect()
    before = fds(), threading.active_count()
    gone = live()
    gc.collect()
    assert [reference() for reference in gone] == [None] * 3
    assert (fds(), threading.active_count()) == before
