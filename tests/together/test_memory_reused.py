"""What comes and goes many times in a turn takes the memory of what is gone.

The collector runs when there were some hundreds more allocations than frees, and what is made
in reused memory is no allocation to it: a turn that makes many handles and tasks, all of which
are gone by the next, must not have it run.
"""

import asyncio
import gc
import weakref

import pytest

from helpers.loops import tornado4_asyncio, tornado4_io_loop, tornado4_reactor
from helpers.scenarios import run_reactor, turns

# More than the collector's threshold in two turns, and no more than what is kept.
MANY = 250
TURNS = 50


def nothing(*_):
    """Do nothing."""


class Collections:
    """Counts them."""

    def __init__(self):
        self.count = 0

    def __call__(self, phase, _info):
        self.count += phase == "start"

    def __enter__(self):
        gc.collect()
        gc.callbacks.append(self)
        return self

    def __exit__(self, *_):
        gc.callbacks.remove(self)


def in_turns(schedule, stop):
    """Schedule many in each turn."""

    def turn(left):
        for _ in range(MANY):
            schedule(nothing)
        if left:
            schedule(lambda: turn(left - 1))
        else:
            schedule(stop)

    turn(TURNS)


def handles(loop):
    in_turns(loop.call_soon, loop.stop)
    loop.run_forever()


def timer_handles(loop):
    in_turns(lambda call: loop.call_later(0, call), loop.stop)
    loop.run_forever()


@pytest.mark.parametrize("use", [handles, timer_handles])
def test_the_collector_has_nothing_to_do_for_handles(use):
    loop = tornado4_asyncio()
    use(loop)
    with Collections() as collections:
        use(loop)
    loop.close()
    # Each turn makes more than a third of what it runs after.
    assert collections.count < TURNS / 10


def test_the_collector_has_nothing_to_do_for_timeouts():
    with tornado4_io_loop() as io_loop:

        def use():
            in_turns(lambda call: io_loop.call_later(0, call), io_loop.stop)
            io_loop.start()

        use()
        with Collections() as collections:
            use()
    assert collections.count < TURNS / 10


def test_the_collector_has_nothing_to_do_for_delayed_calls():
    with tornado4_reactor() as reactor, Collections() as collections:
        in_turns(lambda call: reactor.callLater(0, call), reactor.stop)
        run_reactor(reactor)
    assert collections.count < TURNS / 10


def test_what_is_made_in_used_memory_is_new():
    loop = tornado4_asyncio()
    for _ in range(3):
        handles = [loop.call_soon(nothing, number) for number in range(3 * MANY)]
        refs = [weakref.ref(handle) for handle in handles]
        assert all(map(gc.is_tracked, handles))
        assert [ref() for ref in refs] == handles
        assert [handle._args for handle in handles] == [(number,) for number in range(3 * MANY)]
        assert not any(handle.cancelled() for handle in handles)
        for handle in handles:
            handle.cancel()
        turns(loop)
        del handle, handles
        assert not any(ref() for ref in refs)
    loop.close()


@pytest.mark.parametrize("count", [10, 3 * MANY])
def test_cycles_through_used_memory_are_collected(count):
    loop = tornado4_asyncio()

    class Thing:
        """In a cycle with a handle."""

    def cycles(count):
        refs = []
        for _ in range(count):
            thing = Thing()
            thing.handle = loop.call_soon(nothing, thing)
            refs.append(weakref.ref(thing))
        return refs

    for _ in range(3):
        refs = cycles(count)
        turns(loop)
        gc.collect()
        assert not any(ref() for ref in refs)
    loop.close()


def test_tasks_are_new_after_many_that_are_gone():
    async def main():
        async def number_of(number):
            await asyncio.sleep(0)
            return number

        for _ in range(5):
            numbers = await asyncio.gather(*(number_of(number) for number in range(MANY)))
            assert numbers == list(range(MANY))

    loop = tornado4_asyncio()
    loop.run_until_complete(main())
    loop.close()
