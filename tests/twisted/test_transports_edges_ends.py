"""Ends of connections, and exceptions, with data that a read has left in the kernel."""

import contextlib
import random
import socket

import pytest
from twisted.internet.error import ConnectionDone
from twisted.python.context import theContextTracker

from helpers.loops import on_reactors, ours_reactor, trace_reactor
from helpers.scenarios import run_turns
from helpers.streams import (
    PATTERN,
    Handing,
    Traced,
    TracedHalves,
    connected,
    ending,
    fail,
    feed,
    reset,
    run_until,
    sized,
    until_lost,
)
from tornado4.ioloop import IOLoop
from tornado4.platform.twisted import TornadoReactor, _tcp

DONE = ("lost", "ConnectionDone")
LOST = ("lost", "ConnectionLost")
SIZES = pytest.mark.parametrize(
    ("size", "count"), [(65_536, 10), (3, 10), (1, 3), (65_536, len(PATTERN))]
)


@on_reactors
@SIZES
@pytest.mark.parametrize("kind", [Traced, TracedHalves])
def test_data_and_the_end_together(run, size, count, kind):
    def scenario(reactor, trace):
        protocol = kind(trace, made=sized(size))
        with connected(reactor, protocol) as peer:
            feed(reactor, peer, PATTERN[:count], lambda: peer.shutdown(socket.SHUT_WR))
            run_until(reactor, lambda: len(trace) == 2)
            trace.append(protocol.data == PATTERN[:count])
            run_turns(reactor)
            trace.append(protocol.transport in reactor.getReaders())

    told = DONE if kind is Traced else "read lost"
    assert run(scenario) == ["made", told, True, False]


@on_reactors
@SIZES
@pytest.mark.parametrize("answer", [b"answer", PATTERN], ids=len)
def test_data_and_half_a_close_are_answered(run, size, count, answer):
    def scenario(reactor, trace):
        def respond(protocol):
            if len(protocol.data) == count:
                protocol.transport.write(answer)

        protocol = TracedHalves(trace, made=sized(size), data=respond)
        with connected(reactor, protocol) as peer:
            feed(reactor, peer, PATTERN[:count], lambda: peer.shutdown(socket.SHUT_WR))
            run_until(reactor, lambda: "read lost" in trace)
            protocol.transport.write(b" and more")
            protocol.transport.loseConnection()
            trace.append(ending(reactor, peer) == (answer + b" and more", "closed"))
            until_lost(reactor, protocol)

    result = run(scenario)
    assert result[:2] == ["made", "read lost"]
    assert sorted(map(repr, result[2:])) == sorted(map(repr, [DONE, True]))


def test_data_and_the_end_together_are_answered_at_once():
    # Twisted's own transport reads the end first.
    def scenario(reactor, trace):
        protocol = Traced(trace, data=lambda protocol: protocol.transport.write(b"answer"))
        with connected(reactor, protocol) as peer:
            peer.send(b"question")
            peer.shutdown(socket.SHUT_WR)
            trace.append(ending(reactor, peer))
            until_lost(reactor, protocol)
            trace.append(protocol.data)

    assert ours_reactor(scenario) == ["made", DONE, (b"answer", "closed"), b"question"]


@on_reactors
@SIZES
@pytest.mark.parametrize("when", ["at once", "in the data", "after the end"])
def test_both_directions_end(run, size, count, when):
    def scenario(reactor, trace):
        def lose(protocol):
            if when == "in the data":
                protocol.hooks.pop("data")
                protocol.transport.loseWriteConnection()

        def lose_too(protocol):
            if when == "after the end":
                protocol.transport.write(b"last")
                protocol.transport.loseWriteConnection()

        protocol = TracedHalves(trace, made=sized(size), data=lose, read_lost=lose_too)
        with connected(reactor, protocol) as peer:
            if when == "at once":
                protocol.transport.loseWriteConnection()
            feed(reactor, peer, PATTERN[:count], lambda: peer.shutdown(socket.SHUT_WR))
            run_until(reactor, lambda: {"read lost", "write lost"} <= set(trace))
            trace.append(protocol.data == PATTERN[:count])
            trace.append(ending(reactor, peer))
            protocol.transport.loseConnection()
            until_lost(reactor, protocol)
            # Which direction ends first is up to the reactor.
            trace[1:3] = sorted(trace[1:3])

    last = b"last" if when == "after the end" else b""
    assert run(scenario) == ["made", "read lost", "write lost", True, (last, "closed"), DONE]


