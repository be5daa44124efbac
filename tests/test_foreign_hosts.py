"""TornadoReactor as the guest of a foreign loop: stock asyncio and uvloop."""

import asyncio
import contextlib
import gc
import os
import signal
import sys
import threading
import weakref

import pytest
import tornado.ioloop
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool
from twisted.internet.utils import getProcessOutputAndValue

from loops import LIMIT, watchdog
from scenarios import run_reactor
from tornado4.platform._guest import Guest
from tornado4.platform.twisted import TornadoReactor

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGCHLD]


@pytest.fixture(params=["asyncio", "uvloop"])
def factory(request):
    if request.param == "asyncio":
        return asyncio.SelectorEventLoop
    return pytest.importorskip("uvloop", reason="uvloop is not installed").new_event_loop


@pytest.fixture
def host(factory):
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    loop = factory()
    with watchdog(lambda: loop.call_soon_threadsafe(loop.stop)):
        yield loop
    loop.close()
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def reactor(host):
    reactor = TornadoReactor(host)
    yield reactor
    discard(reactor)


def discard(reactor):
    reactor._signals.uninstall()
    reactor.fireSystemEvent("shutdown")
    reactor.disconnectAll()


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


def test_the_host_is_the_running_loop_in_twisted_callbacks(host, reactor):
    seen = []

    def look(result=None):
        seen.append(asyncio.get_running_loop())
        return result

    reactor.callWhenRunning(look)
    reactor.callLater(0, look)
    reactor.callFromThread(look)
    deferToThreadPool(reactor, reactor.getThreadPool(), int).addCallback(look)
    reactor.addSystemEventTrigger("before", "startup", look)
    reactor.addSystemEventTrigger("before", "shutdown", look)
    reactor.callLater(0.05, reactor.stop)
    run_reactor(reactor)
    assert seen == [host] * 6


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


def fds():
    """What is open, without the listing itself."""
    gc.collect()
    found = {}
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            found[fd] = os.readlink(f"/proc/self/fd/{fd}")
    return found


class Echo(Protocol):
    def dataReceived(self, data):
        self.transport.write(data)


class Ask(Protocol):
    def __init__(self):
        self.answer = Deferred()

    def connectionMade(self):
        self.transport.write(b"ping")

    def dataReceived(self, data):
        self.answer.callback(data)


async def use(reactor):
    """Everything that a reactor is used for; returns what should be always the same."""
    loop, seen = asyncio.get_running_loop(), []
    port = reactor.listenTCP(0, Factory.forProtocol(Echo), interface="127.0.0.1")
    endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)
    client = await connectProtocol(endpoint, Ask()).asFuture(loop)
    seen.append(await client.answer.asFuture(loop))
    client.transport.loseConnection()
    await port.stopListening().asFuture(loop)
    called = loop.create_future()
    thread = threading.Thread(target=reactor.callFromThread, args=(called.set_result, "thread"))
    thread.start()
    seen.append(await called)
    thread.join()
    pool = reactor.getThreadPool()
    seen.append(await deferToThreadPool(reactor, pool, str, "pool").asFuture(loop))
    child = getProcessOutputAndValue("/bin/echo", [b"child"], reactor=reactor)
    seen.append(await asyncio.wait_for(child.asFuture(loop), LIMIT / 3))
    return seen


USED = [b"ping", "thread", "pool", (b"child\n", b"", 0)]


def test_everything_works_under_run(host, reactor):
    seen = []

    async def main():
        try:
            seen.extend(await use(reactor))
        finally:
            reactor.stop()

    reactor.callWhenRunning(lambda: seen.append(host.create_task(main())))
    reactor.run()
    assert seen[1:] == USED


def test_everything_works_in_a_running_loop(host):
    async def main():
        reactor = TornadoReactor()
        try:
            await asyncio.sleep(0)
            return await use(reactor)
        finally:
            discard(reactor)

    assert host.run_until_complete(main()) == USED


