"""A callback and its arguments are released when it ran, failed or was cancelled."""

import contextlib
import gc
import os
import sys
import weakref

import pytest

from helpers.descriptors import Watched
from helpers.loops import tornado4_asyncio, tornado4_io_loop, tornado4_reactor
from helpers.scenarios import pipe, run_turns, turns
from helpers.things import WAYS, Failing, Thing


@pytest.fixture(autouse=True)
def no_automatic_collection():
    # What is to be released at once shall not be so by a lucky collection.
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("schedule", WAYS)
@pytest.mark.parametrize("kind", [Thing, Failing])
@pytest.mark.parametrize("debug", [False, True])
def test_a_call_that_ran_is_released(schedule, kind, debug):
    with contextlib.closing(tornado4_asyncio()) as loop:
        errors = []
        loop.set_exception_handler(lambda _, context: errors.append(context["message"]))
        loop.set_debug(debug)
        thing = kind()
        alive = weakref.ref(thing)
        schedule(loop, thing)
        del thing
        assert alive() is not None
        turns(loop)
        if kind is Failing:  # its traceback may be part of a cycle
            gc.collect()
        assert alive() is None
        assert len(errors) == (kind is Failing)


@pytest.mark.parametrize("name", ["call_soon", "call_soon_threadsafe", "call_later"])
def test_a_cancelled_call_is_released_at_once(name):
    with contextlib.closing(tornado4_asyncio()) as loop:
        thing = Thing()
        alive = weakref.ref(thing)
        when = [3600] if name == "call_later" else []
        handle = getattr(loop, name)(*when, thing, thing)
        del thing
        assert alive() is not None
        handle.cancel()
        assert alive() is None


def test_counts_are_what_they_were_after_many_calls():
    with contextlib.closing(tornado4_asyncio()) as loop:
        thing, argument = Thing(), object()
        fails = Failing()
        loop.set_exception_handler(lambda _, context: None)
        turns(loop)
        before = [sys.getrefcount(x) for x in [loop, thing, fails, argument]]
        for _ in range(1000):
            for call in [thing, fails]:
                loop.call_soon(call, argument)
                loop.call_soon_threadsafe(call, argument)
                loop.call_later(0, call, argument)
                loop.call_later(3600, call, argument).cancel()
        del call
        turns(loop, 2)
        gc.collect()
        assert [sys.getrefcount(x) for x in [loop, thing, fails, argument]] == before


@pytest.mark.parametrize("how", ["remove", "replace", "close"])
@pytest.mark.parametrize("direction", ["reader", "writer"])
def test_a_watched_descriptors_callback_is_released(how, direction):
    with contextlib.closing(tornado4_asyncio()) as loop, pipe() as ends:
        fd = ends[direction == "writer"]
        add = getattr(loop, "add_" + direction)
        thing = Thing()
        alive = weakref.ref(thing)
        add(fd, thing, thing)
        turns(loop)
        del thing
        assert alive() is not None
        if how == "remove":
            getattr(loop, "remove_" + direction)(fd)
        elif how == "replace":
            add(fd, print)
        else:
            loop.close()
        assert alive() is None


@pytest.mark.parametrize("schedule", WAYS)
def test_closing_releases_what_is_queued(schedule):
    loop = tornado4_asyncio()
    thing = Thing()
    alive = weakref.ref(thing)
    schedule(loop, thing)
    del thing
    loop.close()
    assert alive() is None


def test_cancelled_timers_do_not_pile_up():
    with contextlib.closing(tornado4_asyncio()) as loop:
        handles = weakref.WeakSet()
        for _ in range(10_000):
            handle = loop.call_later(3600, print)
            handles.add(handle)
            handle.cancel()
        del handle
        turns(loop)
        assert len(handles) < 5_000


def test_what_an_ioloop_called_is_released():
    with pipe() as (r, w), tornado4_io_loop() as io_loop:
        alive = []

        def watched():
            thing = Thing()
            alive.append(weakref.ref(thing))
            return thing

        io_loop.add_callback(watched(), watched())
        io_loop.call_later(0, watched(), watched())
        io_loop.remove_timeout(io_loop.call_later(3600, watched(), watched()))
        io_loop.add_handler(r, watched(), io_loop.READ)
        os.write(w, b"x")
        io_loop.call_later(0.01, io_loop.stop)
        io_loop.start()
        io_loop.remove_handler(r)
        assert [ref() for ref in alive] == [None] * 7


def test_what_a_reactor_called_is_released():
    with pipe() as (r, _), tornado4_reactor() as reactor:
        alive = []

        def watched():
            thing = Thing()
            alive.append(weakref.ref(thing))
            return thing

        # None that fails: Twisted's logger keeps the last failure that it was given.
        reactor.callLater(0, watched(), watched())
        reactor.callFromThread(watched(), watched())
        cancelled = reactor.callLater(3600, watched(), watched())
        cancelled.cancel()
        selectable = Watched([], "r", r)
        alive.append(weakref.ref(selectable))
        reactor.addReader(selectable)
        run_turns(reactor)
        reactor.removeReader(selectable)
        del selectable
        assert [ref() for ref in alive] == [None] * 7
