"""What callbacks raise: reported, or let out of the loop, as by stock asyncio."""

import asyncio
import os

import pytest

from helpers.loops import on_asyncio
from helpers.scenarios import pipe, turns


def scheduled_everywhere(loop, call):
    """Every way to have something called, in the order of one turn."""
    loop.call_soon(call, "soon")
    loop.call_soon_threadsafe(call, "threadsafe")
    loop.call_later(0, call, "later")


@on_asyncio
def test_what_the_exception_handler_is_told(run):
    def scenario(loop, trace):
        def told(_, context):
            message = context["message"].partition("fail(")[:2]
            # For `call_soon_threadsafe` Python 3.14 has a private subclass.
            handle = context["handle"].__class__.__name__.replace("_ThreadSafeHandle", "Handle")
            error = context["exception"]
            trace.append((sorted(context), *message, handle, error.args))

        def fail(name):
            raise ValueError(name)

        loop.set_exception_handler(told)
        with pipe() as (r, w):
            os.write(w, b"x")
            loop.add_reader(r, fail, "reader")
            scheduled_everywhere(loop, fail)
            turns(loop)
            loop.remove_reader(r)

    keys = ["exception", "handle", "message"]
    where = test_what_the_exception_handler_is_told.__name__
    message = f"Exception in callback {where}.<locals>.scenario.<locals>."
    assert run(scenario) == [
        (keys, message, "fail(", "Handle", ("soon",)),
        (keys, message, "fail(", "Handle", ("threadsafe",)),
        (keys, message, "fail(", "Handle", ("reader",)),
        (keys, message, "fail(", "TimerHandle", ("later",)),
    ]


@on_asyncio
@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_an_exit_leaves_run_forever_and_the_loop_usable(run, error):
    def scenario(loop, trace):
        def leave(name):
            raise error(name)

        def read():
            loop.remove_reader(r)
            leave("reader")

        with pipe() as (r, w):
            os.write(w, b"x")
            loop.add_reader(r, read)
            scheduled_everywhere(loop, leave)
            loop.call_later(0, trace.append, "last")
            for _ in range(4):
                try:
                    turns(loop)
                except error as left:
                    trace.append(left.args)
                trace.append((loop.is_running(), loop.is_closed()))
            loop.call_soon(trace.append, "usable")
            turns(loop)

    idle = (False, False)
    assert run(scenario) == [
        *(("soon",), idle),
        *(("threadsafe",), idle),
        *(("reader",), idle),
        *(("later",), idle),
        "last",
        "usable",
    ]


@on_asyncio
def test_other_base_exceptions_are_reported(run):
    def scenario(loop, trace):
        def fail(error):
            raise error

        for error in [GeneratorExit("mine"), asyncio.CancelledError("mine")]:
            loop.call_soon(fail, error)
        turns(loop)

    assert run(scenario) == [
        ("reported", "GeneratorExit", "mine"),
        ("reported", "CancelledError", "mine"),
    ]


@on_asyncio
def test_an_exception_handler_that_fails(run, caplog):
    def scenario(loop, trace):
        def handler(_, context):
            trace.append("handler")
            raise context["exception"]

        loop.set_exception_handler(handler)
        loop.call_soon(int, "x")
        loop.call_soon(trace.append, "next")
        turns(loop)
        trace.append([record.getMessage().splitlines()[0] for record in caplog.records])
        caplog.clear()

    logged = ["Unhandled error in exception handler"]
    assert run(scenario) == ["handler", "next", logged]


@on_asyncio
@pytest.mark.parametrize("callback", [None, "text", 1])
def test_what_cannot_be_called_is_reported_when_its_turn_comes(run, callback):
    def scenario(loop, trace):
        loop.call_soon(callback)
        loop.call_soon_threadsafe(callback)
        turns(loop)

    kind = type(callback).__name__
    reported = ("reported", "TypeError", f"'{kind}' object is not callable")
    assert run(scenario) == [reported] * 2
