"""Tasks that are older than the reactor whose Deferreds they await."""

import asyncio
import sys

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

import tornado4
from helpers.programs import output_of
from tornado4.platform.twisted import TornadoReactor

# Programs of their own: here Twisted's face is imported already.
START = """
import asyncio, sys, types
import tornado4
from tornado4.ioloop import IOLoop

def value(reactor):
    from twisted.internet.task import deferLater
    return deferLater(reactor, 0.01, lambda: "value")

async def main():
    assert "tornado4.platform.twisted" not in sys.modules
    await asyncio.sleep(0)
    import tornado4.platform.twisted
    reactor = tornado4.platform.twisted.install()
    return await value(reactor)

def closing(loop, run):
    try:
        return run(loop)
    finally:
        loop.close()

def by_task(loop):
    task = loop.create_task(main())
    return loop.run_until_complete(task)
"""

# Here the main coroutine may be what imports Twisted.
OURS = {
    "tornado4.run": "tornado4.run(main())",
    "run_sync": "closing(IOLoop(), lambda io_loop: io_loop.run_sync(main))",
    "run_sync with a limit": "closing(IOLoop(), lambda io_loop: io_loop.run_sync(main, 10))",
}
# Here it may make the reactor, if Twisted was imported before.
WAYS = OURS | {
    "run_until_complete": (
        "closing(tornado4.new_event_loop(), lambda loop: loop.run_until_complete(main()))"
    ),
    "a task": "closing(tornado4.new_event_loop(), by_task)",
}
if sys.version_info >= (3, 11):
    WAYS["Runner"] = """
with asyncio.Runner(loop_factory=tornado4.new_event_loop) as runner:
    print(runner.run(main()))
"""
if sys.version_info >= (3, 12):
    WAYS["asyncio.run"] = "asyncio.run(main(), loop_factory=tornado4.new_event_loop)"


TWISTED = "import twisted.internet.defer\n"


@pytest.mark.parametrize("way", WAYS)
def test_the_main_task_that_makes_the_reactor(way):
    code = WAYS[way] if "print" in WAYS[way] else f"print({WAYS[way]})"
    assert output_of(TWISTED + START + code) == "value\n"


@pytest.mark.parametrize("way", OURS)
def test_the_main_task_that_imports_twisted(way):
    code = f'assert "twisted" not in sys.modules\nprint({WAYS[way]})'
    assert output_of(START + code) == "value\n"


@pytest.mark.parametrize("way", sorted(WAYS.keys() - OURS.keys()))
def test_without_twisted_a_task_is_asyncios(way):
    code = """
async def main():
    return type(asyncio.current_task().get_coro()) is types.CoroutineType
"""
    code += WAYS[way] if "print" in WAYS[way] else f"print({WAYS[way]})"
    assert output_of(START + code) == "True\n"


def test_in_debug_mode():
    code = """
async def patient():
    # The import takes its time.
    asyncio.get_running_loop().slow_callback_duration = 60
    return await main()
print(tornado4.run(patient(), debug=True))
"""
    assert output_of(START + code) == "value\n"


def test_a_second_run():
    code = """
import twisted.internet.defer
loop = tornado4.new_event_loop()
print(loop.run_until_complete(asyncio.sleep(0, "first")))
print(loop.run_until_complete(main()))
print(loop.run_until_complete(value(sys.modules["twisted.internet.reactor"]).asFuture(loop)))
loop.close()
"""
    assert output_of(START + code) == "first\nvalue\nvalue\n"


def test_tasks_of_a_running_loop_are_asyncios_where_nobody_needs_another():
    code = """
async def kinds():
    loop = asyncio.get_running_loop()
    assert "create_task" not in loop.__dict__
    async def inner():
        return type(asyncio.current_task().get_coro())
    return await asyncio.create_task(inner())

loop = tornado4.new_event_loop()
print(loop.run_until_complete(kinds()) is types.CoroutineType)
print(loop.run_until_complete(kinds()) is types.CoroutineType)
loop.close()
assert "twisted" not in sys.modules
"""
    assert output_of(START + code) == "True\nTrue\n"


