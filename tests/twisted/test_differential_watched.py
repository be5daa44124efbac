"""What a reactor knows of what it watches: its lists, polled files, log prefixes."""

import os
import tempfile

import pytest
from twisted.internet.main import CONNECTION_DONE
from twisted.python import log

from helpers.descriptors import Watched, drain
from helpers.loops import on_reactors
from helpers.scenarios import closed_number, pipe, run_reactor, run_turns, socket_pair


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
        with pipe() as (r, _):
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
        with socket_pair() as (left, _):
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
        reactor.callWhenRunning(reactor.callInThread, reactor.callFromThread, reactor.stop)
        run_reactor(reactor)
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
            run_reactor(reactor)

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
            run_reactor(reactor)
            trace.append(watched in reactor.getReaders())

    lost = ("file", "connectionLost", "ConnectionDone")
    assert run(scenario) == [("file", "doRead"), lost, False]


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
