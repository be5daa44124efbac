"""as_deferred: a Deferred for a coroutine, a Future or any other awaitable."""

import asyncio
import concurrent.futures
import contextvars
import threading
import traceback

import pytest
import tornado.concurrent
from twisted.internet.defer import (
    CancelledError,
    Deferred,
    TimeoutError,
    inlineCallbacks,
    succeed,
)
from twisted.internet.task import deferLater

from helpers.worlds import WORLDS, made, over_asyncio
from tornado4.platform.twisted import as_deferred, as_future


@pytest.fixture(params=WORLDS)
def world(request):
    with made(request.param) as world:
        yield world


def in_the_loop(world, function):
    """What a Deferred comes to that a plain function of Twisted's makes."""

    async def main():
        made = Deferred()
        world.reactor.callLater(0, lambda: made.callback(None))
        return await as_future(made.addCallback(lambda _: function()))

    return world.run(main())


def test_a_coroutine_may_await_both_kinds(world):
    async def both():
        await asyncio.sleep(0.001)
        loop = asyncio.get_running_loop()
        value = await deferLater(world.reactor, 0.001, lambda: "value")
        return value, await loop.run_in_executor(None, len, "four"), loop

    async def main():
        return await as_future(as_deferred(both()))

    assert world.run(main()) == ("value", 4, world.loop)


def test_inline_callbacks_may_yield_one(world):
    async def coroutine():
        await asyncio.sleep(0)
        return "value"

    @inlineCallbacks
    def twisted_code():
        return (yield as_deferred(coroutine()))

    async def main():
        return await twisted_code()

    assert world.run(main()) == "value"


@pytest.mark.parametrize("kind", [asyncio.Future, tornado.concurrent.Future])
def test_futures(world, kind):
    async def main():
        loop = asyncio.get_running_loop()
        late, failed = kind(), kind()
        loop.call_later(0.01, late.set_result, "value")
        failed.set_exception(ValueError("mine"))
        with pytest.raises(ValueError, match="mine"):
            await as_deferred(failed)
        return await as_deferred(late)

    assert world.run(main()) == "value"


def test_a_concurrent_future(world):
    async def main():
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            ident = await as_deferred(pool.submit(threading.get_ident))
            with pytest.raises(ZeroDivisionError):
                await as_deferred(pool.submit(lambda: 1 / 0))
        waiting = concurrent.futures.Future()
        deferred = as_deferred(waiting)
        deferred.cancel()
        with pytest.raises(CancelledError):
            await deferred
        assert waiting.cancelled()
        return ident

    assert world.run(main()) != threading.get_ident()


def test_any_awaitable(world):
    class Awaitable:
        def __await__(self):
            return (yield from asyncio.sleep(0, "value").__await__())

    async def main():
        return await as_deferred(Awaitable())

    assert world.run(main()) == "value"


def test_a_deferred_is_returned_as_it_is():
    deferred = Deferred()
    assert as_deferred(deferred) is deferred


@pytest.mark.parametrize("wrong", [None, "value", asyncio.sleep, object()])
def test_what_cannot_be_awaited_is_refused(wrong):
    with pytest.raises(TypeError, match="not an awaitable"):
        as_deferred(wrong)


def test_a_failure_keeps_its_traceback(world):
    async def fails():
        await asyncio.sleep(0)
        raise ValueError("mine")

    async def main():
        failures = []
        deferred = as_deferred(fails()).addErrback(failures.append)
        await deferred
        return failures[0]

    failure = world.run(main())
    names = [frame.name for frame in traceback.extract_tb(failure.getTracebackObject())]
    assert names == ["fails"]
    assert "mine" in failure.getTraceback()


def test_the_context_is_a_copy_of_the_callers(world):
    variable = contextvars.ContextVar("variable")

    async def coroutine():
        found = variable.get()
        variable.set("changed")
        return found

    async def main():
        variable.set("mine")
        return await as_deferred(coroutine()), variable.get()

    assert world.run(main()) == ("mine", "mine")


def test_cancelling_the_deferred_cancels_the_task(world):
    async def coroutine():
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            await asyncio.sleep(0.01)
            seen.append("cleaned up")
            raise

    async def main():
        deferred = as_deferred(coroutine())
        await asyncio.sleep(0)
        deferred.cancel()
        assert seen == []
        with pytest.raises(CancelledError) as caught:
            await deferred
        assert isinstance(caught.value.__cause__, asyncio.CancelledError)
        deferred.cancel()  # does nothing

    seen = []
    world.run(main())
    assert seen == ["cleaned up"]


def test_a_task_may_refuse(world):
    async def coroutine():
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            return "refused"

    async def main():
        deferred = as_deferred(coroutine())
        await asyncio.sleep(0)
        deferred.cancel()
        return await deferred

    assert world.run(main()) == "refused"


def test_cancellation_goes_through_all_layers(world):
    """A task awaits a Deferred of a task that awaits a Deferred."""

    async def inner():
        try:
            await Deferred(cancelled.append)
        except asyncio.CancelledError:
            await asyncio.sleep(0.01)
            cancelled.append("inner")
            raise

    async def main():
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(as_deferred(inner()), 0.01)
        return cancelled[1:]

    cancelled = []
    assert world.run(main()) == ["inner"]


def test_a_cancelled_task_or_future_fails_with_twisteds_error(world):
    async def main():
        task = asyncio.ensure_future(asyncio.sleep(3600))
        future = asyncio.get_running_loop().create_future()
        for waiting in [task, future]:
            deferred = as_deferred(waiting)
            waiting.cancel()
            with pytest.raises(CancelledError):
                await deferred

    world.run(main())


def test_twisteds_timeout_works(world):
    async def main():
        deferred = as_deferred(asyncio.sleep(3600)).addTimeout(0.01, world.reactor)
        with pytest.raises(TimeoutError):
            await deferred

    world.run(main())


def test_fired_by_somebody_else(world):
    async def main():
        future = asyncio.get_running_loop().create_future()
        deferred = as_deferred(future)
        deferred.callback("theirs")
        future.set_result("late")
        await asyncio.sleep(0)
        return await deferred

    assert world.run(main()) == "theirs"


def test_round_trips(world):
    async def main():
        deferred = deferLater(world.reactor, 0.01, lambda: "value")
        again = as_deferred(as_future(deferred))
        cancelled = as_deferred(as_future(Deferred()))
        cancelled.cancel()
        with pytest.raises(CancelledError):
            await cancelled
        return await again

    assert world.run(main()) == "value"


def test_in_a_call_of_the_reactor(world):
    """Where a foreign reactor has no running loop, the thread's is meant."""
    io_loop = getattr(world, "io_loop", None)
    if io_loop is not None:
        io_loop.make_current()

    async def coroutine():
        await asyncio.sleep(0)
        return await succeed("value")

    assert in_the_loop(world, lambda: as_deferred(coroutine())) == "value"


def test_on_a_foreign_loop_without_the_task_factory():
    async def coroutine():
        await asyncio.sleep(0)
        return await deferLater(world.reactor, 0.01, lambda: "value")

    async def main():
        return await as_future(as_deferred(coroutine()))

    with made(over_asyncio) as world:
        world.loop.set_task_factory(None)
        assert world.run(main()) == "value"
