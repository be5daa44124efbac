"""loseConnection: what was written is sent first, the protocol is told once."""

import pytest

from helpers.loops import on_reactors
from helpers.scenarios import outcome, run_turns
from helpers.streams import Traced, connected, ending, on_ends, on_some_ends, run_until, until_lost

LARGE = bytes(range(256)) * 20_000
DONE = ("lost", "ConnectionDone")


@on_reactors
@on_ends
def test_losing_ends_the_connection(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            transport = protocol.transport
            trace.append(transport.loseConnection())
            trace.append((transport.connected, transport.disconnecting, transport.disconnected))
            until_lost(reactor, protocol)
            trace.append((transport.connected, transport.disconnecting, transport.disconnected))
            trace.append(transport in reactor.getReaders() + reactor.getWriters())
            trace.append(ending(reactor, peer))

    states = [(1, 1, 0), DONE, (0, 1, 1)]
    assert run(scenario) == ["made", None, *states, False, (b"", "closed")]


@on_reactors
@on_ends
def test_what_is_pending_is_sent_first(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            protocol.transport.write(LARGE)
            protocol.transport.loseConnection()
            run_turns(reactor, 5)
            trace.append(protocol.lost)
            data = ending(reactor, peer)
            until_lost(reactor, protocol)
            trace.append(data == (LARGE, "closed"))

    assert run(scenario) == ["made", False, DONE, True]


@on_reactors
@on_some_ends
def test_losing_twice_is_losing_once(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace, lost=lambda self: self.transport.loseConnection())
        with connected(reactor, protocol, end) as peer:
            protocol.transport.write(b"last")
            protocol.transport.loseConnection()
            protocol.transport.loseConnection()
            until_lost(reactor, protocol)
            trace.append(outcome(protocol.transport.loseConnection))
            run_turns(reactor)
            trace.append(ending(reactor, peer))

    assert run(scenario) == ["made", DONE, None, (b"last", "closed")]


@on_reactors
@on_ends
@pytest.mark.parametrize("written", [b"", b"hello", LARGE], ids=len)
def test_losing_as_the_connection_is_made(run, end, written):
    def scenario(reactor, trace):
        def lose(protocol):
            protocol.transport.write(written)
            protocol.transport.loseConnection()
            trace.append("returns")

        protocol = Traced(trace, made=lose)
        with connected(reactor, protocol, end) as peer:
            data = ending(reactor, peer)
            until_lost(reactor, protocol)
            trace.append(data == (written, "closed"))

    assert run(scenario) == ["made", "returns", DONE, True]


@on_reactors
@on_some_ends
def test_losing_within_makeconnection(run, end):
    class Losing(Traced):
        def makeConnection(self, transport):
            transport.loseConnection()
            super().makeConnection(transport)

    def scenario(reactor, trace):
        protocol = Losing(trace)
        with connected(reactor, protocol, end) as peer:
            trace.append(ending(reactor, peer))
            until_lost(reactor, protocol)

    assert sorted(run(scenario), key=repr) == sorted(["made", DONE, (b"", "closed")], key=repr)


@on_reactors
@on_some_ends
def test_losing_as_data_comes(run, end):
    def scenario(reactor, trace):
        def answer(protocol):
            protocol.transport.write(b"bye")
            protocol.transport.loseConnection()

        protocol = Traced(trace, data=answer)
        with connected(reactor, protocol, end) as peer:
            peer.send(b"hello")
            data = ending(reactor, peer)
            until_lost(reactor, protocol)
            trace.append((protocol.data, data))

    assert run(scenario) == ["made", DONE, (b"hello", (b"bye", "closed"))]


@on_reactors
@on_some_ends
def test_nothing_is_read_any_more(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            protocol.transport.write(LARGE)
            protocol.transport.loseConnection()
            run_turns(reactor)
            peer.send(b"too late")
            run_turns(reactor, 10)
            protocol.transport.resumeProducing()
            run_turns(reactor, 10)
            trace.append(protocol.data)
            ending(reactor, peer)
            until_lost(reactor, protocol)

    assert run(scenario) == ["made", b"", DONE]


@on_reactors
@on_some_ends
def test_a_peer_that_goes_away_while_data_is_pending(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            protocol.transport.write(LARGE)
            protocol.transport.loseConnection()
            run_turns(reactor)
            peer.close()
            until_lost(reactor, protocol)

    assert run(scenario) == ["made", ("lost", "ConnectionLost")]


@on_reactors
@on_some_ends
def test_losing_within_connectionlost_of_a_peer_that_left(run, end):
    def scenario(reactor, trace):
        def lose(protocol):
            trace.append(outcome(protocol.transport.loseConnection))
            trace.append(outcome(protocol.transport.abortConnection))
            trace.append(outcome(protocol.transport.write, b"late"))

        protocol = Traced(trace, lost=lose)
        with connected(reactor, protocol, end) as peer:
            peer.close()
            until_lost(reactor, protocol)
            run_turns(reactor)

    assert run(scenario) == ["made", DONE, None, None, None]


@on_reactors
@on_some_ends
def test_stopproducing_of_the_transport_loses(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            protocol.transport.write(b"last")
            protocol.transport.stopProducing()
            data = ending(reactor, peer)
            until_lost(reactor, protocol)
            trace.append(data)

    assert run(scenario) == ["made", DONE, (b"last", "closed")]


@on_reactors
@on_some_ends
def test_pausing_holds_data_back(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace, data=lambda self: trace.append(self.data))
        with connected(reactor, protocol, end) as peer:
            transport = protocol.transport
            transport.pauseProducing()
            transport.pauseProducing()
            trace.append(transport in reactor.getReaders())
            peer.send(b"hello")
            run_turns(reactor, 5)
            trace.append("resumed")
            transport.resumeProducing()
            transport.resumeProducing()
            trace.append(transport in reactor.getReaders())
            run_until(reactor, lambda: protocol.data)

    assert run(scenario) == ["made", False, "resumed", True, b"hello"]


@on_reactors
@on_some_ends
def test_pausing_as_data_comes(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace, data=lambda self: self.transport.pauseProducing())
        with connected(reactor, protocol, end) as peer:
            protocol.transport.bufferSize = 4
            peer.send(b"one two three")
            run_turns(reactor, 5)
            trace.append(protocol.data)
            protocol.transport.resumeProducing()
            run_turns(reactor, 5)
            trace.append(protocol.data)

    assert run(scenario) == ["made", b"one ", b"one two "]


@on_reactors
@on_some_ends
def test_pausing_as_the_connection_is_made(run, end):
    # A server reads already, a client starts to read afterwards.
    def scenario(reactor, trace):
        protocol = Traced(trace, made=lambda self: self.transport.pauseProducing())
        with connected(reactor, protocol, end) as peer:
            peer.send(b"hello")
            run_turns(reactor, 5)
            trace.append(protocol.data)

    assert run(scenario) == ["made", b""]


@on_reactors
@on_some_ends
@pytest.mark.parametrize("resumes", [True, False])
def test_a_paused_transport_whose_peer_closes(run, end, resumes):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            protocol.transport.pauseProducing()
            peer.send(b"last words")
            peer.close()
            run_turns(reactor, 10)
            trace.append((protocol.lost, protocol.data))
            if resumes:
                protocol.transport.resumeProducing()
            else:
                protocol.transport.loseConnection()
            until_lost(reactor, protocol)
            trace.append(protocol.data)

    trace = run(scenario)
    assert trace[:2] == ["made", (False, b"")]
    assert trace[2][0] == "lost"
    assert trace[3] == (b"last words" if resumes else b"")
