"""Starting and stopping an IOLoop, and calling it from elsewhere, as documented."""

import asyncio
import contextvars
import os
import signal
import threading

import pytest
import tornado
import tornado.ioloop
from tornado import gen
from tornado.util import TimeoutError

from helpers.loops import nested_run, on_io_loops, ours_io_loop
from helpers.scenarios import io_turns, outcome, pipe, run_for

STOPPED = ("RuntimeError", "Event loop stopped before Future completed.")
INVALID = ("logged", "ValueError", "invalid literal for int() with base 10: 'x'")


@on_io_loops
def test_callbacks_from_threads(run):
    def scenario(io_loop, trace):
        per_thread = {thread: [] for thread in range(10)}

        def received(thread, number):
            per_thread[thread].append(number)
            if sum(map(len, per_thread.values())) == 10_000:
                io_loop.stop()

        def send(thread):
            for number in range(1_000):
                io_loop.add_callback(received, thread, number=number)

        threads = [threading.Thread(target=send, args=[n]) for n in per_thread]
        for thread in threads:
            thread.start()
        io_loop.start()
        for thread in threads:
            thread.join()
        trace.extend(per_thread.values())

    assert run(scenario) == [list(range(1_000))] * 10


@nested_run
@on_io_loops
def test_start_and_stop(run):
    def scenario(io_loop, trace):
        def nested():
            trace.append(outcome(io_loop.start)[0])
            trace.append(tornado.ioloop.IOLoop.current() is io_loop)
            io_loop.stop()
            io_loop.add_callback(trace.append, "next start")

        io_loop.add_callback(nested)
        io_loop.add_callback(trace.append, "same turn")
        io_loop.start()
        trace.append("stopped")
        io_loop.stop()
        io_loop.start()
        trace.append("stopped before it started")
        io_loop.add_callback(io_loop.stop)
        io_loop.start()

    traced = run(scenario)
    # Whether a loop stopped beforehand still makes one turn, 4.5 and 6 disagree on.
    assert traced[:4] == ["RuntimeError", True, "same turn", "stopped"]
    assert sorted(traced[4:]) == ["next start", "stopped before it started"]


@on_io_loops
def test_run_sync(run):
    def scenario(io_loop, trace):
        async def answer(value):
            await asyncio.sleep(0)
            return value

        @gen.coroutine
        def legacy():
            yield gen.moment
            raise gen.Return("legacy")

        async def stop():
            io_loop.stop()
            await asyncio.sleep(0)

        trace.append(io_loop.run_sync(lambda: answer(42)))
        trace.append(io_loop.run_sync(legacy, timeout=60))
        trace.append(io_loop.run_sync(lambda: None))
        trace.append(outcome(io_loop.run_sync, lambda: int("x")))
        trace.append(outcome(io_loop.run_sync, asyncio.Event().wait, timeout=0.01))
        try:
            io_loop.run_sync(asyncio.Event().wait, timeout=0.001)
        except TimeoutError:
            trace.append("tornado.util.TimeoutError")
        trace.append(io_loop.run_sync(lambda: answer("usable")))
        stopped = outcome(io_loop.run_sync, stop)
        # Tornado 6.4 takes a stop for a time-out.
        trace.append(stopped if tornado.version_info >= (6, 5) else STOPPED)

    assert run(scenario) == [
        *(42, "legacy", None, INVALID[1:]),
        ("TimeoutError", "Operation timed out after 0.01 seconds"),
        *("tornado.util.TimeoutError", "usable"),
        STOPPED,
    ]


@on_io_loops
@pytest.mark.filterwarnings("ignore:add_callback_from_signal:DeprecationWarning")
def test_after_close_callbacks_are_silently_dropped(run):
    def scenario(io_loop, trace):
        io_loop.add_callback(trace.append, "called")
        io_loop.close()
        for add in [
            io_loop.add_callback,
            io_loop.spawn_callback,
            io_loop.add_callback_from_signal,
        ]:
            trace.append(outcome(add, trace.append, "called"))
        thread = threading.Thread(target=io_loop.add_callback, args=[print])
        thread.start()
        thread.join()

    assert run(scenario) == [None] * 3


var = contextvars.ContextVar("var", default="unset")


@on_io_loops
def test_callbacks_and_timeouts_keep_their_context(run):
    def scenario(io_loop, trace):
        def show(name):
            trace.append((name, var.get()))
            var.set("leaked")

        var.set("callback's")
        io_loop.add_callback(show, "callback")
        var.set("timeout's")
        io_loop.call_later(0, show, "timeout")
        var.set("handler's")
        with pipe() as (r, w):
            os.write(w, b"x")
            io_loop.add_handler(r, lambda *_: show("handler"), io_loop.READ)
            var.set("too late")
            io_turns(io_loop)
            io_loop.remove_handler(r)
        run_for(io_loop)
        trace.sort()

    assert run(lambda *args: contextvars.copy_context().run(scenario, *args)) == [
        ("callback", "callback's"),
        ("handler", "handler's"),
        ("timeout", "timeout's"),
    ]


@pytest.mark.filterwarnings("ignore:add_callback_from_signal:DeprecationWarning")
def test_a_callback_from_a_signal_wakes_the_loop_and_has_an_empty_context():
    # Tornado 6 takes the context of whatever the signal interrupted.
    def scenario(io_loop, trace):
        def handler(number, frame):
            io_loop.add_callback_from_signal(called, "signal", key=1)

        def called(*args, **kwargs):
            trace.append((args, kwargs, var.get(), len(contextvars.copy_context())))
            io_loop.stop()

        var.set("interrupted")
        before = signal.signal(signal.SIGALRM, handler)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.02)
            io_loop.start()
        finally:
            signal.signal(signal.SIGALRM, before)

    traced = ours_io_loop(lambda *args: contextvars.copy_context().run(scenario, *args))
    assert traced == [(("signal",), {"key": 1}, "unset", 0)]
