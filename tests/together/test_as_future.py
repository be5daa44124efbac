"""as_future: an asyncio Future for a Deferred."""

import asyncio
import concurrent.futures
import threading
import traceback

import pytest
from twisted.internet.defer import (
    CancelledError,
    Deferred,
    fail,
    inlineCallbacks,
    succeed,
)
from twisted.internet.task import deferLater

from helpers.worlds import WORLDS, made
from tornado4.platform.twisted import as_deferred, as_future


@pytest.fixture(params=WORLDS)
def world(request):
    with made(request.param) as world:
        yield world


def test_a_future_has_the_deferreds_result(world):
    async def main():
        future = as_future(deferLater(world.reactor, 0.01, lambda: "value"))
        assert asyncio.isfuture(future)
        assert future.get_loop() is asyncio.get_running_loop()
        return await future, await as_future(succeed("fired"))

    assert world.run(main()) == ("value", "fired")


def test_the_result_is_consumed(world):
    async def main():
        deferred = succeed("value")
        await as_future(deferred)
        failed = fail(ValueError("mine"))
        with pytest.raises(ValueError, match="mine"):
            await as_future(failed)
        return await deferred, await failed

    assert world.run(main()) == (None, None)


def test_a_future_raises_the_failures_exception_with_its_traceback(world):
    def fails():
        raise ValueError("mine")

    async def main():
        with pytest.raises(ValueError, match="mine") as caught:
            await as_future(deferLater(world.reactor, 0.01, fails))
        return traceback.extract_tb(caught.tb)[-1].name

    assert world.run(main()) == "fails"


def test_a_stop_iteration_becomes_an_error(world):
    async def main():
        with pytest.raises(RuntimeError, match="StopIteration"):
            await as_future(fail(StopIteration()))

    world.run(main())


def test_cancelling_the_future_cancels_the_deferred(world):
    async def main():
        deferred = Deferred(cancelled.append)
        future = as_future(deferred)
        assert future.cancel()
        assert cancelled == [deferred]
        assert future.cancelled()
        assert not future.cancel()

    cancelled = []
    world.run(main())


def test_a_cancelled_future_waits_for_the_deferred(world):
    @inlineCallbacks
    def operation(value):
        try:
            yield Deferred()
        except CancelledError:
            yield deferLater(world.reactor, 0.01, seen.append, "cleaned up")
            if value is None:
                raise
        return value

    async def main():
        cancelled, refused = as_future(operation(None)), as_future(operation("value"))
        assert cancelled.cancel()
        assert refused.cancel()
        assert not cancelled.done()
        await asyncio.wait([cancelled, refused])
        assert cancelled.cancelled()
        return refused.result()

    seen = []
    assert world.run(main()) == "value"
    assert seen == ["cleaned up"] * 2


def test_a_deferred_that_is_cancelled_fails_the_future(world):
    async def main():
        deferred = Deferred()
        future = as_future(deferred)
        deferred.cancel()
        with pytest.raises(CancelledError):
            await future
        assert not future.cancelled()

    world.run(main())


@pytest.mark.parametrize("wrong", [None, "value", asyncio.sleep, object()])
def test_what_is_no_deferred_has_no_future(wrong):
    with pytest.raises(TypeError, match="not a Deferred"):
        as_future(wrong)


def test_without_a_loop_there_is_a_clear_error():
    def refused():
        with pytest.raises(RuntimeError, match="no running event loop"):
            as_future(Deferred())
        with pytest.raises(RuntimeError, match="no running event loop"):
            as_deferred(asyncio.sleep(0))
        with pytest.raises(RuntimeError, match="no running event loop"):
            as_deferred(concurrent.futures.Future())
        seen.append("refused")

    seen = []
    thread = threading.Thread(target=refused)  # has no current IOLoop
    thread.start()
    thread.join()
    assert seen == ["refused"]


def test_a_loop_that_is_set_but_does_not_run_yet():
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        future = as_future(succeed("value"))
        assert loop.run_until_complete(future) == "value"
        loop.close()
        with pytest.raises(RuntimeError, match="no running event loop"):
            as_future(succeed("value"))
    finally:
        asyncio.set_event_loop(None)
        loop.close()
