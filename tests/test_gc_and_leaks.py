"""Nothing outlives its use: loops, descriptors, callbacks and their arguments."""

import contextlib
import gc
import os
import sys
import warnings
import weakref

import pytest
from descriptors import Watched
from loops import pipe, run_turns, tornado4_asyncio, tornado4_io_loop, tornado4_reactor, turns

pytestmark = pytest.mark.timeout(300)


class Thing:
    """Weakly referable, and callable with anything."""

    def __call__(self, *args):
        pass


class Failing(Thing):
    def __call__(self, *args):
        raise ValueError("mine")


@pytest.fixture(autouse=True)
def no_automatic_collection():
    # What is to be released at once shall not be so by a lucky collection.
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def open_fds():
    return len(os.listdir("/proc/self/fd"))


def grown_by(make_and_close, count):
    """How many descriptors and objects are left of so many loops."""
    for _ in range(3):  # what is imported or cached once does not count
        make_and_close()
    gc.collect()
    fds, objects = open_fds(), len(gc.get_objects())
    for _ in range(count):
        make_and_close()
    gc.collect()
    return open_fds() - fds, len(gc.get_objects()) - objects


def used_loop():
    with contextlib.closing(tornado4_asyncio()) as loop:
        loop.call_soon(loop.stop)
        loop.call_later(3600, loop.stop)
        loop.run_forever()


def used_io_loop():
    with pipe() as (r, _), tornado4_io_loop() as io_loop:
        io_loop.add_handler(r, print, io_loop.READ)
        io_loop.call_later(3600, io_loop.stop)
        io_loop.add_callback(io_loop.stop)
        io_loop.start()


def used_reactor():
    with pipe() as (r, _), tornado4_reactor() as reactor:
        reactor.addReader(Watched([], "r", r))
        reactor.callLater(3600, reactor.stop)
        reactor.callFromThread(reactor.callLater, 0, reactor.stop)
        reactor.run(installSignalHandlers=False)


@pytest.mark.parametrize(
    ("make_and_close", "count"),
    [
        pytest.param(lambda: tornado4_asyncio().close(), 1000, id="loops"),
        pytest.param(used_loop, 1000, id="used loops"),
        pytest.param(used_io_loop, 200, id="used IOLoops"),
        pytest.param(used_reactor, 100, id="used reactors"),
    ],
)
def test_many_made_and_closed_leave_nothing(make_and_close, count):
    fds, objects = grown_by(make_and_close, count)
    assert fds == 0
    assert objects < count / 10


def soon(loop, thing):
    loop.call_soon(thing, thing)


def threadsafe(loop, thing):
    loop.call_soon_threadsafe(thing, thing)


def later(loop, thing):
    loop.call_later(0, thing, thing)


WAYS = [soon, threadsafe, later]


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


def watch(loop, thing):
    r, thing.other_end = os.pipe()
    thing.fds = [r, thing.other_end]
    loop.add_reader(r, thing, loop)


def watch_writing(loop, thing):
    r, w = os.pipe()
    thing.fds = [r, w]
    loop.add_writer(w, thing, loop)


def handle_errors(loop, thing):
    loop.set_exception_handler(thing)


def make_task(loop, thing):
    async def forever():
        await loop.create_future()
        thing()

    thing.task = loop.create_task(forever())
    thing.task._log_destroy_pending = False
    turns(loop)


@pytest.mark.parametrize("fill", [*WAYS, watch, watch_writing, handle_errors, make_task])
def test_a_loop_dropped_unclosed_is_collected_with_all_it_holds(fill):
    fds = open_fds()
    loop = tornado4_asyncio()
    thing = Thing()
    thing.loop = loop  # the cycle: the loop holds the thing, and the thing the loop
    fill(loop, thing)
    of_pipe = getattr(thing, "fds", [])
    loop_alive, thing_alive = weakref.ref(loop), weakref.ref(thing)
    del loop, thing
    with pytest.warns(ResourceWarning, match="unclosed event loop"):
        gc.collect()
    assert loop_alive() is None
    assert thing_alive() is None
    for fd in of_pipe:
        os.close(fd)
    assert open_fds() == fds


def test_a_closed_loop_warns_of_nothing():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        used_loop()
        used_io_loop()
        gc.collect()
    assert [str(warning.message) for warning in caught] == []


@pytest.mark.parametrize("fill", ["callback", "timeout", "handler"])
def test_a_closed_ioloop_is_collected_with_all_it_held(fill):
    thing = Thing()
    with pipe() as (r, _), tornado4_io_loop() as io_loop:
        thing.io_loop = io_loop
        if fill == "callback":
            io_loop.add_callback(thing, thing, key=thing)
        elif fill == "timeout":
            io_loop.call_later(3600, thing, thing, key=thing)
        else:
            io_loop.add_handler(r, thing, io_loop.READ)
    alive = [weakref.ref(thing), weakref.ref(io_loop), weakref.ref(io_loop.asyncio_loop)]
    del thing, io_loop
    gc.collect()
    assert [ref() for ref in alive] == [None] * 3


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


def test_a_cleaned_up_reactor_is_collected_with_all_it_held():
    thing = Thing()
    with pipe() as (r, _), tornado4_reactor() as reactor:
        thing.reactor = reactor
        thing.watched = Watched([thing], "r", r)
        reactor.addReader(thing.watched)
        reactor.callLater(3600, thing, thing)
        reactor.callFromThread(thing, thing)
        reactor.addSystemEventTrigger("after", "startup", thing, thing)
    alive = [weakref.ref(thing), weakref.ref(reactor)]
    del thing, reactor
    gc.collect()
    assert [ref() for ref in alive] == [None] * 2


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
