"""call_soon, call_soon_threadsafe, run and stop: stock asyncio's calls in its order."""

import asyncio
import contextvars
import os
import threading

from helpers.loops import on_asyncio
from helpers.scenarios import outcome, pipe, turns


@on_asyncio
def test_first_in_first_out_and_what_is_added_waits_a_turn(run):
    def scenario(loop, trace):
        def again(name, left):
            trace.append(name)
            if left:
                loop.call_soon(again, name + "'", left - 1)

        for name in "abc":
            loop.call_soon(again, name, 2)
        for turn in range(4):
            trace.append(turn)
            turns(loop)

    assert run(scenario) == [
        *(0, "a", "b", "c"),
        *(1, "a'", "b'", "c'"),
        *(2, "a''", "b''", "c''"),
        3,
    ]


@on_asyncio
def test_how_they_may_be_called(run):
    def scenario(loop, trace):
        def called(*args):
            trace.append(args)

        loop.call_soon(callback=called)
        loop.call_soon_threadsafe(callback=called, context=None)
        loop.call_later(delay=0, callback=called)
        loop.call_at(when=loop.time(), callback=called)
        loop.call_soon(called, *range(100))
        for wrong in [
            loop.call_soon,
            loop.call_later,
            lambda: loop.call_later(0),
            lambda: loop.call_soon(called, key=1),
            lambda: loop.call_soon(called, callback=called),
            lambda: loop.add_reader(0),
            lambda: loop.remove_reader(),
        ]:
            trace.append(outcome(wrong)[0])
        turns(loop)

    expected = [(), (), tuple(range(100)), (), ()]
    assert run(scenario) == ["TypeError"] * 7 + expected


@on_asyncio
def test_soon_and_threadsafe_share_one_queue(run):
    def scenario(loop, trace):
        for number in range(0, 100, 2):
            loop.call_soon(trace.append, number)
            loop.call_soon_threadsafe(trace.append, number + 1)
        turns(loop)

    assert run(scenario) == list(range(100))


@on_asyncio
def test_cancelled_before_its_turn_or_within_it(run):
    def scenario(loop, trace):
        def first():
            trace.append("first")
            second.cancel()

        handles = [loop.call_soon(first)]
        second = loop.call_soon(trace.append, "second")
        third = loop.call_soon_threadsafe(trace.append, "third")
        third.cancel()
        handles += [second, third, loop.call_soon(trace.append, "fourth")]
        turns(loop)
        handles[3].cancel()
        trace.append([handle.cancelled() for handle in handles])

    assert run(scenario) == ["first", "fourth", [False, True, True, True]]


@on_asyncio
def test_under_load_from_threads_nothing_is_lost_and_each_keeps_its_order(run):
    def scenario(loop, trace):
        per_thread = {thread: [] for thread in range(10)}

        def received(thread, number):
            per_thread[thread].append(number)
            if sum(map(len, per_thread.values())) == 10_000:
                loop.stop()

        def send(thread):
            for number in range(1_000):
                loop.call_soon_threadsafe(received, thread, number)

        threads = [threading.Thread(target=send, args=[n]) for n in per_thread]
        for thread in threads:
            thread.start()
        loop.run_forever()
        for thread in threads:
            thread.join()
        turns(loop)
        trace.extend(per_thread.values())

    assert run(scenario) == [list(range(1_000))] * 10


@on_asyncio
def test_a_thread_wakes_a_loop_that_has_nothing_to_do(run):
    def scenario(loop, trace):
        for _ in range(3):
            thread = threading.Timer(0.02, loop.call_soon_threadsafe, [loop.stop])
            thread.start()
            loop.run_forever()
            thread.join()
            trace.append("woken")

    assert run(scenario) == ["woken"] * 3


var = contextvars.ContextVar("var", default="unset")


@on_asyncio
def test_each_call_has_the_context_it_was_scheduled_in(run):
    def scenario(loop, trace):
        def show(name):
            trace.append((name, var.get()))
            var.set("leaked")

        given = contextvars.copy_context()
        given.run(var.set, "given")
        with pipe() as (r, w):
            os.write(w, b"x")
            var.set("scheduled")
            loop.call_soon(show, "soon")
            loop.call_soon(show, "soon, given", context=given)
            loop.call_soon(show, "soon, same", context=given)
            loop.call_soon_threadsafe(show, "threadsafe")
            loop.call_soon_threadsafe(show, "threadsafe, given", context=given.copy())
            loop.add_reader(r, show, "reader")
            loop.call_later(0, show, "later")
            loop.call_later(0, show, "later, given", context=given.copy())
            loop.call_at(loop.time(), show, "at")
            var.set("too late")
            turns(loop)
            turns(loop)
            loop.remove_reader(r)
        trace.append(var.get())

    assert run(lambda *args: contextvars.copy_context().run(scenario, *args)) == [
        ("soon", "scheduled"),
        ("soon, given", "given"),
        ("soon, same", "leaked"),
        ("threadsafe", "scheduled"),
        ("threadsafe, given", "given"),
        ("reader", "scheduled"),
        ("later", "scheduled"),
        ("later, given", "given"),
        ("at", "scheduled"),
        ("reader", "leaked"),
        "too late",
    ]


@on_asyncio
def test_handles_are_asyncios(run):
    def scenario(loop, trace):
        handles = [loop.call_soon(int), loop.call_soon_threadsafe(int), loop.call_later(0, int)]
        for handle in handles:
            # For `call_soon_threadsafe` Python 3.14 has a private subclass.
            name = handle.__class__.__name__.replace("_ThreadSafeHandle", "Handle")
            trace.append((isinstance(handle, asyncio.Handle), name))
            trace.append(isinstance(handle, asyncio.TimerHandle))
        other = asyncio.TimerHandle(handles[2].when() + 1, int, (), loop)
        trace.append((handles[2] < other, handles[2] == other, other > handles[2]))

    assert run(scenario)[:2] == [(True, "Handle"), False]