@on_reactors
@SIZES
@pytest.mark.parametrize("how", ["loseConnection", "abortConnection", "raises"])
def test_ended_within_the_data(run, size, count, how):
    def scenario(reactor, trace):
        def end(protocol):
            if how == "raises":
                fail()
            protocol.transport.write(b"last")
            getattr(protocol.transport, how)()

        protocol = Traced(trace, made=sized(size), data=end)
        # Which of the two ends first is a matter of chance.
        others = []
        other = Traced(others, made=sized(size), data=echo)
        with connected(reactor, other) as third, connected(reactor, protocol) as peer:
            third.send(b"hello")
            with contextlib.suppress(ConnectionError):
                feed(reactor, peer, PATTERN[: min(count, 30_000)])
            until_lost(reactor, protocol)
            trace.append((bool(protocol.data), len(protocol.data) <= size))
            trace.append(third.fileno() != -1 and ending_of(reactor, third, other))
            trace.append(ending(reactor, peer)[1])
            trace.append(others)

    def echo(protocol):
        if len(protocol.data) == 5:
            protocol.transport.write(protocol.data)
            protocol.transport.loseConnection()

    def ending_of(reactor, third, other):
        data = ending(reactor, third)
        until_lost(reactor, other)
        return data

    result = run(scenario)
    ends = {"loseConnection": DONE, "abortConnection": ("lost", "ConnectionAborted")}
    assert ends.get(how, ("lost", "ValueError")) in result
    assert (b"hello", "closed") in result
    assert (True, True) in result
    assert result[-1] == ["made", DONE]


@on_reactors
@pytest.mark.parametrize("size", [3, 65_536])
@pytest.mark.parametrize("first", ["reads", "paused", "loses", "loses in the data"])
def test_the_peer_resets_with_data_unread(run, size, first):
    def scenario(reactor, trace):
        def lose(protocol):
            if first == "loses in the data":
                protocol.transport.loseConnection()

        protocol = Traced(trace, made=sized(size), data=lose)
        with connected(reactor, protocol) as peer:
            if first == "paused":
                protocol.transport.pauseProducing()
            peer.send(PATTERN[:1000])
            if first == "loses":
                protocol.transport.loseConnection()
            reset(peer)
            run_turns(reactor)
            if first == "paused":
                protocol.transport.resumeProducing()
            until_lost(reactor, protocol)
            run_turns(reactor)
            trace.append(protocol.transport in reactor.getReaders() + reactor.getWriters())

    result = run(scenario)
    assert len(result) == 3
    if first in ("reads", "paused"):
        assert result == ["made", LOST, False]


@on_reactors
def test_the_peer_resets_in_the_data(run):
    def scenario(reactor, trace):
        def more(protocol):
            if len(protocol.data) == 9:
                reset(peer)

        protocol = Traced(trace, made=sized(3), data=more)
        with connected(reactor, protocol) as peer:
            peer.send(PATTERN[:12])
            until_lost(reactor, protocol)

    assert run(scenario) == ["made", LOST]


@on_reactors
def test_the_peer_resets_while_much_is_unsent(run):
    def scenario(reactor, trace):
        protocol = Traced(trace, made=sized(3))
        with connected(reactor, protocol, peer_buffer=4096) as peer:
            protocol.transport.write(PATTERN)
            run_turns(reactor)
            peer.send(PATTERN[:100])
            run_until(reactor, lambda: len(protocol.data) > 30)
            reset(peer)
            until_lost(reactor, protocol)

    assert run(scenario) == ["made", LOST]


@on_reactors
def test_written_to_a_peer_that_has_reset(run):
    # The system tells that once: here to the writing.
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol) as peer:
            reset(peer)
            protocol.transport.write(b"nobody reads this")
            until_lost(reactor, protocol)

    assert run(scenario) == ["made", LOST]


@on_reactors
@pytest.mark.parametrize("seed", range(3))
def test_many_connections_with_bursts_and_pauses(run, seed):
    count, bursts = 200, 6

    class Pausing(Traced):
        def dataReceived(self, data):
            super().dataReceived(data)
            dice = rng.random()
            if dice < 0.3:
                self.transport.pauseProducing()
                reactor.callLater(0, self.resume)
            elif dice < 0.35:
                self.transport.pauseProducing()
                self.transport.resumeProducing()
            elif dice < 0.45:
                self.transport.bufferSize = rng.choice([7, 100, 1000, 65_536, 300_000])
            elif dice < 0.5:
                self.transport.write(b"x")

        def resume(self):
            if not self.lost:
                self.transport.resumeProducing()

    rng = random.Random(seed)
    reactor = None

    def scenario(given, trace):
        nonlocal reactor
        reactor = given
        rng.seed(seed)
        protocols = [Pausing([]) for _ in range(count)]
        expected = [b""] * count
        port = reactor.listenTCP(0, Handing(*protocols), interface="127.0.0.1")
        address = ("127.0.0.1", port.getHost().port)
        left = [bursts] * count
        with contextlib.ExitStack() as stack:
            peers = []
            for protocol in protocols:
                peer = stack.enter_context(socket.create_connection(address))
                peer.setblocking(False)
                peers.append(peer)
                run_until(reactor, lambda protocol=protocol: protocol.transport)

            def burst(number):
                if not left[number]:
                    peers[number].shutdown(socket.SHUT_WR)
                    return
                left[number] -= 1
                start = rng.randrange(1000)
                size = rng.choice([1, 10, 3000, 20_000])
                piece = PATTERN[start : start + size]
                expected[number] += piece
                pause = rng.choice([0, 0, 0.002])
                feed(reactor, peers[number], piece, lambda: reactor.callLater(pause, burst, number))

            for number in range(count):
                burst(number)
            until_lost(reactor, *protocols)
            port.stopListening()
        trace.append([protocol.data for protocol in protocols] == expected)
        trace.append({tuple(protocol.trace) for protocol in protocols})

    assert run(scenario) == [True, {("made", DONE)}]


