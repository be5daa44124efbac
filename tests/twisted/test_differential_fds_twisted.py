"""addReader and addWriter: EPollReactor's calls, in its order."""

import os

from helpers.descriptors import Watched, drain
from helpers.loops import on_reactors, ours_reactor
from helpers.scenarios import pipe, run_turns, socket_pair


@on_reactors
def test_a_partial_drain_is_called_again(run):
    def scenario(reactor, trace):
        with pipe() as (r, w):
            os.write(w, b"abc")
            watched = Watched(trace, "r", r, lambda: trace.append(os.read(r, 1)))
            reactor.addReader(watched)
            run_turns(reactor, 8)
            reactor.removeReader(watched)

    one = ("r", "doRead")
    assert run(scenario) == [one, b"a", one, b"b", one, b"c"]


@on_reactors
def test_a_reader_that_removes_itself(run):
    def scenario(reactor, trace):
        with pipe() as (r, w):
            os.write(w, b"abc")
            watched = Watched(trace, "r", r, lambda: reactor.removeReader(watched))
            reactor.addReader(watched)
            run_turns(reactor)
            reactor.removeReader(watched)

    assert run(scenario) == [("r", "doRead")]


@on_reactors
def test_a_reader_removed_by_another_in_the_same_turn_is_not_called(run):
    def scenario(reactor, trace):
        def remove(mine, other):
            drain(mine)
            reactor.removeReader(other)

        with pipe() as (r1, w1), pipe() as (r2, w2):
            os.write(w1, b"x")
            os.write(w2, b"x")
            one = Watched(trace, "one", r1, lambda: remove(r1, two))
            two = Watched(trace, "two", r2, lambda: remove(r2, one))
            reactor.addReader(one)
            reactor.addReader(two)
            run_turns(reactor)
            reactor.removeReader(one)

    assert run(scenario) == [("one", "doRead")]


@on_reactors
def test_both_directions_reading_goes_first(run):
    def scenario(reactor, trace):
        with socket_pair() as (left, right):
            right.send(b"x")
            fd = left.fileno()
            watched = Watched(
                trace,
                "both",
                fd,
                lambda: drain(fd),
                lambda: reactor.removeWriter(watched),
            )
            reactor.addWriter(watched)
            reactor.addReader(watched)
            run_turns(reactor)
            reactor.removeReader(watched)

    assert run(scenario) == [("both", "doRead"), ("both", "doWrite")]


@on_reactors
def test_one_that_stops_reading_as_it_writes_writes_once_a_turn(run):
    def scenario(reactor, trace):
        def write():
            reactor.removeReader(watched)
            if trace.count(("s", "doWrite")) == 2:
                reactor.removeWriter(watched)

        with socket_pair() as (left, _):
            watched = Watched(trace, "s", left.fileno(), write=write)
            reactor.addReader(watched)
            reactor.addWriter(watched)
            for turn in range(3):
                trace.append(turn)
                reactor.iterate()

    assert run(scenario) == [0, ("s", "doWrite"), 1, ("s", "doWrite"), 2]


@on_reactors
def test_one_that_stops_reading_as_it_reads_still_writes_once(run):
    def scenario(reactor, trace):
        with socket_pair() as (left, right):
            right.send(b"x")
            watched = Watched(trace, "s", left.fileno())
            watched.read = lambda: reactor.removeReader(watched)
            reactor.addReader(watched)
            reactor.addWriter(watched)
            reactor.iterate()
            reactor.removeWriter(watched)

    assert run(scenario) == [("s", "doRead"), ("s", "doWrite")]


def test_one_that_stops_writing_as_it_reads_does_not_write():
    # EPollReactor calls doWrite even so, and that of others removed in the turn too.
    def scenario(reactor, trace):
        with socket_pair() as (left, right):
            right.send(b"x")
            watched = Watched(trace, "s", left.fileno())
            watched.read = lambda: reactor.removeWriter(watched)
            reactor.addReader(watched)
            reactor.addWriter(watched)
            reactor.iterate()
            reactor.removeReader(watched)

    assert ours_reactor(scenario) == [("s", "doRead")]


@on_reactors
def test_what_doread_adds_is_called_later(run):
    def scenario(reactor, trace):
        def add():
            drain(r1)
            reactor.addReader(second)
            trace.append("added")

        with pipe() as (r1, w1), pipe() as (r2, w2):
            os.write(w1, b"x")
            os.write(w2, b"x")
            first = Watched(trace, "first", r1, add)
            second = Watched(trace, "second", r2, lambda: drain(r2))
            reactor.addReader(first)
            run_turns(reactor, 5)
            reactor.removeReader(first)
            reactor.removeReader(second)

    assert run(scenario) == [("first", "doRead"), "added", ("second", "doRead")]
