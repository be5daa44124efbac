"""Foreign loops for the tests of a reactor that is their guest: stock asyncio, uvloop."""

import asyncio

import pytest
from twisted.internet.protocol import Protocol

from helpers.loops import watchdog
from helpers.scenarios import handlers_restored
from tornado4.platform.twisted import TornadoReactor


@pytest.fixture(params=["asyncio", "uvloop"])
def factory(request):
    if request.param == "asyncio":
        return asyncio.SelectorEventLoop
    return pytest.importorskip("uvloop", reason="uvloop is not installed").new_event_loop


@pytest.fixture
def host(factory):
    loop = factory()
    with handlers_restored(), watchdog(lambda: loop.call_soon_threadsafe(loop.stop)):
        yield loop
        loop.close()


@pytest.fixture
def reactor(host):
    reactor = TornadoReactor(host)
    yield reactor
    discard(reactor)


def discard(reactor):
    reactor._signals.uninstall()
    reactor.fireSystemEvent("shutdown")
    reactor.disconnectAll()


class Echo(Protocol):
    def dataReceived(self, data):
        self.transport.write(data)
