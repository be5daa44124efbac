"""TornadoReactor: its interfaces, its making, and what is left after its end."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet import base, interfaces
from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.protocol import Factory, Protocol
from zope.interface.verify import verifyClass, verifyObject

from helpers.scenarios import open_fds
from tornado4.ioloop import IOLoop
from tornado4.platform.twisted import TornadoReactor


@pytest.fixture
def reactor() -> Iterator[Any]:
    io_loop = IOLoop(make_current=False)
    reactor = TornadoReactor(io_loop)
    yield reactor
    clean_up(reactor)


def clean_up(reactor: Any) -> None:
    """End a reactor that lives shorter than the process, as documented."""
    reactor.fireSystemEvent("shutdown")
    reactor.disconnectAll()
    reactor._io_loop.close()


INTERFACES = [
    interfaces.IReactorCore,
    interfaces.IReactorFDSet,
    interfaces.IReactorFromThreads,
    interfaces.IReactorInThreads,
    interfaces.IReactorMulticast,
    interfaces.IReactorProcess,
    interfaces.IReactorSSL,
    interfaces.IReactorSocket,
    interfaces.IReactorTCP,
    interfaces.IReactorThreads,
    interfaces.IReactorTime,
    interfaces.IReactorUDP,
    interfaces.IReactorUNIX,
    interfaces.IReactorUNIXDatagram,
]


@pytest.mark.parametrize("interface", INTERFACES, ids=lambda i: i.__name__)
def test_interfaces(reactor: Any, interface: Any) -> None:
    assert verifyObject(interface, reactor)
    assert verifyClass(interface, TornadoReactor)


def test_delayed_calls_are_what_twisted_calls_so(reactor: Any) -> None:
    call = reactor.callLater(1000, int, "1", base=2)
    assert verifyObject(interfaces.IDelayedCall, call)
    assert (call.func, call.args, call.kw) == (int, ("1",), {"base": 2})
    assert (call.active(), call.called, call.cancelled) == (True, False, False)
    shown = repr(call)
    assert shown.startswith("<DelayedCall 0x")
    assert shown.endswith(" int('1', base=2)>")
    call.cancel()
    assert not hasattr(call, "func")
    assert repr(call).endswith("cancelled=1>")


def test_creation_traces_in_debug_mode(reactor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = reactor.callLater(1000, int)
    assert plain.creator is None
    monkeypatch.setattr(base.DelayedCall, "debug", True)
    traced = reactor.callLater(1000, int)
    assert "test_creation_traces_in_debug_mode" in "".join(traced.creator)
    assert "traceback at creation" in repr(traced)
    traced.cancel()
    assert "int()" in repr(traced), "the repr is that from before the cancellation"
    plain.cancel()


def test_hot_methods_are_native_unless_a_subclass_has_its_own() -> None:
    class Counting(TornadoReactor):
        count = 0

        def callLater(self, *args: Any, **kw: Any) -> Any:
            self.count += 1
            return super().callLater(*args, **kw)

    io_loop = IOLoop(make_current=False)
    reactor = Counting(io_loop)
    assert "callLater" not in vars(reactor)
    assert type(vars(reactor)["callFromThread"]).__name__ == "builtin_function_or_method"
    reactor.callLater(0, reactor.callFromThread, reactor.stop)
    reactor.run(installSignalHandlers=False)
    assert reactor.count == 1
    clean_up(reactor)


def test_the_state_moves_with_the_dict() -> None:
    # Twisted's ReactorBuilder moves a reactor's state into another object.
    io_loop = IOLoop(make_current=False)
    made = TornadoReactor(io_loop)
    other = TornadoReactor.__new__(TornadoReactor)
    other.__dict__ = made.__dict__
    ran = []
    other.callLater(0, ran.append, 1)
    other.callFromThread(other.callLater, 0.01, other.stop)
    other.run(installSignalHandlers=False)
    assert ran == [1]
    clean_up(made)


@pytest.mark.parametrize("bad", [3, "loop", object()])
def test_a_reactor_needs_an_io_loop(bad: Any) -> None:
    with pytest.raises(TypeError, match="not an IOLoop or asyncio loop"):
        TornadoReactor(bad)


def test_a_reactor_on_a_closed_io_loop() -> None:
    io_loop = IOLoop(make_current=False)
    io_loop.close()
    with pytest.raises(RuntimeError, match="closed"):
        TornadoReactor(io_loop)


def test_calls_after_the_loop_was_closed() -> None:
    io_loop = IOLoop(make_current=False)
    reactor = TornadoReactor(io_loop)
    clean_up(reactor)
    with pytest.raises(RuntimeError, match="closed"):
        reactor.callLater(0, int)
    reactor.callFromThread(int)
    reactor.wakeUp()
    assert reactor.getDelayedCalls() == []
    assert reactor.getReaders() == []


def test_a_call_from_another_thread_shortens_the_wait(reactor: Any) -> None:
    ran = []

    def later() -> None:
        threading.Event().wait(0.05)
        reactor.callLater(0, ran.append, "from a thread")
        reactor.callLater(0.01, reactor.stop)

    thread = threading.Thread(target=later)
    reactor.callWhenRunning(thread.start)
    reactor.run(installSignalHandlers=False)
    thread.join()
    assert ran == ["from a thread"]


class Echo(Protocol):
    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)


def live_shortly() -> list[weakref.ref[Any]]:
    io_loop = IOLoop(make_current=False)
    reactor: Any = TornadoReactor(io_loop)
    port = reactor.listenTCP(0, Factory.forProtocol(Echo), interface="127.0.0.1")
    reactor.callLater(1000, int)
    reactor.callInThread(int)
    reactor.callLater(0.02, io_loop.stop)
    io_loop.start()
    assert (reactor.running, port.connected) == (True, True)
    clean_up(reactor)
    return [weakref.ref(thing) for thing in (reactor, io_loop, io_loop.asyncio_loop)]


def test_a_short_life_leaves_nothing_behind() -> None:
    # Twisted's first listening port opens a descriptor that is kept in reserve.
    live_shortly()
    gc.collect()  # what earlier tests have left
    before = open_fds(), threading.active_count()
    gone = live_shortly()
    gc.collect()
    assert [reference() for reference in gone] == [None] * 3
    assert (open_fds(), threading.active_count()) == before


def test_another_class_is_put_on_it(reactor: Any) -> None:
    """As Twisted's own tests of TLS do."""
    reactor.__class__ = AsyncioSelectorReactor
    assert type(reactor) is AsyncioSelectorReactor
    reactor.__class__ = TornadoReactor
    assert type(reactor) is TornadoReactor
