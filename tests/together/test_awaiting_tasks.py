"""A task whose coroutine may await Deferreds is like any other task."""

import asyncio
import collections.abc
import contextlib
import gc
import inspect
import io
import sys
import types
import warnings
import weakref

import pytest
from twisted.internet.defer import Deferred, ensureDeferred, fail, succeed
from twisted.internet.task import deferLater

import tornado4
from helpers.things import Thing
from helpers.worlds import made, ours, over_asyncio, over_epoll
from tornado4 import _core
from tornado4.platform.twisted import as_deferred
from tornado4.platform.twisted._futures import DeferredWait


@pytest.fixture
def world():
    with made(ours) as world:
        yield world


def test_get_coro_returns_what_stands_for_the_coroutine(world):
    async def main():
        return asyncio.current_task().get_coro()

    coroutine = main()
    found = world.run(coroutine)
    assert isinstance(found, _core.Coroutine)
    assert isinstance(found, collections.abc.Coroutine)
    assert repr(found).startswith("<tornado4 coroutine object ")
    for name in ["__name__", "__qualname__", "cr_code", "cr_frame", "cr_running", "cr_await"]:
        assert getattr(found, name) == getattr(coroutine, name), name
    with pytest.raises(AttributeError):
        found.no_such_thing  # noqa: B018
    assert inspect.getcoroutinestate(found) == "CORO_CLOSED"


def test_what_asyncio_says_of_a_task(world):
    async def wait():
        await Deferred()

    async def main():
        task = asyncio.create_task(wait())
        coroutine = task.get_coro()
        states = [inspect.getcoroutinestate(coroutine)]
        await asyncio.sleep(0)
        states.append(inspect.getcoroutinestate(coroutine))
        said = repr(task)
        (frame,) = task.get_stack()
        printed = io.StringIO()
        task.print_stack(file=printed)
        task.cancel()
        await asyncio.wait([task])
        states.append(inspect.getcoroutinestate(coroutine))
        return states, said, frame.f_code.co_name, printed.getvalue()

    states, said, name, printed = world.run(main())
    assert states == ["CORO_CREATED", "CORO_SUSPENDED", "CORO_CLOSED"]
    assert ".wait() running at " in said
    assert "wait_for=<DeferredWait pending" in said
    assert name == "wait"
    assert "await Deferred()" in printed


def test_debug_mode_says_where_a_task_was_made(world):
    async def main():
        task = asyncio.get_running_loop().create_task(succeed_in_time())
        await task
        return task._source_traceback

    async def succeed_in_time():
        return await deferLater(world.reactor, 0, lambda: 1)

    world.loop.set_debug(True)
    assert world.run(main())[-1].name == "main"


def test_what_is_no_coroutine_is_refused(world):
    for wrong in [None, succeed(1), print]:
        with pytest.raises(TypeError, match="coroutine was expected"):
            world.loop.create_task(wrong)


def test_a_generator_based_coroutine(world):
    @types.coroutine
    def wait():
        return (yield deferLater(world.reactor, 0.01, lambda: "value"))

    async def main():
        return await wait()

    assert world.run(main()) == "value"


def test_a_name_and_a_context(world):
    async def main():
        return asyncio.current_task().get_name()

    assert world.run(world.loop.create_task(main(), name="mine")) == "mine"


@pytest.mark.parametrize("factory", [ours, over_epoll])
def test_a_task_factory_of_the_users(factory):
    def make(loop, coro, **kwargs):
        made_of.append(coro)
        return asyncio.Task(coro, loop=loop, **kwargs)

    async def main():
        return await deferLater(world.reactor, 0.01, lambda: "value")

    made_of = []
    with made(factory) as world:
        world.loop.set_task_factory(make)
        assert world.run(main()) == "value"
        assert len(made_of) == 1


@pytest.mark.skipif(sys.version_info < (3, 12), reason="new in Python 3.12")
def test_eager_tasks(world):
    async def wait(deferred):
        seen.append("started")
        return await deferred

    async def main():
        deferred = Deferred()
        task = asyncio.create_task(wait(deferred))
        seen.append("made")
        deferred.callback("value")
        fired = asyncio.create_task(wait(succeed("at once")))
        assert fired.done()
        return await task, fired.result()

    seen = []
    world.loop.set_task_factory(asyncio.eager_task_factory)
    assert world.run(main()) == ("value", "at once")
    assert seen == ["started", "made", "started"]


