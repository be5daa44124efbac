"""A program of Twisted code, as type checkers see it, without zope's plugin."""

from collections.abc import Generator
from typing import Any

from twisted.internet.base import DelayedCall
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.interfaces import (
    IDelayedCall,
    IReactorCore,
    IReactorFDSet,
    IReactorFromThreads,
    IReactorProcess,
    IReactorSSL,
    IReactorTCP,
    IReactorThreads,
    IReactorTime,
    IReactorUDP,
    IReactorUNIX,
)
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock, LoopingCall, deferLater
from typing_extensions import assert_type

from tornado4.platform.twisted import TornadoReactor, install, run_once

reactor = install(restartable=True)
assert_type(reactor, TornadoReactor)


def uses(
    time: IReactorTime,
    core: IReactorCore,
    tcp: IReactorTCP,
    udp: IReactorUDP,
    unix: IReactorUNIX,
    ssl: IReactorSSL,
    threads: IReactorThreads,
    from_threads: IReactorFromThreads,
    fd_set: IReactorFDSet,
    process: IReactorProcess,
) -> None:
    """Take a reactor as Twisted's own code does."""


uses(*[reactor] * 10)
uses(reactor, reactor, reactor, reactor, reactor, reactor, reactor, reactor, reactor, reactor)

call = reactor.callLater(10, print, "later", sep="")
call.reset(20)
call.delay(1)
assert_type(call.active(), bool)
as_the_interface: IDelayedCall = call
as_twisteds: DelayedCall = call
assert isinstance(call, DelayedCall)
call.cancel()
for other in reactor.getDelayedCalls():
    other.cancel()
reactor.callFromThread(print, "called")
reactor.callWhenRunning(print, "runs")


@inlineCallbacks
def callbacks(clock: IReactorTime, name: str) -> Generator[Deferred[Any], Any, int]:
    yield deferLater(clock, 0.01, lambda: name)
    return len(name)


async def coroutine(clock: TornadoReactor, number: int, *, text: str = "") -> str:
    return await deferLater(clock, 0.01, lambda: text * number)


def plain(clock: TornadoReactor) -> float:
    return clock.seconds()


def listens(on: TornadoReactor) -> None:
    port = on.listenTCP(0, Factory(), interface="127.0.0.1")
    on.callWhenRunning(port.stopListening)
    looping = LoopingCall(print)
    looping.clock = on


assert_type(run_once(callbacks, "name"), int)
assert_type(run_once(coroutine, 2, text="text"), str)
assert_type(run_once(plain), float)
run_once(listens)

reactor.callLater(0.01, reactor.stop)
reactor.run()


def wrong() -> None:
    run_once(coroutine, "two")  # type: ignore[call-overload]
    run_once(plain, 1)  # type: ignore[call-overload]
    run_once(Clock().callLater)  # type: ignore[call-overload]
    reactor.callLater("soon", print)  # type: ignore[arg-type]
    reactor.callLater(1, plain, 2)  # type: ignore[arg-type]
    TornadoReactor("loop")  # type: ignore[arg-type]
    install(restartable="yes")  # type: ignore[arg-type]
