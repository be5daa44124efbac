"""A reactor that ends before its loop: made by what already ran there."""

import asyncio
import gc
import threading
import weakref

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ReactorNotRestartable

import tornado4
from helpers.loops import watchdog
from helpers.programs import output_of
from helpers.scenarios import handlers_restored, open_fds
from tornado4.ioloop import IOLoop
from tornado4.platform.twisted import TornadoReactor, TwistedIOLoop


@pytest.fixture(params=["tornado4", "asyncio", "uvloop"])
def loop(request):
    if request.param == "uvloop":
        made = pytest.importorskip("uvloop", reason="uvloop is not installed").new_event_loop()
    elif request.param == "asyncio":
        made = asyncio.SelectorEventLoop()
    else:
        made = tornado4.new_event_loop()
    with handlers_restored(), watchdog(lambda: made.call_soon_threadsafe(made.stop)):
        yield made
        made.close()


def shutdown_of(reactor):
    events = []
    for phase in ["before", "during", "after"]:
        reactor.addSystemEventTrigger(phase, "shutdown", events.append, phase)
    return events


async def ended(reactor, how="stop"):
    """End a reactor of the running loop, and give that time to do too much."""
    events = shutdown_of(reactor)
    await asyncio.sleep(0.01)
    assert reactor.running
    getattr(reactor, how)()
    await asyncio.sleep(0.03)
    assert not reactor.running
    return events


def test_stop_leaves_the_loop_running(loop):
    async def main():
        assert await ended(TornadoReactor()) == ["before", "during", "after"]
        return "goes on"

    assert loop.run_until_complete(main()) == "goes on"


def test_crash_leaves_the_loop_running(loop):
    async def main():
        reactor = TornadoReactor()
        assert await ended(reactor, "crash") == []
        reactor.fireSystemEvent("shutdown")
        reactor.disconnectAll()
        reactor._signals.uninstall()
        return "goes on"

    assert loop.run_until_complete(main()) == "goes on"


def test_a_slow_shutdown_is_waited_for(loop):
    async def main():
        reactor = TornadoReactor()
        events, slow = shutdown_of(reactor), Deferred()
        reactor.addSystemEventTrigger("before", "shutdown", lambda: slow)
        await asyncio.sleep(0.01)
        reactor.stop()
        await asyncio.sleep(0.01)
        seen = list(events)
        reactor.callLater(0.01, slow.callback, None)
        await asyncio.sleep(0.05)
        return seen, events

    assert loop.run_until_complete(main()) == (["before"], ["before", "during", "after"])


def test_an_ended_reactor_calls_nothing_more(loop):
    async def main():
        reactor = TornadoReactor()
        called = []
        soon, late = (reactor.callLater(60, called.append, kind) for kind in ("soon", "late"))
        await ended(reactor)
        soon.reset(0.02)
        late.reset(0.03)
        reactor.callFromThread(called.append, "thread")
        reactor.callLater(0, called.append, "after")
        moved = reactor.callLater(0, called.append, "moved")
        cancelled = reactor.callLater(0, called.append, "cancelled")
        await asyncio.sleep(0.06)
        moved.delay(0.01)
        cancelled.cancel()
        await asyncio.sleep(0.03)
        pending = sorted(call.args[0] for call in reactor.getDelayedCalls())
        with pytest.raises(RuntimeError):
            reactor.stop()
        return called, pending

    found = loop.run_until_complete(main())
    assert found == ([], ["after", "late", "moved", "soon"])


def test_a_restartable_reactor_calls_them_in_its_next_round(loop):
    async def main():
        reactor = TornadoReactor(restartable=True)
        await ended(reactor)
        called = []
        reactor.callLater(0, called.append, "timed")
        moved = reactor.callLater(0, called.append, "moved")
        reactor.callFromThread(called.append, "thread")
        await asyncio.sleep(0.02)
        moved.delay(0.02)
        with pytest.raises(RuntimeError, match=r"(?i)running"):
            reactor.run()
        assert called == []
        return reactor, called

    reactor, called = loop.run_until_complete(main())
    events = shutdown_of(reactor)
    reactor.callLater(0.05, reactor.stop)
    reactor.run(installSignalHandlers=False)
    assert sorted(called) == ["moved", "thread", "timed"]
    assert events == ["before", "during", "after"], "its own run ends with it"


def test_a_round_that_is_stopped_while_it_starts(loop):
    async def main():
        reactor = TornadoReactor(restartable=True)
        await ended(reactor)
        return reactor

    reactor = loop.run_until_complete(main())
    reactor.callWhenRunning(reactor.stop)
    reactor.run(installSignalHandlers=False)
    assert not loop.is_running()
    assert not reactor.running


def test_not_restartable(loop):
    async def main():
        reactor = TornadoReactor()
        await ended(reactor)
        return reactor

    reactor = loop.run_until_complete(main())
    with pytest.raises(ReactorNotRestartable):
        reactor.run()


def test_threads_end_with_the_reactor(loop):
    async def main():
        before = threading.active_count()
        reactor = TornadoReactor()
        reactor.callInThread(int)
        await ended(reactor)
        return threading.active_count() - before

    assert loop.run_until_complete(main()) == 0


def test_tasks_go_on_to_await(loop):
    async def main():
        reactor = TornadoReactor()
        await asyncio.sleep(0.01)
        future = loop.create_future()
        loop.call_later(0.05, future.set_result, "asyncio's")
        reactor.stop()
        return await future

    assert loop.run_until_complete(main()) == "asyncio's"


