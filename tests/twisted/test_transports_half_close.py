"""Connections of which one direction has ended."""

import socket

import pytest

from helpers.loops import on_reactors
from helpers.scenarios import outcome, run_turns
from helpers.streams import (
    Traced,
    TracedHalves,
    connected,
    ending,
    fail,
    on_ends,
    on_some_ends,
    received,
    run_until,
    until_lost,
)

LARGE = bytes(range(256)) * 20_000
DONE = ("lost", "ConnectionDone")
LOGGED = ("logged", "ValueError", "mine")


@on_reactors
@on_ends
@pytest.mark.parametrize("written", [b"", b"last words", LARGE], ids=len)
def test_the_writing_ends_after_what_was_written(run, end, written):
    def scenario(reactor, trace):
        protocol = TracedHalves(trace)
        with connected(reactor, protocol, end) as peer:
            protocol.transport.write(written)
            protocol.transport.loseWriteConnection()
            data = ending(reactor, peer)
            run_until(reactor, lambda: "write lost" in trace)
            trace.append(data == (written, "closed"))
            protocol.transport.write(b"dropped")
            protocol.transport.writeSequence([b"dropped"])
            peer.send(b"still heard")
            run_until(reactor, lambda: len(protocol.data) == 11)
            trace.append(protocol.data)
            peer.close()
            run_until(reactor, lambda: "read lost" in trace)
            trace.append(protocol.lost)
            protocol.transport.loseConnection()
            trace.append(protocol.lost)
            until_lost(reactor, protocol)

    heard = ["made", "write lost", True, b"still heard", "read lost", False]
    assert run(scenario) == [*heard, DONE, True]


@on_reactors
@on_some_ends
def test_the_peer_stops_writing(run, end):
    def scenario(reactor, trace):
        protocol = TracedHalves(trace)
        with connected(reactor, protocol, end) as peer:
            peer.send(b"question")
            peer.shutdown(socket.SHUT_WR)
            run_until(reactor, lambda: "read lost" in trace)
            run_turns(reactor, 5)
            trace.append((protocol.data, protocol.transport in reactor.getReaders()))
            protocol.transport.write(LARGE)
            protocol.transport.loseConnection()
            data = ending(reactor, peer)
            until_lost(reactor, protocol)
            trace.append(data == (LARGE, "closed"))

    assert run(scenario) == ["made", "read lost", (b"question", False), DONE, True]


