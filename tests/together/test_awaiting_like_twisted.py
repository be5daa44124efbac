"""What a coroutine sees of a Deferred is the same in a task and when Twisted runs it."""

import asyncio

import pytest
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred, fail, succeed

from helpers.loops import epoll_reactor, watchdog
from helpers.worlds import made, ours, over_epoll


async def pause(reactor):
    """Let the reactor turn, with whatever runs the coroutine."""
    waiting = Deferred()
    reactor.callLater(0.01, waiting.callback, None)
    await waiting


async def awaited_twice(reactor, trace):
    deferred = Deferred()
    reactor.callLater(0, deferred.callback, "value")
    trace.append(await deferred)
    trace.append(await deferred)
    await pause(reactor)
    trace.append(await deferred)


async def awaited_by_two(reactor, trace):
    async def wait(name):
        trace.append((name, await deferred))

    deferred = Deferred()
    start(wait("one"))
    start(wait("two"))
    await pause(reactor)
    deferred.callback("value")
    await pause(reactor)
    trace.append(deferred.result)


async def a_failure_awaited_by_two(reactor, trace):
    async def wait(name):
        try:
            trace.append((name, await deferred))
        except ValueError:
            trace.append((name, "failed"))

    deferred = Deferred()
    start(wait("one"))
    start(wait("two"))
    await pause(reactor)
    deferred.errback(ValueError())
    await pause(reactor)


async def callbacks_before_and_after(reactor, trace):
    deferred = Deferred().addCallback(lambda value: value + " before")
    reactor.callLater(0, deferred.callback, "value")
    reactor.callLater(0, deferred.addCallback, trace.append)
    trace.append(await deferred)
    await pause(reactor)


async def a_callback_that_is_added_while_it_is_awaited(reactor, trace):
    async def wait():
        trace.append(await deferred)
        deferred.addCallback(lambda value: trace.append(("inside", value)))
        trace.append(deferred.called)

    deferred = Deferred()
    start(wait())
    await pause(reactor)
    deferred.addBoth(lambda value: trace.append(("after", value)))
    deferred.callback("value")
    await pause(reactor)


async def a_failure_with_an_errback_after(reactor, trace):
    async def wait():
        try:
            await deferred
        except ValueError as error:
            trace.append(str(error))

    deferred = Deferred()
    start(wait())
    await pause(reactor)
    deferred.addErrback(lambda _: trace.append("never"))
    deferred.errback(ValueError("mine"))
    await pause(reactor)


async def fired_before(reactor, trace):
    deferred = succeed("value")
    trace.append(await deferred)
    trace.append(await deferred)
    failed = fail(ValueError("mine"))
    for _ in range(2):
        with pytest.raises(ValueError, match="mine"):
            await failed


async def chained(reactor, trace):
    inner = Deferred()
    outer = succeed(None).addCallback(lambda _: inner)
    reactor.callLater(0, inner.callback, "value")
    trace.append(await outer)
    trace.append(await inner)


async def cancelled_by_another(reactor, trace):
    deferred = Deferred()
    reactor.callLater(0, deferred.cancel)
    reactor.callLater(0, deferred.callback, "too late")
    try:
        await deferred
    except CancelledError:
        trace.append("cancelled")


async def a_step_that_fails(reactor, trace):
    async def wait():
        await deferred
        raise ValueError("in the coroutine")

    deferred = Deferred()
    started = start(wait())
    await pause(reactor)
    deferred.addBoth(lambda value: trace.append(("after", value)))
    deferred.callback("value")
    try:
        await started
    except ValueError as error:
        trace.append(str(error))


SCENARIOS = [
    awaited_twice,
    awaited_by_two,
    a_failure_awaited_by_two,
    callbacks_before_and_after,
    a_callback_that_is_added_while_it_is_awaited,
    a_failure_with_an_errback_after,
    fired_before,
    chained,
    cancelled_by_another,
    a_step_that_fails,
]


def start(coroutine):
    """Run a coroutine beside: as a task in a task, by Twisted in what Twisted runs."""
    if asyncio._get_running_loop() is None:
        return ensureDeferred(coroutine)
    return asyncio.ensure_future(coroutine)


def by_twisted(scenario):
    trace = []

    def run():
        ensureDeferred(scenario(reactor, trace)).addErrback(trace.append).addBoth(
            lambda _: reactor.crash()
        )

    with epoll_reactor() as reactor, watchdog(lambda: reactor.callFromThread(reactor.crash)):
        reactor.callWhenRunning(run)
        reactor.run(installSignalHandlers=False)
    return trace


@pytest.mark.parametrize("factory", [ours, over_epoll])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_as_twisted_has_it(scenario, factory):
    trace = []
    with made(factory) as world:
        world.run(scenario(world.reactor, trace))
    assert trace == by_twisted(scenario)