def test_a_coroutine_that_is_never_started_is_warned_of_as_ever(world):
    async def main():
        await Deferred()

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        wrapped = _core.Coroutine(main(), (Deferred, print))
        wrapped.close()
        del wrapped
        gc.collect()
        assert caught == []
        _core.Coroutine(main(), (Deferred, print))
        gc.collect()
    (warning,) = caught
    assert "main' was never awaited" in str(warning.message)


def test_closing_one_that_waits_lets_the_deferred_go_on():
    async def wait():
        try:
            await deferred
        finally:
            seen.append("closed")

    async def main():
        wrapped = _core.TaskMaker(print, (Deferred, wait_for)).wrap(wait())
        assert isinstance(wrapped.send(None), DeferredWait)
        deferred.callback("value")
        assert deferred.paused
        wrapped.close()
        return await deferred

    def wait_for(deferred):
        return DeferredWait(deferred, asyncio.get_running_loop())

    deferred, seen = Deferred(), []
    assert asyncio.run(main()) == "value"
    assert seen == ["closed"]


def test_without_a_running_loop_twisted_may_run_one():
    async def wait():
        return await deferred

    deferred = Deferred()
    wrapped = _core.TaskMaker(print, (Deferred, lambda _: None)).wrap(wait())
    seen = []
    ensureDeferred(wrapped).addCallback(seen.append)
    deferred.callback("value")
    assert seen == ["value"]


def test_a_reactor_that_is_made_later_serves_the_tasks_made_from_then_on():
    async def main():
        from tornado4.platform.twisted import TornadoReactor

        reactor = TornadoReactor()
        deferred = deferLater(reactor, 0.01, lambda: "value")
        return await asyncio.create_task(wait(deferred))

    async def wait(deferred):
        return await deferred

    assert tornado4.run(main()) == "value"


def test_a_closed_loop_makes_no_task():
    with made(ours) as world:
        loop = world.loop
    coroutine = asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="closed"):
        loop.create_task(coroutine)
    coroutine.close()


# What is left


async def awaits_a_value(world, thing):
    await deferLater(world.reactor, 0, lambda: thing)


async def awaits_a_failure(world, thing):
    deferred = Deferred()
    world.reactor.callLater(0, deferred.errback, ValueError(thing))
    with contextlib.suppress(ValueError):
        await deferred


async def is_cancelled(world, thing):
    async def wait():
        mine = thing
        await Deferred()
        return mine

    task = asyncio.ensure_future(wait())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])


async def converts(world, thing):
    async def fails():
        await asyncio.sleep(0)
        raise ValueError(thing)

    with contextlib.suppress(ValueError):
        await as_deferred(fails())


@pytest.mark.parametrize("use", [awaits_a_value, awaits_a_failure, is_cancelled, converts])
@pytest.mark.parametrize("factory", [ours, over_epoll, over_asyncio])
def test_nothing_is_left_in_cycles(factory, use):
    with made(factory) as world:
        world.run(use(world, Thing()))  # what is made once doesn't count
        thing = Thing()
        alive = weakref.ref(thing)
        gc.collect()
        gc.disable()
        try:
            world.run(use(world, thing))
            del thing
            assert alive() is None
        finally:
            gc.enable()


def test_what_waits_for_ever_is_collected_with_its_loop():
    async def wait(thing):
        thing.task = asyncio.current_task()
        thing.task._log_destroy_pending = False
        thing.deferred = Deferred()
        await thing.deferred

    thing = Thing()
    with made(ours) as world:
        world.loop.create_task(wait(thing))
        world.run(asyncio.sleep(0))
    alive = [weakref.ref(thing), weakref.ref(world.loop)]
    del thing, world
    gc.collect()
    assert [ref() for ref in alive] == [None, None]


def test_a_failure_that_nobody_awaits_is_still_logged(world):
    async def main():
        fail(ValueError("unhandled"))
        gc.collect()

    world.run(main())
    (error,) = world.logged
    assert str(error) == "unhandled"
    world.logged.clear()