@pytest.mark.parametrize("own_clock", [True, False])
def test_timers_are_never_early(host, reactor, own_clock):
    now = reactor.seconds if own_clock else host.time
    slack = 0 if own_clock else 0.001  # uvloop's clock counts milliseconds
    ran, early = [], []

    def due(deadline):
        ran.append(deadline)
        early.extend([deadline] if now() < deadline - slack else [])

    for delay in [0, 0.0001, 0.001, 0.0015, 0.0105, 0.02, 0.0333]:
        reactor.callLater(delay, due, now() + delay)
    reactor.callLater(0.05, reactor.stop)
    run_reactor(reactor)
    assert (len(ran), early) == (7, [])


@pytest.mark.parametrize("wait", [None, LIMIT])
def test_idle_it_makes_no_turns(host, monkeypatch, wait):
    turns, turn = [], Guest.turn
    monkeypatch.setattr(Guest, "turn", lambda guest: (turns.append(guest), turn(guest))[1])

    async def main():
        reactor = TornadoReactor()
        port = reactor.listenTCP(0, Factory.forProtocol(Echo), interface="127.0.0.1")
        if wait is not None:
            reactor.callLater(wait, int)
        await deferLater(reactor, 0.02, int).asFuture(host)
        await asyncio.sleep(0.05)
        settled = len(turns)
        await asyncio.sleep(0.05)
        idle = len(turns) - settled
        await port.stopListening().asFuture(host)
        discard(reactor)
        return settled, idle

    settled, idle = host.run_until_complete(main())
    assert settled > 0
    assert idle == 0


def test_iterate_when_the_host_does_not_run(host, reactor):
    ran = []
    reactor.callLater(0, ran.append, "timer")
    reactor.callFromThread(ran.append, "thread")
    for _ in range(10):
        reactor.iterate()
    assert sorted(ran) == ["thread", "timer"]
    reactor.callLater(0.01, ran.append, "later")
    while len(ran) < 3:
        reactor.iterate(0.05)
    assert not reactor.running, "iterating doesn't start it"
    reactor.callWhenRunning(reactor.stop)
    run_reactor(reactor)


def test_iterate_in_a_callback(host, reactor):
    ran = []

    def outer():
        reactor.callLater(0, ran.append, "nested")
        for _ in range(100):
            reactor.iterate(0.001)
        ran.append("outer")
        reactor.stop()

    reactor.callLater(0, outer)
    run_reactor(reactor)
    assert ran == ["nested", "outer"]


def test_several_reactors_on_one_host(host):
    async def main():
        reactors = [TornadoReactor(host) for _ in range(3)]
        seen = []
        for index, reactor in enumerate(reactors):
            reactor.callLater(0, seen.append, index)
        await deferLater(reactors[2], 0.02, int).asFuture(host)
        reactors[0].stop()
        seen.append(await deferLater(reactors[1], 0.02, str, "goes on").asFuture(host))
        running = [reactor.running for reactor in reactors]
        for reactor in reactors:
            discard(reactor)
        return sorted(seen[:3]), seen[3:], running

    assert host.run_until_complete(main()) == ([0, 1, 2], ["goes on"], [False, True, True])


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
    reactor.callLater(0.02, ran.append, "timer")
    with pytest.raises(error):
        run_reactor(reactor)
    assert ran == []
    reactor.callLater(0.05, reactor.stop)
    run_reactor(reactor)
    assert ran == ["timer"]


def test_exceptions_of_twisted_calls_stay_twisteds(host, reactor):
    ran = []

    def fail(error):
        ran.append(error)
        raise error("mine")

    for error in [ValueError, KeyboardInterrupt, SystemExit]:
        reactor.callLater(0, fail, error)
        reactor.callFromThread(fail, error)
    reactor.callLater(0.05, reactor.stop)
    run_reactor(reactor)
    assert len(ran) == 6


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