def test_the_next_run_of_the_loop_ends_with_the_reactor():
    # Then the reactor was there first.
    io_loop = IOLoop(make_current=False)

    async def main():
        return TornadoReactor()

    reactor = io_loop.run_sync(main)
    events = shutdown_of(reactor)
    with watchdog(lambda: io_loop.add_callback(io_loop.stop)):
        reactor.callLater(0.02, reactor.stop)
        io_loop.start()
    assert events == ["before", "during", "after"]
    io_loop.close()


def test_stopped_between_two_runs_of_the_loop():
    io_loop = IOLoop(make_current=False)

    async def main():
        reactor = TornadoReactor()
        await asyncio.sleep(0.01)
        return reactor

    reactor = io_loop.run_sync(main)
    reactor.stop()
    with watchdog(lambda: io_loop.add_callback(io_loop.stop)):
        io_loop.start()
    assert not reactor.running
    io_loop.close()


def test_a_reactor_made_in_a_single_turn_was_there_before_the_loop_ran():
    io_loop = IOLoop(make_current=False)
    made = []
    first = TornadoReactor(io_loop)
    first.callLater(0, lambda: made.append(TornadoReactor(io_loop)))
    first.iterate(0.1)
    with watchdog(lambda: io_loop.add_callback(io_loop.stop)):
        io_loop.call_later(0.02, made[0].stop)
        io_loop.start()
    assert not made[0].running
    for reactor in [first, *made]:
        reactor.fireSystemEvent("shutdown")
        reactor.disconnectAll()
    io_loop.close()


@pytest.mark.parametrize("end", ["reactor", "io_loop"])
def test_twisted_io_loop_on_it(end):
    async def main():
        reactor = TornadoReactor()
        io_loop = TwistedIOLoop(reactor, make_current=False)
        await asyncio.sleep(0.01)
        if end == "io_loop":
            # This one asks for the loop's end.
            io_loop.stop()
        else:
            reactor.stop()
        await asyncio.sleep(0.01)
        io_loop.close()
        return "goes on"

    if end == "reactor":
        assert tornado4.run(main()) == "goes on"
    else:
        with pytest.raises(RuntimeError, match="stopped before"):
            tornado4.run(main())


def test_nothing_is_left_of_one_that_ended():
    async def main():
        reactor = TornadoReactor()
        for _ in range(3):
            reactor.callLater(0.02, int)
        await ended(reactor)
        reactor.callFromThread(int)
        await asyncio.sleep(0.02)
        return weakref.ref(reactor), weakref.ref(reactor._core)

    tornado4.run(main())
    gc.collect()
    before = open_fds()
    gone = tornado4.run(main())
    gc.collect()
    assert [reference() for reference in gone] == [None, None]
    assert open_fds() == before


@pytest.mark.parametrize("run", ["IOLoop.current().start()", "loop.run_forever()", "reactor.run()"])
def test_a_reactor_that_was_there_first_stops_the_loop(run):
    code = f"""
import tornado4.platform.twisted
reactor = tornado4.platform.twisted.install()
from tornado4.ioloop import IOLoop
loop = IOLoop.current().asyncio_loop
down = []
reactor.addSystemEventTrigger("after", "shutdown", down.append, "down")
reactor.callLater(0.02, reactor.stop)
{run}
print(down)
"""
    assert output_of(code) == "['down']\n"


@pytest.mark.parametrize("run", ["asyncio.run", "tornado4.run", "IOLoop().run_sync"])
def test_main_that_installs_the_reactor_outlives_it(run):
    code = f"""
import asyncio, tornado4
from tornado4.ioloop import IOLoop
async def main():
    import tornado4.platform.twisted
    reactor = tornado4.platform.twisted.install()
    await asyncio.sleep(0.01)
    reactor.stop()
    await asyncio.sleep(0.02)
    return reactor.running
print({run}(main{"" if run.endswith("sync") else "()"}))
"""
    assert output_of(code) == "False\n"


@pytest.mark.parametrize("how", ["reactor.stop()", 'reactor.fireSystemEvent("shutdown")'])
@pytest.mark.parametrize("run", ["asyncio.run", "tornado4.run"])
def test_stopped_while_the_tasks_that_main_left_are_cancelled(run, how):
    # Each step of the clean-up is a run of the loop.
    code = f"""
import asyncio, tornado4, warnings
from tornado4.ioloop import IOLoop

async def left(reactor):
    try:
        await asyncio.sleep(60)
    finally:
        await asyncio.sleep(0)
        {how}
        await asyncio.sleep(0.02)
        print(reactor.running)

async def main():
    from tornado4.platform.twisted import install
    task = asyncio.create_task(left(install()))
    await asyncio.sleep(0.01)

warnings.simplefilter("ignore", DeprecationWarning)  # of policies, since Python 3.14

class Policy(asyncio.DefaultEventLoopPolicy):
    new_event_loop = staticmethod(tornado4.new_event_loop)

asyncio.set_event_loop_policy(Policy())
{run}(main())
print("ended")
"""
    assert output_of(code) == "False\nended\n"


def test_stopped_while_tasks_are_cancelled_though_it_was_there_first():
    code = """
import asyncio, tornado4
from tornado4.platform.twisted import install
reactor = install()

async def left():
    try:
        await asyncio.sleep(60)
    finally:
        reactor.stop()
        await asyncio.sleep(0.02)
        print(reactor.running)

async def main():
    global task
    task = asyncio.create_task(left())
    await asyncio.sleep(0.01)

tornado4.run(main())
print("ended")
"""
    assert output_of(code) == "False\nended\n"
