"""Asyncio loops with a reactor, each made in another way, on which coroutines run."""

import asyncio
import contextlib
import gc
import signal

import pytest
from twisted.logger import globalLogPublisher

from helpers.loops import epoll_reactor, tornado4_reactor, watchdog
from tornado4.platform.twisted import TornadoReactor, TwistedIOLoop, task_factory

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGCHLD]


class World:
    """A loop and its reactor. `logged` is what Twisted and asyncio reported."""

    def __init__(self, loop, reactor):
        self.loop = loop
        self.reactor = reactor
        self.logged = []

    def run(self, main):
        with watchdog(lambda: self.loop.call_soon_threadsafe(self.loop.stop)):
            return self.loop.run_until_complete(main)

    def later(self, function, *args):
        return self.reactor.callLater(0.01, function, *args)


@contextlib.contextmanager
def ours():
    with tornado4_reactor() as reactor:
        yield World(reactor._asyncioEventloop, reactor)


@contextlib.contextmanager
def over_epoll():
    with epoll_reactor() as reactor:
        io_loop = TwistedIOLoop(reactor, make_current=False)
        world = World(io_loop.asyncio_loop, reactor)
        world.io_loop = io_loop
        yield world
        io_loop.close()


@contextlib.contextmanager
def foreign(loop):
    loop.set_task_factory(task_factory)
    reactor = TornadoReactor(loop)
    yield World(loop, reactor)
    reactor.fireSystemEvent("shutdown")
    reactor.disconnectAll()
    loop.close()


def over_asyncio():
    return foreign(asyncio.SelectorEventLoop())


def over_uvloop():
    uvloop = pytest.importorskip("uvloop", reason="uvloop is not installed")
    return foreign(uvloop.new_event_loop())


WORLDS = [ours, over_epoll, over_asyncio, over_uvloop]


@contextlib.contextmanager
def observed(world):
    """Collects what is reported, and puts the signals back."""

    def observe(event):
        if event.get("log_failure") is not None:
            world.logged.append(event["log_failure"].value)

    def report(loop, context):
        world.logged.append(context.get("exception", context["message"]))

    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    globalLogPublisher.addObserver(observe)
    world.loop.set_exception_handler(report)
    try:
        yield world
    finally:
        globalLogPublisher.removeObserver(observe)
        for number, handler in handlers.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def made(factory):
    """Nothing may be left reported at the end."""
    with factory() as world, observed(world):
        yield world
        gc.collect()
        assert world.logged == []
