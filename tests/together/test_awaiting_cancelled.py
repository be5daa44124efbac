"""Tasks that await Deferreds, and the cancellation of either."""

import asyncio
import sys

import pytest
from twisted.internet.defer import (
    CancelledError,
    Deferred,
    DeferredList,
    inlineCallbacks,
    succeed,
)
from twisted.internet.task import deferLater

from helpers.worlds import WORLDS, made


@pytest.fixture(params=WORLDS)
def world(request):
    with made(request.param) as world:
        yield world


def test_cancelling_the_task_cancels_the_deferred(world):
    async def wait(deferred):
        try:
            await deferred
        except asyncio.CancelledError as error:
            caught.append(error.args)
            raise

    async def main():
        deferred = Deferred(cancelled.append)
        task = asyncio.create_task(wait(deferred))
        await asyncio.sleep(0)
        task.cancel("message")
        assert cancelled == [deferred]  # at once
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()

    cancelled, caught = [], []
    world.run(main())
    assert caught == [("message",)]


def test_a_failure_of_the_cancellers_own_means_cancelled(world):
    async def main():
        deferred = Deferred(lambda it: it.errback(ValueError("canceller's")))
        task = asyncio.ensure_future(deferred)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        listed = DeferredList([Deferred(), Deferred()], fireOnOneErrback=True, consumeErrors=True)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(listed, 0.01)

    world.run(main())


def test_a_value_of_the_canceller_refuses_the_cancellation(world):
    """As an awaited task does that catches CancelledError."""

    async def main():
        task = asyncio.ensure_future(Deferred(lambda it: it.callback("instead")))
        await asyncio.sleep(0)
        assert task.cancel()
        return await task

    assert world.run(main()) == "instead"


def test_a_cancelled_task_waits_for_the_clean_up_of_what_it_awaits(world):
    @inlineCallbacks
    def operation():
        try:
            yield Deferred()
        finally:
            seen.append("cancelled")
            yield deferLater(world.reactor, 0.01, seen.append, "cleaned up")

    async def main():
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(operation(), 0.01)
        return list(seen)

    seen = []
    assert world.run(main()) == ["cancelled", "cleaned up"]


def test_a_canceller_that_raises_is_logged(world):
    async def main():
        task = asyncio.ensure_future(Deferred(lambda it: 1 / 0))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    world.run(main())
    (error,) = world.logged
    assert isinstance(error, ZeroDivisionError)
    world.logged.clear()


def test_somebody_else_cancels_the_deferred(world):
    async def main():
        deferred = Deferred()
        world.later(deferred.cancel)
        with pytest.raises(CancelledError):
            await deferred

    world.run(main())


def test_cancelling_between_the_firing_and_the_step_keeps_the_result(world):
    async def main():
        deferred = Deferred()
        task = asyncio.ensure_future(deferred)
        await asyncio.sleep(0)
        deferred.callback("value")
        deferred.cancel()  # too late: does nothing
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await deferred

    assert world.run(main()) == "value"


def test_one_that_cannot_be_cancelled_is_left(world):
    async def main():
        deferred = succeed("value")
        deferred.pause()
        task = asyncio.ensure_future(deferred)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        deferred.unpause()
        return await deferred

    assert world.run(main()) == "value"


def test_a_shield_keeps_the_deferred(world):
    async def main():
        deferred = Deferred()
        inner = asyncio.ensure_future(deferred)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.shield(inner), 0.01)
        deferred.callback("value")
        return await inner

    assert world.run(main()) == "value"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="new in Python 3.11")
def test_a_timeout_block(world):
    async def main():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await Deferred()
        assert asyncio.current_task().cancelling() == 0
        return await succeed("on")

    assert world.run(main()) == "on"
