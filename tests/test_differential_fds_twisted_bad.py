"""Descriptors that are closed, hung up, files or none at all: as EPollReactor has it."""

import os
import socket
import tempfile

import pytest
from descriptors import Watched, drain
from loops import on_reactors, ours_reactor, outcome, pipe, run_turns, socket_pair
from twisted.internet.main import CONNECTION_DONE
from twisted.python import log

pytestmark = pytest.mark.timeout(120)


def closed_number():
    with socket.socket() as sock:
        return sock.fileno()


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
def test_what_is_added_twice_is_called_once(run):
    def scenario(reactor, trace):
        with pipe() as (r, w):
            os.write(w, b"x")
            watched = Watched(trace, "r", r, lambda: drain(r))
            reactor.addReader(watched)
            reactor.addReader(watched)
            run_turns(reactor)
            trace.append(reactor.getReaders().count(watched))
            reactor.removeReader(watched)
            reactor.removeReader(watched)
            trace.append(reactor.getReaders().count(watched))

    assert run(scenario) == [("r", "doRead"), 1, 0]


@on_reactors
def test_removing_what_was_never_added(run):
    def scenario(reactor, trace):
        with pipe() as (r, w):
            for fd in [r, -1, closed_number()]:
                watched = Watched(trace, "never", fd)
                trace.append(reactor.removeReader(watched))
                trace.append(reactor.removeWriter(watched))

    assert run(scenario) == [None] * 6


@on_reactors
def test_the_lists_of_what_is_watched(run):
    def scenario(reactor, trace):
        def lists():
            for known in [reactor.getReaders(), reactor.getWriters()]:
                # EPollReactor lists its own waker among the readers.
                mine = [w.name for w in known if isinstance(w, Watched)]
                trace.append(sorted(mine))

        with socket_pair() as (left, right), tempfile.TemporaryFile() as file:
            both = Watched(trace, "both", left.fileno())
            reads = Watched(trace, "reads", right.fileno())
            polled = Watched(trace, "polled", file.fileno())
            for reader in [both, reads, polled]:
                reactor.addReader(reader)
            for writer in [both, polled]:
                reactor.addWriter(writer)
            lists()
            reactor.removeReader(both)
            reactor.removeWriter(polled)
            lists()
            trace.append(sorted(w.name for w in reactor.removeAll()))
            trace.append(reactor.removeAll())
            lists()

    everything = ["both", "polled", "reads"]
    assert run(scenario) == [
        everything,
        ["both", "polled"],
        ["polled", "reads"],
        ["both"],
        everything,
        [],
        [],
        [],
    ]


@on_reactors
def test_disconnectall_tells_each_once(run):
    def scenario(reactor, trace):
        with socket_pair() as (left, right):
            both = Watched(trace, "both", left.fileno())
            reactor.addReader(both)
            reactor.addWriter(both)
            reactor.disconnectAll()
            reactor.disconnectAll()

    assert run(scenario) == [("both", "connectionLost", "ConnectionLost")]


@on_reactors
def test_removeall_leaves_callfromthread_working(run):
    def scenario(reactor, trace):
        reactor.callWhenRunning(reactor.removeAll)
        reactor.callWhenRunning(
            reactor.callInThread, reactor.callFromThread, reactor.stop
        )
        reactor.run(installSignalHandlers=False)
        trace.append("stopped")

    assert run(scenario) == ["stopped"]


@on_reactors
@pytest.mark.parametrize("direction", ["Reader", "Writer"])
def test_a_regular_file_is_polled_continuously(run, direction):
    def scenario(reactor, trace):
        def count():
            if len(trace) == 3:
                getattr(reactor, "remove" + direction)(watched)
                reactor.callLater(0.05, reactor.crash)

        with tempfile.TemporaryFile() as file:
            watched = Watched(trace, "file", file.fileno(), count, count)
            getattr(reactor, "add" + direction)(watched)
            reactor.run(installSignalHandlers=False)

    called = {"Reader": "doRead", "Writer": "doWrite"}[direction]
    assert run(scenario) == [("file", called)] * 3


@on_reactors
def test_a_polled_file_whose_doread_says_done(run):
    def scenario(reactor, trace):
        def done():
            reactor.callLater(0.05, reactor.crash)
            return CONNECTION_DONE

        with tempfile.TemporaryFile() as file:
            watched = Watched(trace, "file", file.fileno(), done)
            reactor.addReader(watched)
            reactor.run(installSignalHandlers=False)
            trace.append(watched in reactor.getReaders())

    lost = ("file", "connectionLost", "ConnectionDone")
    assert run(scenario) == [("file", "doRead"), lost, False]


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

        with pipe() as (r1, w1), pipe() as (r2, w2), pipe() as (r3, w3):
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


@on_reactors
def test_logprefix_is_the_system_of_what_is_logged(run):
    def scenario(reactor, trace):
        def read():
            drain(r)
            log.msg("hello")

        def broken():
            raise ValueError("mine")

        def observe(event):
            if "hello" in event["message"] or event["isError"]:
                trace.append(event["system"])

        with pipe() as (r, w):
            watched = Watched(trace, "the prefix", r, read)
            reactor.addReader(watched)
            log.addObserver(observe)
            try:
                os.write(w, b"x")
                run_turns(reactor)
                watched.logPrefix = broken
                os.write(w, b"x")
                run_turns(reactor)
            finally:
                log.removeObserver(observe)
                reactor.removeReader(watched)

    buggy = "(buggy logPrefix method)"
    assert run(scenario) == [
        ("the prefix", "doRead"),
        "the prefix",
        ("logged", "ValueError", "mine"),
        buggy,
        ("the prefix", "doRead"),
        buggy,
    ]
