"""create_task, create_future and the task factory: as stock asyncio has them."""

import asyncio
import gc
import random
import sys
import warnings
import weakref
from unittest import mock

import pytest

from helpers.loops import on_asyncio
from helpers.scenarios import outcome

NEWER = sys.version_info >= (3, 11)


async def answer(value=42):
    await asyncio.sleep(0)
    return value


async def answers():
    return await asyncio.gather(*(answer(number) for number in range(3)))


def made(loop, /, *args, **kwargs):
    """What comes of create_task: the error, or what there is to see of the task."""
    coro = answer()
    try:
        task = loop.create_task(coro, *args, **kwargs)
    except Exception as error:
        coro.close()
        return type(error).__name__, str(error).replace("EventLoop.", "")
    name = getattr(task, "get_name", lambda: None)()
    kind = type(task) is asyncio.Task
    return kind, name.startswith("Task-") or name, task.get_loop() is loop


@on_asyncio
def test_futures_are_asyncios_own(run):
    def scenario(loop, trace):
        future = loop.create_future()
        trace.append((type(future) is asyncio.Future, future.get_loop() is loop))
        trace.append(outcome(loop.create_future, 1)[0])
        trace.append(outcome(loop.create_future, x=1)[0])

        class Other(asyncio.Future):
            pass

        with mock.patch("asyncio.futures.Future", Other):
            trace.append(type(loop.create_future()) is Other)
        loop.close()
        trace.append(type(loop.create_future()) is asyncio.Future)

    assert run(scenario) == [(True, True), "TypeError", "TypeError", True, True]


@on_asyncio
def test_tasks_are_asyncios_own(run):
    def scenario(loop, trace):
        trace.append(made(loop))
        trace.append(made(loop, name="named"))
        trace.append(made(loop, name=None))
        trace.append(made(loop, name=7))
        trace.append(made(loop, unknown=1)[0])
        trace.append(made(loop, "more")[0])
        trace.append(outcome(loop.create_task)[0])
        trace.append(outcome(loop.create_task, 7))
        trace.append(loop.run_until_complete(loop.create_task(answer())))
        trace.append(loop.run_until_complete(loop.create_task(coro=answer())))

    plain = (True, True, True)
    named = [(True, "named", True), plain, (True, "7", True)]
    no_coroutine = ("TypeError", "a coroutine was expected, got 7")
    errors = ["TypeError", "TypeError", "TypeError", no_coroutine]
    assert run(scenario) == [plain, *named, *errors, 42, 42]


@on_asyncio
@pytest.mark.skipif(not NEWER, reason="tasks take no context before Python 3.11")
def test_a_task_runs_in_the_context_that_it_is_given(run):
    import contextvars

    variable = contextvars.ContextVar("variable", default="outside")

    def scenario(loop, trace):
        async def look():
            trace.append(variable.get())
            variable.set("changed")

        context = contextvars.copy_context()
        context.run(variable.set, "inside")
        loop.run_until_complete(loop.create_task(look(), context=context, name="x"))
        trace.append(context[variable])
        loop.run_until_complete(loop.create_task(look()))
        loop.run_until_complete(loop.create_task(look(), context=None))
        trace.append(variable.get())

    assert run(scenario) == ["inside", "changed", "outside", "outside", "outside"]


@on_asyncio
def test_a_closed_loop_makes_no_task(run):
    def scenario(loop, trace):
        loop.close()
        trace.append(made(loop))
        trace.append(made(loop, name="named"))

    assert run(scenario) == [("RuntimeError", "Event loop is closed")] * 2


@on_asyncio
def test_a_task_factory_makes_the_tasks(run):
    def scenario(loop, trace):
        def factory(loop, coro, **kwargs):
            trace.append(("made", sorted(kwargs)))
            return asyncio.Task(coro, loop=loop)

        trace.append((loop.get_task_factory(), loop._task_factory))
        loop.set_task_factory(factory)
        trace.append((loop.get_task_factory() is factory, loop._task_factory is factory))
        trace.append(loop.run_until_complete(answer()))
        loop.set_task_factory(None)
        trace.append(loop.run_until_complete(answer()))
        trace.append(outcome(loop.set_task_factory, 7)[0])
        loop._task_factory = factory
        trace.append(loop.run_until_complete(answer()))
        loop.close()
        trace.append(loop.get_task_factory() is factory)

    trace = run(scenario)
    assert [it for it in trace if it == 42] == [42, 42, 42]
    assert trace[0] == (None, None)
    assert sum(it[0] == "made" for it in trace if isinstance(it, tuple)) == 2
    assert trace[-1] is True