@on_reactors
@pytest.mark.parametrize("replaced", ["instance", "class"])
def test_a_reactor_s_own_way_of_disconnecting(run, replaced, monkeypatch):
    def scenario(reactor, trace):
        stock = reactor._disconnectSelectable

        def mine(selectable, why, is_read, *args):
            if selectable is protocol.transport:
                trace.append(("mine", type(why).__name__, is_read))
            return stock(selectable, why, is_read, *args)

        protocol = TracedHalves(trace, made=sized(3))
        with monkeypatch.context() as patching, connected(reactor, protocol) as peer:
            if replaced == "instance":
                reactor._disconnectSelectable = mine
            else:
                patching.setattr(
                    type(reactor),
                    "_disconnectSelectable",
                    lambda _reactor, *args: mine(*args),
                    raising=False,
                )
            peer.send(b"hello")
            peer.shutdown(socket.SHUT_WR)
            run_until(reactor, lambda: "read lost" in trace)
            trace.append(protocol.data)
            reset(peer)
            protocol.transport.write(b"nobody reads this")
            until_lost(reactor, protocol)
            if replaced == "instance":
                del reactor._disconnectSelectable

    result = run(scenario)
    assert result[:4] == ["made", ("mine", "ConnectionDone", True), "read lost", b"hello"]
    assert result[-1] == LOST
    assert result[-2][0] == "mine"


def test_a_subclass_of_the_reactor_disconnects_in_its_own_way():
    seen = []

    class Mine(TornadoReactor):
        def _disconnectSelectable(self, selectable, why, *args, **kwargs):
            seen.append(type(why).__name__)
            return super()._disconnectSelectable(selectable, why, *args, **kwargs)

    @contextlib.contextmanager
    def mine():
        io_loop = IOLoop(make_current=False)
        reactor = Mine(io_loop)
        yield reactor
        reactor.fireSystemEvent("shutdown")
        reactor.disconnectAll()
        io_loop.close()

    def scenario(reactor, trace):
        protocol = Traced(trace, made=sized(3))
        with connected(reactor, protocol) as peer:
            peer.send(PATTERN[:10])
            peer.close()
            until_lost(reactor, protocol)
            trace.append(protocol.data == PATTERN[:10])

    assert trace_reactor(mine, scenario) == ["made", DONE, True]
    assert seen == ["ConnectionDone"]


@pytest.mark.parametrize("how", ["instance", "class", "subclass"])
def test_connectionlost_of_one_s_own(how, monkeypatch):
    def scenario(reactor, trace):
        stock = _tcp.Server.connectionLost

        def mine(self, reason):
            trace.append(("mine", type(reason.value).__name__))
            stock(self, reason)

        protocol = Traced(trace, made=sized(3))
        port = _tcp.Port(0, Handing(protocol), 50, "127.0.0.1", reactor)
        if how == "subclass":
            port.transport = type("Mine", (_tcp.Server,), {"connectionLost": mine})
        port.startListening()
        with (
            monkeypatch.context() as patching,
            socket.create_connection(("127.0.0.1", port.getHost().port)) as peer,
        ):
            run_until(reactor, lambda: protocol.transport)
            port.stopListening()
            transport = protocol.transport
            if how == "class":
                patching.setattr(_tcp.Server, "connectionLost", mine)
            elif how == "instance":
                transport.connectionLost = lambda reason: mine(transport, reason)
            peer.send(PATTERN[:10])
            peer.close()
            until_lost(reactor, protocol)
            trace.append(protocol.data == PATTERN[:10])
            if how == "instance":
                del transport.connectionLost

    name = ConnectionDone.__name__
    assert ours_reactor(scenario) == ["made", ("mine", name), DONE, True]


def test_data_that_came_while_the_log_was_broken():
    """Twisted's reactors log that themselves; what matters is what comes afterwards."""

    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol) as peer:
            peer.send(b"first")
            run_until(reactor, lambda: protocol.data)
            contexts = theContextTracker.currentContext().contexts
            contexts.append("no context")
            peer.send(b" second")
            run_turns(reactor)
            assert contexts.pop() == "no context"
            trace.append(protocol.data)
            run_until(reactor, lambda: protocol.data == b"first second")

    made, *logged, data = ours_reactor(scenario)
    assert (made, data) == ("made", b"first")
    assert {name for name, *_ in logged} == {"logged"}
