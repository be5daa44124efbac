"""abortConnection, wherever it is called: the connection is reset, the protocol told once."""

import contextlib

import pytest

from helpers.loops import on_reactors
from helpers.scenarios import outcome, run_turns
from helpers.streams import Traced, connected, ending, fail, on_ends, on_some_ends, until_lost

LARGE = bytes(range(256)) * 20_000
ABORTED = ("lost", "ConnectionAborted")


def how_it_ends(reactor, peer, end):
    """How the peer is told: nothing but a close by UNIX sockets."""
    how = ending(reactor, peer)[1]
    return how == ("closed" if "unix" in end else "ConnectionResetError")


@on_reactors
@on_ends
def test_aborting_resets(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            transport = protocol.transport
            trace.append(transport.abortConnection())
            trace.append((transport.connected, transport.disconnecting, transport.disconnected))
            trace.append(transport in reactor.getReaders() + reactor.getWriters())
            until_lost(reactor, protocol)
            trace.append((transport.connected, transport.disconnecting, transport.disconnected))
            trace.append(how_it_ends(reactor, peer, end))

    assert run(scenario) == ["made", None, (1, 0, 0), False, ABORTED, (0, 0, 1), True]


@on_reactors
@on_some_ends
@pytest.mark.parametrize("written", [b"little", LARGE], ids=len)
def test_what_is_pending_is_dropped(run, end, written):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:

            def write_and_abort():
                protocol.transport.write(written)
                protocol.transport.abortConnection()
                protocol.transport.write(b"more")
                protocol.transport.writeSequence([b"more"])

            reactor.callLater(0, write_and_abort)
            until_lost(reactor, protocol)
            trace.append(how_it_ends(reactor, peer, end))

    assert run(scenario) == ["made", ABORTED, True]


@on_reactors
@on_some_ends
def test_little_written_and_aborted_never_arrives(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:

            def write_and_abort():
                protocol.transport.write(b"little")
                protocol.transport.abortConnection()

            reactor.callLater(0, write_and_abort)
            trace.append(ending(reactor, peer)[0])
            until_lost(reactor, protocol)

    assert b"" in run(scenario)


@on_reactors
@on_some_ends
@pytest.mark.parametrize("where", ["made", "data"])
@pytest.mark.parametrize("then", ["nothing", "raise", "write", "lose", "abort", "half"])
def test_aborting_in_a_callback(run, end, where, then):
    def scenario(reactor, trace):
        def abort(protocol):
            transport = protocol.transport
            transport.write(b"never sent")
            transport.abortConnection()
            if then == "write":
                transport.write(LARGE)
            elif then == "lose":
                transport.loseConnection()
            elif then == "abort":
                transport.abortConnection()
            elif then == "half":
                transport.loseWriteConnection()
            elif then == "raise" and where == "data":
                fail()
            trace.append("returns")

        protocol = Traced(trace, **{where: abort})
        with connected(reactor, protocol, end) as peer:
            with contextlib.suppress(OSError):  # aborted by now
                peer.send(b"hello")
            until_lost(reactor, protocol)
            run_turns(reactor, 5)
            ending(reactor, peer)

    if then == "raise" and where == "data":
        expected = ["made", ("logged", "ValueError", "mine"), ("lost", "ValueError")]
    else:
        expected = ["made", "returns", ABORTED]
    assert run(scenario) == expected


@on_reactors
@on_some_ends
def test_losing_and_then_aborting(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            protocol.transport.write(LARGE)
            protocol.transport.loseConnection()
            run_turns(reactor)
            protocol.transport.abortConnection()
            until_lost(reactor, protocol)
            trace.append(how_it_ends(reactor, peer, end))

    assert run(scenario) == ["made", ABORTED, True]


@on_reactors
@on_some_ends
def test_aborting_after_the_end_is_nothing(run, end):
    def scenario(reactor, trace):
        def abort(protocol):
            trace.append(outcome(protocol.transport.abortConnection))

        protocol = Traced(trace, lost=abort)
        with connected(reactor, protocol, end) as peer:
            peer.close()
            until_lost(reactor, protocol)
            abort(protocol)
            run_turns(reactor)

    assert run(scenario) == ["made", ("lost", "ConnectionDone"), None, None]


@on_reactors
@on_some_ends
def test_aborting_while_the_peer_is_leaving(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            peer.send(b"unread")
            peer.close()
            protocol.transport.abortConnection()
            until_lost(reactor, protocol)
            trace.append(protocol.data)

    assert run(scenario) == ["made", ABORTED, b""]


@on_reactors
@on_some_ends
def test_aborting_stops_the_producer(run, end):
    class Producer:
        def __init__(self, trace):
            self.trace = trace

        def pauseProducing(self):
            self.trace.append("pause")

        def resumeProducing(self):
            self.trace.append("resume")

        def stopProducing(self):
            self.trace.append("stop")

    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end):
            protocol.transport.registerProducer(Producer(trace), True)
            protocol.transport.write(LARGE)
            protocol.transport.abortConnection()
            protocol.transport.write(b"more")
            until_lost(reactor, protocol)

    assert run(scenario) == ["made", "pause", "pause", "stop", ABORTED]


@on_reactors
@on_some_ends
def test_aborting_then_resuming_reads_nothing(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            peer.send(b"hello")
            protocol.transport.abortConnection()
            protocol.transport.resumeProducing()
            protocol.transport.startWriting()
            until_lost(reactor, protocol)
            trace.append(protocol.data)

    assert run(scenario) == ["made", ABORTED, b""]
