"""What doRead and doWrite return and raise: EPollReactor's disconnections."""

import os

import pytest
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST

from helpers.descriptors import HalfCloseable, Watched, drain
from helpers.loops import on_reactors
from helpers.scenarios import pipe, run_turns, socket_pair


@on_reactors
@pytest.mark.parametrize("half", [Watched, HalfCloseable])
@pytest.mark.parametrize(
    ("why", "name"),
    [
        (CONNECTION_DONE, "ConnectionDone"),
        (CONNECTION_LOST, "ConnectionLost"),
        (ValueError("mine"), "ValueError"),
    ],
)
def test_what_doread_returns_disconnects(run, why, name, half):
    def scenario(reactor, trace):
        with socket_pair() as (left, right):
            right.send(b"x")
            watched = half(trace, "s", left.fileno(), lambda: why)
            watched.write = lambda: reactor.removeWriter(watched)
            reactor.addReader(watched)
            run_turns(reactor)
            trace.append(watched in reactor.getReaders())
            reactor.addReader(watched)
            reactor.addWriter(watched)
            run_turns(reactor)
            trace.append(watched in reactor.getReaders() + reactor.getWriters())

    read = ("s", "doRead")
    if half is HalfCloseable and why is CONNECTION_DONE:
        lost = ("s", "readConnectionLost", name)
        # Only the reading is over: the writer stays, and is called later.
        assert run(scenario) == [read, lost, False, read, lost, ("s", "doWrite"), False]
    else:
        lost = ("s", "connectionLost", name)
        assert run(scenario) == [read, lost, False, read, lost, False]


@on_reactors
@pytest.mark.parametrize("half", [Watched, HalfCloseable])
def test_what_dowrite_returns_disconnects(run, half):
    def scenario(reactor, trace):
        with socket_pair() as (left, _):
            watched = half(trace, "s", left.fileno(), write=lambda: CONNECTION_DONE)
            reactor.addReader(watched)
            reactor.addWriter(watched)
            run_turns(reactor)
            trace.append(watched in reactor.getReaders() + reactor.getWriters())

    lost = ("s", "connectionLost", "ConnectionDone")
    assert run(scenario) == [("s", "doWrite"), lost, False]


def fail():
    raise ValueError("mine")


@on_reactors
def test_what_doread_raises_is_logged_and_disconnects(run):
    def scenario(reactor, trace):
        with socket_pair() as (left, right), pipe() as (r, w):
            right.send(b"x")
            os.write(w, b"x")
            failing = Watched(trace, "failing", left.fileno(), fail)
            other = Watched(trace, "other", r, lambda: drain(r))
            for add in [reactor.addReader, reactor.addWriter]:
                add(failing)
            reactor.addReader(other)
            run_turns(reactor)
            trace.append(failing in reactor.getReaders() + reactor.getWriters())
            reactor.removeReader(other)

    assert run(scenario) == [
        ("failing", "doRead"),
        ("logged", "ValueError", "mine"),
        ("failing", "connectionLost", "ValueError"),
        ("other", "doRead"),
        False,
    ]


@on_reactors
def test_what_dowrite_raises_is_logged_and_disconnects(run):
    def scenario(reactor, trace):
        with socket_pair() as (left, _):
            failing = Watched(trace, "failing", left.fileno(), write=fail)
            reactor.addWriter(failing)
            reactor.addReader(failing)
            run_turns(reactor)

    assert run(scenario) == [
        ("failing", "doWrite"),
        ("logged", "ValueError", "mine"),
        ("failing", "connectionLost", "ValueError"),
    ]


@on_reactors
def test_a_connectionlost_that_raises_is_logged(run):
    def scenario(reactor, trace):
        with pipe() as (r, w):
            os.write(w, b"x")
            watched = Watched(trace, "r", r, lambda: CONNECTION_DONE)
            watched.connectionLost = lambda reason: fail()
            reactor.addReader(watched)
            run_turns(reactor)
            trace.append(watched in reactor.getReaders())

    assert run(scenario) == [("r", "doRead"), ("logged", "ValueError", "mine"), False]


@on_reactors
def test_a_fileno_turned_minus_one_disconnects(run):
    def scenario(reactor, trace):
        with pipe() as (r, w):
            watched = Watched(trace, "r", r)
            reactor.addReader(watched)
            os.write(w, b"x")
            watched.fd = -1
            run_turns(reactor)
            trace.append(watched in reactor.getReaders())

    lost = ("r", "connectionLost", "ConnectionFdescWentAway")
    assert run(scenario) == [lost, False]


@on_reactors
def test_a_fileno_that_raises_is_logged_and_disconnects(run):
    def scenario(reactor, trace):
        with pipe() as (r, w):
            watched = Watched(trace, "r", r)
            reactor.addReader(watched)
            os.write(w, b"x")
            calls = iter([fail])
            watched.fileno = lambda: next(calls, lambda: r)()
            run_turns(reactor)
            trace.append(watched in reactor.getReaders())

    assert run(scenario) == [
        ("logged", "ValueError", "mine"),
        ("r", "connectionLost", "ValueError"),
        False,
    ]
