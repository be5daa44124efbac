"""TwistedIOLoop and the reactor under it: which may be, and what else is on it."""

import asyncio
import gc
import threading

import pytest
import tornado.ioloop
from tornado import gen
from twisted.internet import threads
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.task import Clock, deferLater
from twisted.internet.utils import getProcessOutput

from helpers.loops import LIMIT, as_global, watchdog
from helpers.reactors import REACTORS, discard, reactor, run_all
from helpers.scenarios import handlers_restored, open_fds, run_reactor
from tornado4.ioloop import IOLoop
from tornado4.platform._guest import Guest
from tornado4.platform.twisted import TornadoReactor, TwistedIOLoop

__all__ = ["reactor"]


@pytest.mark.parametrize("bad", [3, "reactor", object(), EPollReactor, Clock()])
def test_what_is_no_reactor_is_refused(bad):
    gc.collect()  # what earlier tests have left
    fds, current = open_fds(), IOLoop.current(instance=False)
    for make in [lambda: TwistedIOLoop(bad), lambda: TwistedIOLoop(reactor=bad)]:
        with pytest.raises(TypeError, match="not a reactor"):
            make()
    assert (open_fds(), IOLoop.current(instance=False)) == (fds, current)


def test_subclasses_and_arguments(reactor):
    class Named(TwistedIOLoop):
        def initialize(self, name, **kwargs):
            super().initialize(**kwargs)
            self.name = name

    for make in [
        lambda: TwistedIOLoop(),
        lambda: TwistedIOLoop(None),
        lambda: TwistedIOLoop(reactor),
        lambda: TwistedIOLoop(reactor=reactor, make_current=True),
        lambda: Named("mine", reactor=reactor),
    ]:
        made = make()
        assert isinstance(made, tornado.ioloop.IOLoop)
        assert (made.reactor, getattr(made, "name", "mine")) == (reactor, "mine")
        assert made.run_sync(lambda: gen.sleep(0)) is None
        made.close()


def test_several_on_several_reactors():
    def live(make, name):
        reactor = make()
        reactor._registerAsIOThread = False
        io_loop = TwistedIOLoop(reactor)

        async def main():
            await asyncio.sleep(0.01)
            return IOLoop.current() is io_loop

        seen[name] = io_loop.run_sync(main, timeout=LIMIT)
        io_loop.close()
        discard(reactor)

    seen = {}
    kinds = [kind for kind in REACTORS if kind != "uvloop"]
    threads = [threading.Thread(target=live, args=(REACTORS[kind], kind)) for kind in kinds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
    assert seen == dict.fromkeys(kinds, True)


@pytest.mark.parametrize("first", [0, 1])
def test_several_on_one_reactor(reactor, first):
    seen = []
    loops = [TwistedIOLoop(reactor), TwistedIOLoop(reactor)]
    for io_loop in loops:
        io_loop.add_callback(seen.append, io_loop)
    run_all(loops[0])
    assert set(seen) == set(loops)
    loops.pop(first).close()
    assert loops[0].run_sync(lambda: gen.sleep(0.01)) is None
    loops[0].close()
    if isinstance(reactor, TornadoReactor):
        # What the reactor's loop had before is current there again.
        assert reactor._io_loop.run_sync(see_current) is reactor._io_loop


async def see_current():
    return tornado.ioloop.IOLoop.current()


@pytest.mark.parametrize("wait", [None, LIMIT])
def test_idle_it_makes_no_turns(reactor, monkeypatch, wait):
    if isinstance(reactor, TornadoReactor):
        pytest.skip("no guest: it shares the reactor's loop")
    turns, turn = [], Guest.turn
    monkeypatch.setattr(Guest, "turn", lambda guest: (turns.append(guest), turn(guest))[1])
    io_loop = TwistedIOLoop(reactor)
    if wait is not None:
        io_loop.call_later(wait, print)
    io_loop.run_sync(lambda: gen.sleep(0.01))
    turns.clear()
    counts = []
    for seconds in [0.05, 0.1]:
        reactor.callLater(seconds, lambda: counts.append(len(turns)))
    reactor.callLater(0.1, reactor.crash)
    run_reactor(reactor)
    io_loop.close()
    assert len(counts) == 2
    assert counts[0] == counts[1]


def on_ours():
    host = IOLoop(make_current=False)
    return TornadoReactor(host), host.close


def on_foreign():
    loop = asyncio.SelectorEventLoop()
    return TornadoReactor(loop), loop.close


def on_epoll():
    under = EPollReactor()
    host = TwistedIOLoop(under, make_current=False)
    return TornadoReactor(host), lambda: (host.close(), discard(under))


@pytest.mark.parametrize("make", [on_ours, on_foreign, on_epoll])
def test_layered(make):
    gc.collect()
    before = open_fds()
    with handlers_restored():  # Twisted leaves its own, which hold the reactor
        live_layered(make)
    gc.collect()
    assert open_fds() == before


def live_layered(make):
    reactor, close = make()
    io_loop = TwistedIOLoop(reactor)

    async def main():
        loop, seen = asyncio.get_running_loop(), [IOLoop.current() is io_loop]
        seen.append(await deferLater(reactor, 0.01, str, "slept").asFuture(loop))
        child = getProcessOutput("/bin/echo", [b"child"], reactor=reactor)
        seen.append(await child.asFuture(loop))
        seen.append(
            await threads.deferToThreadPool(
                reactor, reactor.getThreadPool(), str, "thread"
            ).asFuture(loop)
        )
        return seen

    with as_global(reactor), watchdog(lambda: reactor.callFromThread(reactor.crash)):
        for _ in range(2):
            found = io_loop.run_sync(main, timeout=LIMIT)
            assert found == [True, "slept", b"child\n", "thread"]
        reactor.addSystemEventTrigger("before", "shutdown", found.append, "shutdown")
        reactor.callLater(0.01, reactor.stop)
        io_loop.start()
    assert found[4:] == ["shutdown"]
    io_loop.close()
    close()


def test_on_a_reactor_that_runs_again():
    loop = asyncio.SelectorEventLoop()
    reactor = TornadoReactor(loop, restartable=True)
    io_loop, ran = TwistedIOLoop(reactor), []
    with watchdog(lambda: reactor.callFromThread(reactor.crash)):
        for number in range(3):
            io_loop.call_later(0.01, ran.append, number)
            reactor.callLater(0.05, reactor.stop)
            reactor.run()
    io_loop.close()
    loop.close()
    assert ran == [0, 1, 2]
