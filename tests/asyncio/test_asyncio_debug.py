"""asyncio's debug mode: the same checks, reports and reprs as on a stock loop."""

import functools
import logging
import re
import sys
import threading
import time

import pytest

from helpers.loops import on_asyncio
from helpers.programs import output_of
from helpers.scenarios import outcome, turns


def callback(*args):
    return args


async def coroutine_function():
    pass


class Fails:
    def __call__(self):
        raise ValueError("mine")

    def method(self):
        raise ValueError("mine")


def normal(text):
    """A text without what differs from run to run: addresses, lines, times.

    And without what differs in Python 3.14, where asyncio has a private subclass of its
    handles for `call_soon_threadsafe`.
    """
    text = text.replace("<_ThreadSafeHandle ", "<Handle ")
    text = re.sub(r"0x[0-9a-f]+", "0x", text)
    text = re.sub(r"\S+\.(py|pyx):\d+", "FILE", text)
    text = re.sub(r"Task-\d+", "Task-N", text)
    return re.sub(r"\d+\.\d+", "N", text)


@on_asyncio
def test_the_switch(run):
    def scenario(loop, trace):
        trace.append(loop.get_debug())
        loop.set_debug(True)
        trace.append(loop.get_debug())
        trace.append(loop.slow_callback_duration)
        loop.set_debug(False)
        trace.append(loop.get_debug())

    assert run(scenario) == [False, True, 0.1, False]


@on_asyncio
@pytest.mark.parametrize("name", ["call_soon", "call_soon_threadsafe", "call_later", "call_at"])
@pytest.mark.parametrize("debug", [True, False])
def test_what_may_not_be_scheduled(run, name, debug):
    def scenario(loop, trace):
        loop.set_debug(debug)
        schedule = getattr(loop, name)
        if name in ("call_later", "call_at"):
            schedule = functools.partial(schedule, loop.time() + 1000)
        coroutine = coroutine_function()
        for wrong in [coroutine_function, coroutine, None, "text"]:
            result = outcome(schedule, wrong)
            if isinstance(result, tuple):
                trace.append((result[0], normal(result[1])))
            else:
                result.cancel()
                trace.append("taken")
        coroutine.close()

    place = {"call_later": "call_at"}.get(name, name)
    refused = ("TypeError", f"coroutines cannot be used with {place}()")
    expected = f"a callable object was expected by {place}(), got "
    if debug:
        none, text = (("TypeError", expected + repr(wrong)) for wrong in [None, "text"])
        assert run(scenario) == [refused, refused, none, text]
    else:
        assert run(scenario) == ["taken"] * 4


@on_asyncio
@pytest.mark.parametrize("debug", [True, False])
def test_calls_from_a_wrong_thread(run, debug):
    def scenario(loop, trace):
        loop.set_debug(debug)

        def call_all():
            results = [
                outcome(loop.call_soon, callback),
                outcome(loop.call_later, 0, callback),
                outcome(loop.call_at, loop.time(), callback),
                outcome(loop.call_soon_threadsafe, callback),
            ]
            trace.extend(r if isinstance(r, tuple) else "taken" for r in results)

        def from_a_thread():
            thread = threading.Thread(target=call_all)
            thread.start()
            thread.join()

        from_a_thread()  # the loop does not run, so that no thread is the wrong one
        trace.append("runs")
        loop.call_soon(from_a_thread)
        turns(loop, 2)

    message = "Non-thread-safe operation invoked on an event loop other than the current one"
    refused = [("RuntimeError", message)] * 3 if debug else ["taken"] * 3
    assert run(scenario) == [*["taken"] * 4, "runs", *refused, "taken"]


SLOW = r"sleep|lazy_task|lazy"


@on_asyncio
def test_a_slow_callback_is_reported(run, caplog):
    def scenario(loop, trace):
        loop.set_debug(True)
        loop.slow_callback_duration = 0.05
        with caplog.at_level(logging.WARNING, "asyncio"):
            loop.call_soon(time.sleep, 0.06)
            loop.call_soon(callback)
            loop.call_later(0, lazy)
            loop.run_until_complete(lazy_task())
        for record in caplog.records:
            message = normal(record.getMessage())
            # On a busy machine any other callback may be slow as well.
            if re.search(SLOW, message):
                trace.append((record.name, record.levelname, message))
        caplog.clear()

    def lazy():
        time.sleep(0.06)

    async def lazy_task():
        time.sleep(0.06)

    reports = run(scenario)
    assert all(report[:2] == ("asyncio", "WARNING") for report in reports)
    assert [re.search(SLOW, text)[0] for _, _, text in reports] == [
        *("sleep", "lazy_task", "lazy"),
    ]
    for _, _, text in reports:
        assert re.fullmatch(r"Executing <.*> took N seconds", text)