def test_somebodys_own_create_task_stays():
    code = """
loop = tornado4.new_event_loop()
made, original = [], loop.create_task
def create_task(coro, **kwargs):
    made.append(coro.__name__)
    return original(coro, **kwargs)
loop.create_task = create_task
async def main_of_mine():
    await asyncio.create_task(asyncio.sleep(0))
loop.run_until_complete(main_of_mine())
print(loop.create_task is create_task, made)
loop.close()
"""
    assert output_of(START + code) == "True ['main_of_mine', 'sleep']\n"


def test_a_task_that_is_older_than_the_import_is_told_what_to_do():
    code = """
async def older(event, deferreds):
    await event.wait()
    return await deferreds[0]

async def outer():
    event, deferreds = asyncio.Event(), []
    task = asyncio.create_task(older(event, deferreds))
    await asyncio.sleep(0)
    result = await main()
    deferreds.append(value(sys.modules["twisted.internet.reactor"]))
    event.set()
    await asyncio.wait([task])
    print("as_future(deferred)" in str(task.exception()))
    from tornado4.platform.twisted import as_future
    print(await as_future(deferreds[0]))
    return result
print(tornado4.run(outer()))
"""
    assert output_of(START + code) == "True\nvalue\nvalue\n"


# From here on Twisted's face has been imported before the loop runs.


def test_a_task_that_is_older_than_the_reactor():
    async def wait(event, deferreds):
        await event.wait()
        return await deferreds[0]

    async def main():
        event, deferreds = asyncio.Event(), []
        task = asyncio.create_task(wait(event, deferreds))
        await asyncio.sleep(0)
        reactor = TornadoReactor()
        deferreds.append(deferLater(reactor, 0.01, lambda: "value"))
        event.set()
        return await task, await deferLater(reactor, 0.01, lambda: "main")

    assert tornado4.run(main()) == ("value", "main")


def test_cancelled_as_any_other():
    cancelled = []

    async def wait():
        await Deferred(lambda deferred: cancelled.append(deferred))

    async def main():
        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        TornadoReactor()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return len(cancelled)

    assert tornado4.run(main()) == 1


@pytest.mark.parametrize("host", ["asyncio", "uvloop"])
def test_on_a_foreign_loop_the_error_says_what_to_do(host):
    if host == "uvloop":
        loop = pytest.importorskip("uvloop", reason="uvloop is not installed").new_event_loop()
    else:
        loop = asyncio.SelectorEventLoop()

    async def older(event):
        await event.wait()
        await Deferred()

    async def main():
        event = asyncio.Event()
        task = asyncio.create_task(older(event))
        await asyncio.sleep(0)
        TornadoReactor()
        event.set()
        await asyncio.wait([task])
        assert "as_future(deferred)" in str(task.exception())
        assert str(task.exception()).count("as_future") == 1
        await Deferred()

    with pytest.raises(RuntimeError, match=r"bad yield: <Deferred at .*; use .*as_future\(defer"):
        loop.run_until_complete(main())
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


def test_an_error_that_nobody_looks_at_is_reported_all_the_same():
    reported = []
    loop = asyncio.SelectorEventLoop()
    loop.set_exception_handler(lambda loop, context: reported.append(context))

    async def older(event):
        await event.wait()
        await Deferred()

    async def main():
        event = asyncio.Event()
        task = asyncio.create_task(older(event))
        await asyncio.sleep(0)
        TornadoReactor()
        event.set()
        del task
        await asyncio.sleep(0.01)

    loop.run_until_complete(main())
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
    assert ["as_future" in str(context["exception"]) for context in reported] == [True]


@pytest.mark.parametrize("error", [ValueError("mine"), RuntimeError("mine"), None])
def test_other_errors_stay_as_they_are(error):
    loop = asyncio.SelectorEventLoop()

    async def older():
        await asyncio.sleep(0.01)
        if error is None:
            raise asyncio.CancelledError
        raise error

    async def main():
        task = asyncio.create_task(older())
        await asyncio.sleep(0)
        TornadoReactor()
        await asyncio.wait([task])
        return None if task.cancelled() else task.exception()

    assert loop.run_until_complete(main()) is error
    assert error is None or error.args == ("mine",)
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