@on_asyncio
def test_a_replaced_task_class_is_used(run):
    """As some do who want every task to be a Python object."""

    def scenario(loop, trace):
        class Own(asyncio.tasks._PyTask):
            pass

        with mock.patch("asyncio.tasks.Task", Own):
            task = loop.create_task(answer())
        trace.append(type(task) is Own)
        trace.append(loop.run_until_complete(task))

    assert run(scenario) == [True, 42]


@on_asyncio
def test_debug_mode_tells_where_a_task_was_made(run):
    def scenario(loop, trace):
        loop.set_debug(True)
        task = loop.create_task(answer())
        trace.append(task._source_traceback[-1].name)
        loop.run_until_complete(task)

    assert run(scenario) == ["scenario"]


def test_a_subclass_goes_on_to_ours():
    from tornado4.platform.asyncio import EventLoop

    class Own(EventLoop):
        def create_task(self, coro, **kwargs):
            seen.append(coro.__name__)
            return super().create_task(coro, **kwargs)

        def create_future(self):
            seen.append("future")
            return super().create_future()

    seen = []
    loop = Own()
    try:
        assert loop.run_until_complete(answer()) == 42
        assert loop.run_until_complete(asyncio.sleep(0.001, "slept")) == "slept"
    finally:
        loop.close()
    assert seen == ["answer", "sleep", "future"]


def test_a_task_factory_is_collected_with_its_loop():
    import tornado4

    class Factory:
        def __init__(self, loop):
            self.loop = loop

        def __call__(self, loop, coro, **_kwargs):
            return asyncio.Task(coro, loop=loop)

    loop = tornado4.new_event_loop()
    factory = Factory(loop)
    loop.set_task_factory(factory)
    loop.run_until_complete(answer())
    loop.close()
    gone = weakref.ref(factory)
    del loop, factory
    gc.collect()
    assert gone() is None


@on_asyncio
@pytest.mark.parametrize("seed", range(20))
def test_random_makings(run, seed):
    def scenario(loop, trace):
        chance = random.Random(seed)

        def factory(loop, coro, **kwargs):
            trace.append("factory")
            return asyncio.Task(coro, loop=loop)

        steps = [
            lambda: trace.append(made(loop)),
            lambda: trace.append(made(loop, name=chance.choice(["a", None, 3]))),
            lambda: trace.append(made(loop, chance.choice([1, None]))[0]),
            lambda: trace.append(made(loop, **{chance.choice(["x", "loop"]): 1})[0]),
            lambda: loop.set_debug(chance.random() < 0.5),
            lambda: loop.set_task_factory(chance.choice([None, factory])),
            lambda: trace.append(outcome(loop.create_task, chance.choice([7, None, answer]))[0]),
            lambda: trace.append(loop.run_until_complete(answer(chance.random()))),
            lambda: trace.append(loop.run_until_complete(loop.create_task(answer()))),
            lambda: trace.append(loop.run_until_complete(answers())),
        ]
        for _ in range(60):
            chance.choice(steps)()
        # None is left that has never run.
        loop.run_until_complete(answers())

    assert run(scenario)


def loop_that_has_made_some():
    import tornado4

    loop = tornado4.new_event_loop()
    loop.create_future()
    loop.run_until_complete(answer())
    return loop


def test_a_closed_loop_is_in_no_cycle_with_what_it_made():
    loop = loop_that_has_made_some()
    loop.close()
    loop.create_future()
    gc.collect()  # what tasks have left
    gone = weakref.ref(loop)
    gc.disable()
    try:
        del loop
        assert gone() is None
    finally:
        gc.enable()


def test_a_loop_that_nobody_closes_is_collected():
    loop = loop_that_has_made_some()
    gone = weakref.ref(loop)
    with warnings.catch_warnings():
        # asyncio says that it wasn't closed.
        warnings.simplefilter("ignore", ResourceWarning)
        del loop
        gc.collect()
    assert gone() is None
