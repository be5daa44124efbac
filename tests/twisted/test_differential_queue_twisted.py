"""callFromThread and a re-entered iterate(): EPollReactor's calls in its order."""

import os
import threading

from helpers.descriptors import Watched, drain
from helpers.loops import on_reactors, ours_reactor
from helpers.scenarios import outcome, pipe, run_reactor, run_turns


@on_reactors
def test_first_in_first_out_and_what_is_added_waits_a_turn(run):
    def scenario(reactor, trace):
        def again(name, left):
            trace.append(name)
            if left:
                reactor.callFromThread(again, name + "'", left - 1)

        for name in "abc":
            reactor.callFromThread(again, name, 2)
        run_turns(reactor, 5)

    assert run(scenario) == ["a", "b", "c", "a'", "b'", "c'", "a''", "b''", "c''"]


@on_reactors
def test_it_goes_before_the_calls_that_are_due(run):
    def scenario(reactor, trace):
        reactor.callLater(0, trace.append, "due")
        reactor.callFromThread(trace.append, "from thread")
        reactor.callLater(0, trace.append, "due too")
        run_turns(reactor)

    assert run(scenario) == ["from thread", "due", "due too"]


@on_reactors
def test_arguments(run):
    def scenario(reactor, trace):
        def call(*args, **kwargs):
            trace.append((args, kwargs))

        trace.append(reactor.callFromThread(call, 1, None, args=2, callable=3))
        run_turns(reactor)

    assert run(scenario) == [None, ((1, None), {"args": 2, "callable": 3})]


@on_reactors
def test_what_it_raises_is_logged_and_the_others_go_on(run):
    def scenario(reactor, trace):
        trace.append(outcome(reactor.callFromThread, None))
        reactor.callFromThread(int, "x")
        reactor.callFromThread(trace.append, "next")
        run_turns(reactor)

    assert run(scenario) == [
        ("AssertionError", "None is not callable"),
        ("logged", "ValueError", "invalid literal for int() with base 10: 'x'"),
        "next",
    ]


@on_reactors
def test_under_load_from_threads_nothing_is_lost_and_each_keeps_its_order(run):
    def scenario(reactor, trace):
        per_thread = {thread: [] for thread in range(10)}

        def received(thread, number):
            per_thread[thread].append(number)
            if sum(map(len, per_thread.values())) == 10_000:
                reactor.crash()

        def send(thread):
            for number in range(1_000):
                reactor.callFromThread(received, thread, number)

        threads = [threading.Thread(target=send, args=[n]) for n in per_thread]
        for thread in threads:
            thread.start()
        run_reactor(reactor)
        for thread in threads:
            thread.join()
        run_turns(reactor)
        trace.extend(per_thread.values())

    assert run(scenario) == [list(range(1_000))] * 10


@on_reactors
def test_a_thread_wakes_a_reactor_that_has_nothing_to_do(run):
    def scenario(reactor, trace):
        for _ in range(3):
            thread = threading.Timer(0.02, reactor.callFromThread, [reactor.crash])
            thread.start()
            run_reactor(reactor)
            thread.join()
            trace.append("woken")

    assert run(scenario) == ["woken"] * 3


@on_reactors
def test_work_in_threads_comes_back(run):
    def scenario(reactor, trace):
        def work():
            trace.append(threading.current_thread() is threading.main_thread())
            reactor.callFromThread(back)

        def back():
            trace.append(threading.current_thread() is threading.main_thread())
            reactor.stop()

        reactor.callWhenRunning(reactor.callInThread, work)
        run_reactor(reactor)

    assert run(scenario) == [False, True]


@on_reactors
def test_iterate_on_a_reactor_that_was_not_started(run):
    def scenario(reactor, trace):
        with pipe() as (r, w):
            os.write(w, b"x")
            watched = Watched(trace, "r", r, lambda: drain(r))
            reactor.addReader(watched)
            reactor.callLater(0, trace.append, "due")
            reactor.callFromThread(trace.append, "from thread")
            for delay in [0, 0.0, 0.001]:
                reactor.iterate(delay)
            reactor.iterate()
            trace.append(reactor.running)
            reactor.removeReader(watched)
            trace.sort(key=str)

    # EPollReactor looks at the descriptors last, which nobody is promised.
    assert run(scenario) == [("r", "doRead"), False, "due", "from thread"]


@on_reactors
def test_iterate_waits_for_what_comes(run):
    def scenario(reactor, trace):
        with pipe() as (r, w):
            watched = Watched(trace, "r", r, lambda: drain(r))
            reactor.addReader(watched)
            thread = threading.Timer(0.05, os.write, [w, b"x"])
            thread.start()
            reactor.iterate(20)
            trace.append("iterated")
            thread.join()
            reactor.removeReader(watched)

    assert run(scenario) == [("r", "doRead"), "iterated"]


@on_reactors
def test_iterate_within_a_delayed_call_runs_what_is_due_once(run):
    def scenario(reactor, trace):
        def outer(name):
            trace.append(name)
            reactor.callLater(0, trace.append, f"{name} inner")
            reactor.iterate()
            reactor.iterate()
            trace.append(f"{name} over")

        reactor.callLater(0, outer, "one")
        reactor.callLater(0, outer, "two")
        reactor.callLater(0, trace.append, "three")
        run_turns(reactor, 4)

    assert run(scenario) == [
        *("one", "two", "three", "one inner", "two inner"),
        *("two over", "one over"),
    ]


def test_iterate_within_a_call_from_a_thread_runs_what_is_due_once():
    # EPollReactor starts again at the head of its queue, where the call is that
    # just runs, and calls that a second time.
    def scenario(reactor, trace):
        def outer():
            trace.append("outer")
            reactor.callFromThread(trace.append, "inner")
            if len(trace) < 100:
                reactor.iterate()
                reactor.iterate()
            trace.append("outer over")

        reactor.callFromThread(outer)
        reactor.callFromThread(trace.append, "next")
        run_turns(reactor, 4)

    assert ours_reactor(scenario) == ["outer", "next", "inner", "outer over"]


@on_reactors
def test_iterate_within_doread(run):
    def scenario(reactor, trace):
        def nested():
            drain(r)
            reactor.callLater(0, trace.append, "due")
            reactor.callFromThread(trace.append, "from thread")
            os.write(w2, b"x")
            reactor.iterate()
            reactor.iterate()
            trace.append("over")

        with pipe() as (r, w), pipe() as (r2, w2):
            os.write(w, b"x")
            outer = Watched(trace, "outer", r, nested)
            inner = Watched(trace, "inner", r2, lambda: drain(r2))
            reactor.addReader(outer)
            reactor.addReader(inner)
            run_turns(reactor, 5)
            reactor.removeReader(outer)
            reactor.removeReader(inner)
            # Calls and descriptors of one turn come in either order.
            trace[1:4] = sorted(trace[1:4], key=str)

    assert run(scenario) == [
        *(("outer", "doRead"), ("inner", "doRead"), "due", "from thread"),
        "over",
    ]


@on_reactors
def test_iterate_within_iterate_many_levels_deep(run):
    def scenario(reactor, trace):
        def down(level):
            trace.append(level)
            if level < 20:
                reactor.callLater(0, down, level + 1)
                reactor.iterate()
            trace.append(-level)

        reactor.callLater(0, down, 1)
        run_turns(reactor)

    assert run(scenario) == [*range(1, 21), *range(-20, 0)]
