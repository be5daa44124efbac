"""Nothing outlives its use: loops, descriptors, callbacks and their arguments."""

import contextlib
import gc
import os
import warnings
import weakref

import pytest

from helpers.descriptors import Watched
from helpers.loops import ours_asyncio, tornado4_asyncio, tornado4_io_loop, tornado4_reactor
from helpers.scenarios import open_fds, pipe, run_reactor, turns
from helpers.things import WAYS, Thing


def grown_by(make_and_close, count):
    """How many descriptors and objects are left of so many loops."""
    for _ in range(3):  # what is imported or cached once does not count
        make_and_close()
    gc.collect()
    fds, objects = len(open_fds()), len(gc.get_objects())
    for _ in range(count):
        make_and_close()
    gc.collect()
    return len(open_fds()) - fds, len(gc.get_objects()) - objects


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
        run_reactor(reactor)


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


def watch(loop, thing):
    thing.fds = os.pipe()
    loop.add_reader(thing.fds[0], thing, loop)


def watch_writing(loop, thing):
    thing.fds = os.pipe()
    loop.add_writer(thing.fds[1], thing, loop)


def handle_errors(loop, thing):
    loop.set_exception_handler(thing)


def make_task(loop, thing):
    async def forever():
        await loop.create_future()
        thing()

    thing.task = loop.create_task(forever())
    thing.task._log_destroy_pending = False
    turns(loop)


def fill_drop_and_collect(fill):
    loop = tornado4_asyncio()
    thing = Thing()
    thing.loop = loop  # the cycle: the loop holds the thing, and the thing the loop
    fill(loop, thing)
    alive = [weakref.ref(loop), weakref.ref(thing)]
    of_pipe = getattr(thing, "fds", [])
    del loop, thing
    gc.collect()
    for fd in of_pipe:
        os.close(fd)
    return [ref() for ref in alive]


FILL = [*WAYS, watch, watch_writing, handle_errors, make_task]


@pytest.mark.parametrize("fill", FILL)
def test_a_loop_dropped_unclosed_is_collected_with_all_it_holds(fill):
    gc.collect()  # what earlier tests have left
    fds = open_fds()
    with pytest.warns(ResourceWarning, match="unclosed event loop"):
        left = fill_drop_and_collect(fill)
    assert left == [None, None]
    assert open_fds() == fds


class CallsBack(Thing):
    """Its destructor does to the loop what a destructor might."""

    def __init__(self, loop, trace):
        self.loop = loop
        self.trace = trace

    def __del__(self):
        self.loop.call_soon(self.trace.append, "soon")
        self.loop.call_soon_threadsafe(self.trace.append, "threadsafe")
        self.loop.call_later(0, self.trace.append, "later").cancel()
        self.loop.call_later(0, self.trace.append, "later")
        self.loop.remove_reader(0)


def test_a_destructor_may_call_the_loop_wherever_it_runs():
    # Were a lock held while the loop lets go of something, this would hang.
    def scenario(loop, trace):
        def thing():
            return CallsBack(loop, trace)

        loop.call_soon(thing()).cancel()
        loop.call_later(3600, thing()).cancel()
        with pipe() as (r, w):
            loop.add_reader(r, thing())
            loop.add_reader(r, thing())
            loop.remove_reader(r)
            loop.add_writer(w, thing())
            loop.remove_writer(w)
        loop.call_soon(thing(), thing())
        loop.call_later(0, thing(), thing())
        loop.set_exception_handler(thing())
        loop.set_exception_handler(None)
        turns(loop, 3)

    trace = ours_asyncio(scenario)
    assert sorted(trace) == ["later"] * 10 + ["soon"] * 10 + ["threadsafe"] * 10


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
    alive = [
        weakref.ref(thing),
        weakref.ref(io_loop),
        weakref.ref(io_loop.asyncio_loop),
    ]
    del thing, io_loop
    gc.collect()
    assert [ref() for ref in alive] == [None] * 3


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
