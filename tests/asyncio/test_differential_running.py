"""run_forever, stop and close, also out of place: as stock asyncio has it."""

import asyncio
import os
import signal
import threading

import pytest

from helpers.loops import nested_run, on_asyncio
from helpers.scenarios import outcome, turns

RUNNING = ("RuntimeError", "This event loop is already running")
CLOSED = ("RuntimeError", "Event loop is closed")


@on_asyncio
def test_stop_before_run_forever_runs_exactly_one_turn(run):
    def scenario(loop, trace):
        def first():
            trace.append("first")
            loop.call_soon(trace.append, "next turn")

        loop.call_soon(first)
        loop.stop()
        loop.stop()
        loop.run_forever()
        trace.append("stopped")
        loop.stop()
        loop.run_forever()

    assert run(scenario) == ["first", "stopped", "next turn"]


@on_asyncio
def test_stop_within_a_turn_lets_the_rest_of_it_run(run):
    def scenario(loop, trace):
        def stop():
            trace.append("stop")
            loop.stop()
            loop.call_soon(trace.append, "next turn")

        loop.call_soon(stop)
        loop.call_soon(trace.append, "after")
        loop.call_later(0, trace.append, "later")
        loop.run_forever()
        trace.append("stopped")
        turns(loop)

    assert run(scenario) == ["stop", "after", "later", "stopped", "next turn"]


@nested_run
@on_asyncio
def test_running_while_running(run):
    def scenario(loop, trace):
        def again():
            trace.append(loop.is_running())
            trace.append(asyncio.get_running_loop() is loop)
            trace.append(outcome(loop.run_forever))
            trace.append(outcome(loop.run_until_complete, loop.create_future()))
            trace.append(outcome(loop.close))
            trace.append((loop.is_running(), loop.is_closed()))

        loop.call_soon(again)
        loop.call_soon(trace.append, "next")
        turns(loop)
        trace.append(loop.is_running())

    cannot_close = ("RuntimeError", "Cannot close a running event loop")
    assert run(scenario) == [
        *(True, True, RUNNING, RUNNING, cannot_close, (True, False)),
        *("next", False),
    ]


@nested_run
@on_asyncio
def test_running_while_another_loop_runs(run):
    def scenario(loop, trace):
        async def main():
            trace.append(outcome(loop.run_forever))
            trace.append(loop.is_running())

        asyncio.run(main())
        loop.call_soon(trace.append, "usable")
        turns(loop)

    another = "Cannot run the event loop while another loop is running"
    assert run(scenario) == [("RuntimeError", another), False, "usable"]


@nested_run
@on_asyncio
def test_running_while_another_thread_runs_it(run):
    def scenario(loop, trace):
        started = threading.Event()
        loop.call_soon(started.set)
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        assert started.wait(20)
        trace.append(loop.is_running())
        trace.append(outcome(loop.run_forever))
        trace.append(outcome(loop.close)[0])
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        trace.append(loop.is_running())

    assert run(scenario) == [True, RUNNING, "RuntimeError", False]


@on_asyncio
def test_a_loop_may_run_in_one_thread_and_then_in_another(run):
    def scenario(loop, trace):
        def tell():
            trace.append(threading.current_thread() is threading.main_thread())

        for target in [lambda: None, lambda: turns(loop)]:
            loop.call_soon(tell)
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()
        turns(loop)

    assert run(scenario) == [False, False]


@on_asyncio
def test_everything_on_a_closed_loop(run):
    def scenario(loop, trace):
        pending = loop.call_soon(trace.append, "called")
        loop.close()
        loop.close()
        trace.append((loop.is_closed(), loop.is_running()))
        for call in [
            loop.run_forever,
            lambda: loop.call_soon(print),
            lambda: loop.call_soon_threadsafe(print),
            lambda: loop.run_in_executor(None, print),
        ]:
            trace.append(outcome(call))
        trace.append(outcome(loop.run_until_complete, loop.create_future()))
        trace.append(outcome(loop.stop))
        pending.cancel()
        trace.append(outcome(loop.run_forever))
        trace.append((loop.is_closed(), loop.is_running()))

    assert run(scenario) == [(True, False), *[CLOSED] * 5, None, CLOSED, (True, False)]


@on_asyncio
def test_run_until_complete(run):
    def scenario(loop, trace):
        async def answer(value):
            await asyncio.sleep(0)
            return value

        async def fail():
            await asyncio.sleep(0)
            raise ValueError("mine")

        async def stop():
            loop.stop()
            await asyncio.sleep(0)
            trace.append("went on")

        trace.append(loop.run_until_complete(answer(42)))
        trace.append(outcome(loop.run_until_complete, fail()))
        trace.append(outcome(loop.run_until_complete, asyncio.sleep(0, "slept")))
        task = loop.create_task(stop())
        trace.append(outcome(loop.run_until_complete, task))
        trace.append(outcome(loop.run_until_complete, task))
        trace.append(outcome(loop.run_until_complete, None)[0])

    assert run(scenario) == [
        42,
        ("ValueError", "mine"),
        "slept",
        ("RuntimeError", "Event loop stopped before Future completed."),
        "went on",
        None,
        "TypeError",
    ]


@on_asyncio
@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_an_exit_within_a_task(run, error):
    def scenario(loop, trace):
        async def leave():
            try:
                await asyncio.sleep(0)
                raise error("mine")
            finally:
                trace.append("finally")

        try:
            loop.run_until_complete(leave())
        except error as left:
            trace.append(left.args)
        trace.append(loop.run_until_complete(asyncio.sleep(0, "usable")))

    assert run(scenario) == ["finally", ("mine",), "usable"]


@on_asyncio
def test_a_stop_from_another_thread_alone_needs_a_wakeup(run):
    def scenario(loop, trace):
        def stop():
            loop.stop()
            loop.call_soon_threadsafe(trace.append, "woken")

        thread = threading.Timer(0.02, stop)
        thread.start()
        loop.run_forever()
        thread.join()
        turns(loop)

    assert run(scenario) == ["woken"]


@on_asyncio
def test_ctrl_c_leaves_a_loop_that_has_nothing_to_do(run):
    def scenario(loop, trace):
        thread = threading.Timer(0.02, os.kill, [os.getpid(), signal.SIGINT])
        loop.call_soon(thread.start)
        try:
            loop.run_forever()
        except KeyboardInterrupt:
            trace.append("left")
        thread.join()
        trace.append((loop.is_running(), loop.is_closed()))
        loop.call_soon(trace.append, "usable")
        turns(loop)

    assert run(scenario) == ["left", (False, False), "usable"]


@on_asyncio
def test_asyncgen_hooks_are_those_of_the_running_loop(run):
    def scenario(loop, trace):
        async def numbers():
            try:
                yield 1
            finally:
                trace.append("closed")

        async def main():
            async for number in numbers():
                trace.append(number)
                return

        loop.run_until_complete(main())
        loop.run_until_complete(loop.shutdown_asyncgens())

    assert run(scenario) == [1, "closed"]
