"""TornadoReactor as the guest of a foreign loop, stock asyncio and uvloop: all works."""

import asyncio
import threading

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool
from twisted.internet.utils import getProcessOutputAndValue

from helpers.foreign_hosts import Echo, discard, factory, host, reactor
from helpers.loops import LIMIT
from helpers.scenarios import run_reactor
from tornado4.platform._guest import Guest
from tornado4.platform.twisted import TornadoReactor

__all__ = ["factory", "host", "reactor"]


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
        for index, made in enumerate(reactors):
            made.callLater(0, seen.append, index)
        await deferLater(reactors[2], 0.02, int).asFuture(host)
        reactors[0].stop()
        seen.append(await deferLater(reactors[1], 0.02, str, "goes on").asFuture(host))
        running = [made.running for made in reactors]
        for made in reactors:
            discard(made)
        return sorted(seen[:3]), seen[3:], running

    assert host.run_until_complete(main()) == ([0, 1, 2], ["goes on"], [False, True, True])


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