@on_reactors
@on_some_ends
def test_the_peer_stops_writing_and_the_protocol_knows_no_halves(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            protocol.transport.write(b"answer")
            run_turns(reactor, 5)
            peer.shutdown(socket.SHUT_WR)
            data = ending(reactor, peer)
            until_lost(reactor, protocol)
            trace.append(data)

    assert run(scenario) == ["made", DONE, (b"answer", "closed")]


@on_reactors
@on_some_ends
def test_the_writing_ends_and_the_protocol_knows_no_halves(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            protocol.transport.write(b"question")
            protocol.transport.loseWriteConnection()
            trace.append(ending(reactor, peer))
            peer.send(b"answer")
            peer.close()
            until_lost(reactor, protocol)
            trace.append(protocol.data)

    assert run(scenario) == ["made", (b"question", "closed"), DONE, b"answer"]


@on_reactors
@on_some_ends
@pytest.mark.parametrize("half", ["read_lost", "write_lost"])
def test_a_half_close_that_raises_ends_the_connection(run, end, half):
    def scenario(reactor, trace):
        protocol = TracedHalves(trace, **{half: fail})
        with connected(reactor, protocol, end) as peer:
            if half == "read_lost":
                peer.shutdown(socket.SHUT_WR)
            else:
                protocol.transport.loseWriteConnection()
            until_lost(reactor, protocol)
            run_turns(reactor)
            trace.append(protocol.transport in reactor.getReaders() + reactor.getWriters())

    told = half.replace("_", " ")
    assert run(scenario) == ["made", told, LOGGED, ("lost", "ValueError"), False]


@on_reactors
@on_some_ends
@pytest.mark.parametrize("then", ["loseConnection", "abortConnection", "loseWriteConnection"])
@pytest.mark.parametrize("half", ["read_lost", "write_lost"])
def test_ending_within_a_half_close(run, end, half, then):
    def scenario(reactor, trace):
        def end_it(protocol):
            getattr(protocol.transport, then)()

        protocol = TracedHalves(trace, **{half: end_it})
        with connected(reactor, protocol, end) as peer:
            if half == "read_lost":
                peer.shutdown(socket.SHUT_WR)
            else:
                protocol.transport.loseWriteConnection()
            if (half, then) == ("read_lost", "loseWriteConnection"):
                run_until(reactor, lambda: "write lost" in trace)
                run_turns(reactor, 10)
                protocol.transport.abortConnection()
            until_lost(reactor, protocol)
            run_turns(reactor)

    told = half.replace("_", " ")
    more = [] if told == "write lost" or then != "loseWriteConnection" else ["write lost"]
    why = "ConnectionDone" if then == "loseConnection" else "ConnectionAborted"
    if told == "write lost" and then == "loseWriteConnection":
        # Asked for twice, it ends the whole connection.
        why = "ConnectionLost"
    assert run(scenario) == ["made", told, *more, ("lost", why)]


@on_reactors
@on_some_ends
def test_losing_while_the_writing_is_ending(run, end):
    def scenario(reactor, trace):
        protocol = TracedHalves(trace)
        with connected(reactor, protocol, end) as peer:
            protocol.transport.write(b"last")
            protocol.transport.loseWriteConnection()
            protocol.transport.loseConnection()
            data = ending(reactor, peer)
            until_lost(reactor, protocol)
            trace.append(data)

    assert run(scenario) == ["made", DONE, (b"last", "closed")]


@on_reactors
@on_some_ends
def test_written_after_asking_for_the_end_of_writing(run, end):
    def scenario(reactor, trace):
        protocol = TracedHalves(trace)
        with connected(reactor, protocol, end) as peer:
            protocol.transport.loseWriteConnection()
            protocol.transport.write(b"still sent")
            trace.append(received(reactor, peer, 10))
            run_until(reactor, lambda: "write lost" in trace)
            protocol.transport.write(b"dropped")
            trace.append(ending(reactor, peer))

    result = run(scenario)
    assert sorted(map(repr, result)) == sorted(
        map(repr, ["made", "write lost", b"still sent", (b"", "closed")])
    )


@on_reactors
@on_some_ends
def test_a_producer_outlives_the_end_of_writing(run, end):
    class Producer:
        def __init__(self, transport, blocks):
            self.transport = transport
            self.blocks = blocks

        def resumeProducing(self):
            if self.blocks:
                self.transport.write(self.blocks.pop(0))
            else:
                self.transport.unregisterProducer()
                self.transport.loseWriteConnection()

        def stopProducing(self):
            pass

    def scenario(reactor, trace):
        protocol = TracedHalves(trace)
        with connected(reactor, protocol, end) as peer:
            producer = Producer(protocol.transport, [b"one ", b"two"])
            protocol.transport.registerProducer(producer, False)
            protocol.transport.loseWriteConnection()
            data = ending(reactor, peer)
            run_until(reactor, lambda: "write lost" in trace)
            trace.append(data)

    assert run(scenario)[-1] == (b"one two", "closed")


@on_reactors
@on_some_ends
@pytest.mark.parametrize("late", ["before", "after"])
def test_halves_after_the_end_are_nothing(run, end, late):
    def scenario(reactor, trace):
        protocol = TracedHalves(trace)
        with connected(reactor, protocol, end):
            protocol.transport.abortConnection()
            if late == "before":
                protocol.transport.loseWriteConnection()
            until_lost(reactor, protocol)
            if late == "after":
                trace.append(outcome(protocol.transport.loseWriteConnection)[0:1])
            run_turns(reactor, 5)

    late_loss = [("ValueError",)] if late == "after" else []
    assert run(scenario) == ["made", ("lost", "ConnectionAborted"), *late_loss]
