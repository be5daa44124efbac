"""Descriptors that are closed, hung up or none at all: as EPollReactor has it."""

import os

import pytest
from twisted.internet.main import CONNECTION_DONE

from helpers.descriptors import Watched, drain
from helpers.loops import on_reactors, ours_reactor
from helpers.scenarios import closed_number, outcome, pipe, run_turns, socket_pair


class NoFileno:
    pass


@on_reactors
@pytest.mark.parametrize(
    ("fd", "error"),
    [
        pytest.param(closed_number, "OSError", id="closed"),
        pytest.param(lambda: -1, "ValueError", id="negative"),
        pytest.param(lambda: 2**30, "OSError", id="beyond the limit"),
        pytest.param(lambda: 2**40, "OverflowError", id="beyond an int"),
        pytest.param(lambda: "0", "TypeError", id="text"),
        pytest.param(lambda: None, "TypeError", id="None"),
    ],
)
def test_what_cannot_be_watched(run, fd, error):
    def scenario(reactor, trace):
        watched = Watched(trace, "bad", fd())
        for add in [reactor.addReader, reactor.addWriter]:
            # Twice, since a first failure must leave nothing behind.
            trace.append(outcome(add, watched)[0])
            trace.append(outcome(add, watched)[0])
        trace.append(watched in reactor.getReaders() + reactor.getWriters())
        run_turns(reactor)

    assert run(scenario) == [error] * 4 + [False]


@on_reactors
def test_no_selectable(run):
    def scenario(reactor, trace):
        trace.append(outcome(reactor.addReader, NoFileno())[0])
        trace.append(outcome(reactor.addWriter, NoFileno())[0])

    assert run(scenario) == ["AttributeError"] * 2


@on_reactors
@pytest.mark.parametrize("data", [b"", b"x"])
def test_a_read_end_whose_writer_is_closed(run, data):
    def scenario(reactor, trace):
        with pipe() as (r, w):
            os.write(w, data)
            os.close(w)
            reactor.addReader(Watched(trace, "r", r, lambda: drain(r)))
            run_turns(reactor)

    lost = ("r", "connectionLost", "ConnectionDone")
    assert run(scenario) == ([("r", "doRead"), lost] if data else [lost])


@on_reactors
def test_a_write_end_whose_reader_is_closed(run):
    def scenario(reactor, trace):
        with pipe() as (r, w):
            os.close(r)
            reactor.addWriter(Watched(trace, "w", w))
            run_turns(reactor)

    assert run(scenario) == [("w", "connectionLost", "ConnectionLost")]


@on_reactors
def test_a_socket_whose_peer_is_closed_is_read_to_its_end(run):
    def scenario(reactor, trace):
        with socket_pair() as (left, right):
            right.send(b"last")
            right.close()

            def read():
                data = left.recv(100)
                trace.append(data)
                return None if data else CONNECTION_DONE

            watched = Watched(trace, "s", left.fileno(), read)
            reactor.addReader(watched)
            run_turns(reactor, 5)

    lost = ("s", "connectionLost", "ConnectionDone")
    read = ("s", "doRead")
    assert run(scenario) == [read, b"last", read, b"", lost]


def test_a_number_reused_in_the_same_turn_gets_none_of_the_old_events():
    # EPollReactor looks up who has the number when it hands out the event, so that
    # the successor gets a doRead that was its predecessor's.
    def scenario(reactor, trace):
        def reuse():
            drain(r1)
            reactor.removeReader(old)
            os.dup2(r3, r2)
            reactor.addReader(new)

        with pipe() as (r1, w1), pipe() as (r2, w2), pipe() as (r3, _):
            os.write(w1, b"x")
            os.write(w2, b"x")
            old = Watched(trace, "old", r2)
            new = Watched(trace, "new", r2)
            reactor.addReader(Watched(trace, "first", r1, reuse))
            reactor.addReader(old)
            run_turns(reactor)
            reactor.removeAll()
            os.close(r2)

    assert ours_reactor(scenario) == [("first", "doRead")]


def test_a_number_reused_without_removal_works():
    # EPollReactor takes the number for already watched, and silently never calls.
    def scenario(reactor, trace):
        with pipe() as (r, _), pipe() as (r2, w2):
            reactor.addReader(Watched(trace, "old", r))
            os.dup2(r2, r)
            new = Watched(trace, "new", r, lambda: drain(r))
            reactor.addReader(new)
            os.write(w2, b"x")
            run_turns(reactor)
            reactor.removeAll()
            os.close(r)

    assert ours_reactor(scenario) == [("new", "doRead")]