@on_asyncio
def test_without_debug_a_slow_callback_is_not_reported(run, caplog):
    def scenario(loop, trace):
        loop.slow_callback_duration = 0
        loop.call_soon(callback)
        turns(loop)
        trace.append(len(caplog.records))

    with caplog.at_level(logging.WARNING, "asyncio"):
        assert run(scenario) == [0]


@on_asyncio
@pytest.mark.parametrize("debug", [True, False])
def test_reprs(run, debug):
    def scenario(loop, trace):
        loop.set_debug(debug)
        partial = functools.partial(callback, 1, k=2)
        for function in [callback, print, Fails().method, Fails(), partial]:
            handles = [
                loop.call_soon(function, "a", [1]),
                loop.call_soon_threadsafe(function),
                loop.call_at(12345.5, function, "a" * 100),
                loop.call_later(1000, function),
            ]
            trace.extend(normal(repr(handle)) for handle in handles)
            for handle in handles:
                handle.cancel()
            trace.extend(normal(repr(handle)) for handle in handles)

    reprs = run(scenario)
    at = "at FILE created at FILE" if debug else "at FILE"
    if debug or sys.version_info < (3, 13):
        args, long = "'a', [1]", "'aaaaaaaaaaaa...aaaaaaaaaaaaa'"
    else:
        args = long = ""
    assert reprs[:4] == [
        f"<Handle callback({args}) {at}>",
        f"<Handle callback() {at}>",
        f"<TimerHandle when=N callback({long}) {at}>",
        f"<TimerHandle when=N callback() {at}>",
    ]
    if debug:
        assert reprs[4] == f"<Handle cancelled callback({args}) {at}>"
        assert reprs[7] == f"<TimerHandle cancelled when=N callback() {at}>"
    else:
        assert reprs[4:8] == ["<Handle cancelled>"] * 2 + ["<TimerHandle cancelled when=N>"] * 2


@on_asyncio
@pytest.mark.parametrize("debug", [True, False])
def test_the_source_traceback_ends_where_the_call_was_made(run, debug):
    def scenario(loop, trace):
        contexts = []
        loop.set_exception_handler(lambda _, context: contexts.append(context))
        loop.set_debug(debug)
        fails = Fails()
        loop.call_soon(fails)
        loop.call_soon_threadsafe(fails)
        loop.call_later(0, fails)
        loop.call_at(0, fails)
        turns(loop)
        for context in contexts:
            trace.append(sorted(context))
            stack = context.get("source_traceback", [])
            trace.append([frame.name for frame in stack][-1:])
            trace.append([frame.line.partition("(")[0] for frame in stack][-1:])

    traces = run(scenario)
    keys = ["exception", "handle", "message"]
    names = ["call_soon", "call_soon_threadsafe", "call_at", "call_later"]
    if debug:
        keys.append("source_traceback")
        assert traces[0::3] == [keys] * 4
        assert traces[1::3] == [["scenario"]] * 4
        assert traces[2::3] == [["loop." + name] for name in names]
    else:
        assert traces == [keys, [], []] * 4


@on_asyncio
def test_the_log_of_an_exception(run, caplog):
    def scenario(loop, trace):
        loop.set_exception_handler(None)
        for debug in [False, True]:
            loop.set_debug(debug)
            loop.call_soon(Fails().method)
            turns(loop)
        for record in caplog.records:
            lines = normal(record.getMessage()).splitlines()
            trace.append((record.levelname, record.exc_info[0].__name__, *lines[:3]))
        caplog.clear()

    with caplog.at_level(logging.ERROR, "asyncio"):
        plain, debug = run(scenario)
    what = "Fails.method()"
    start = ("ERROR", "ValueError", f"Exception in callback {what}")
    assert plain == (*start, f"handle: <Handle {what}>")
    created = f"handle: <Handle {what} created at FILE>"
    stack = "source_traceback: Object created at (most recent call last):"
    assert debug == (*start, created, stack)


@on_asyncio
def test_the_origin_of_coroutines_is_tracked_only_while_a_debugging_loop_runs(run):
    def scenario(loop, trace):
        def depth():
            trace.append(sys.get_coroutine_origin_tracking_depth() > 0)

        depth()
        loop.set_debug(True)
        loop.call_soon(depth)
        loop.call_soon(loop.set_debug, False)
        turns(loop)
        loop.call_soon(depth)
        turns(loop)
        depth()

    assert run(scenario) == [False, True, False, False]


@pytest.mark.parametrize("make", ["asyncio.SelectorEventLoop()", "tornado4.new_event_loop()"])
def test_a_loop_that_nobody_closes_ends_with_the_process(make):
    program = f"""
        import asyncio, tornado4, warnings
        warnings.simplefilter("ignore")
        loop = {make}
        loop.set_debug(True)
        loop.run_until_complete(asyncio.sleep(0))
    """
    assert output_of(program) == ""
