"""Reactors of every kind for the tests of TwistedIOLoop, which runs on all of them."""

import asyncio

import pytest
from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.pollreactor import PollReactor
from twisted.internet.selectreactor import SelectReactor

from helpers.loops import as_global, watchdog
from helpers.scenarios import handlers_restored
from tornado4.ioloop import IOLoop
from tornado4.platform.twisted import TornadoReactor, TwistedIOLoop


def on_uvloop():
    uvloop = pytest.importorskip("uvloop", reason="uvloop is not installed")
    return AsyncioSelectorReactor(uvloop.new_event_loop())


REACTORS = {
    "epoll": EPollReactor,
    "select": SelectReactor,
    "poll": PollReactor,
    "asyncio": lambda: AsyncioSelectorReactor(asyncio.SelectorEventLoop()),
    "uvloop": on_uvloop,
    "tornado4": lambda: TornadoReactor(IOLoop(make_current=False)),
}


def discard(reactor):
    reactor._signals.uninstall()
    reactor.fireSystemEvent("shutdown")
    reactor.disconnectAll()
    for reader in list(reactor._internalReaders):
        reactor._removeInternalReader(reader)
        reader.connectionLost(None)
    if isinstance(reactor, EPollReactor):
        reactor._poller.close()
    if isinstance(reactor, AsyncioSelectorReactor):
        # The IOLoop of ours goes too.
        getattr(reactor, "_io_loop", reactor._asyncioEventloop).close()


@pytest.fixture(params=REACTORS)
def reactor(request):
    reactor = REACTORS[request.param]()
    with (
        handlers_restored(),
        as_global(reactor),
        watchdog(lambda: reactor.callFromThread(reactor.crash)),
    ):
        yield reactor
        discard(reactor)


@pytest.fixture
def io_loop(reactor):
    io_loop = TwistedIOLoop(reactor)
    yield io_loop
    io_loop.close()


def run_all(io_loop):
    """Runs what is there to run, and what that adds at once."""
    io_loop.call_later(0.02, io_loop.stop)
    io_loop.start()
