"""How Twisted's TLS connections end: by either end, at each step, with data on its way."""

import pytest
from twisted.python import context, log
from twisted.python.failure import Failure

from helpers.loops import on_reactors
from helpers.scenarios import outcome, run_turns
from helpers.streams import reset, run_until, until_lost
from helpers.tls_secured import Shaken, ends, secured

WAYS = ["loseConnection", "abortConnection", "failVerification", "raise"]
STEPS = ["made", "shaken", "data"]


def end(protocol, way):
    if way == "raise":
        raise ValueError("mine")
    if way == "failVerification":
        protocol.transport.failVerification(Failure(ValueError("unverified")))
    else:
        getattr(protocol.transport, way)()


class Reasoned(Shaken):
    """Writes down of the end's reason what there is to know."""

    def connectionLost(self, reason):
        super().connectionLost(reason)
        self.trace.append(str(reason.value.args))


@on_reactors
@pytest.mark.parametrize("size", [0, 5, 70_000])
@pytest.mark.parametrize(
    ("step", "way"),
    # Who raises in `connectionMade` leaves a connection that never ends.
    [(step, way) for step in STEPS for way in WAYS if (step, way) != ("made", "raise")],
)
def test_at_each_step(run, step, way, size):
    def act(protocol):
        protocol.transport.write(b"x" * size)
        end(protocol, way)

    def scenario(reactor, trace):
        server = Reasoned([], **{step: act})
        with secured(reactor, server, shake=False) as peer:

            def ended():
                if peer.pump() and step == "data" and not written:
                    written.append(True)
                    peer.write(b"hello")
                return server.lost and peer.ended is not None

            written = []
            run_until(reactor, ended)
            trace.append(server.trace)
            trace.append((peer.shaken, peer.said, peer.ended))
            if way == "loseConnection":
                trace.append(len(peer.data))

    run(scenario)


@on_reactors
@pytest.mark.parametrize("way", [*WAYS[:3], "loseConnection twice", "lose and abort"])
@pytest.mark.parametrize("producer", [False, True])
def test_with_data_that_is_kept(run, way, producer):
    class Producer:
        def stopProducing(self):
            trace_of.append("stop")

        def pauseProducing(self):
            pass

        resumeProducing = pauseProducing

    trace_of = []

    def scenario(reactor, trace):
        del trace_of[:]
        server = Reasoned([])
        with secured(reactor, server) as peer:

            def act():
                server.transport.write(b"hello")
                if producer:
                    server.transport.registerProducer(Producer(), True)
                if way == "loseConnection twice":
                    end(server, "loseConnection")
                    end(server, "loseConnection")
                elif way == "lose and abort":
                    end(server, "loseConnection")
                    end(server, "abortConnection")
                else:
                    end(server, way)
                server.transport.write(b"late")
                if producer and way.startswith("loseConnection"):
                    server.transport.unregisterProducer()

            reactor.callWhenRunning(act)
            run_until(reactor, lambda: peer.pump() and server.lost and peer.ended)
            trace.append((server.trace, list(trace_of)))
            trace.append((peer.said, peer.ended))
            if way.startswith("loseConnection"):
                trace.append(peer.data)

    run(scenario)


@on_reactors
@pytest.mark.parametrize("kept", [b"", b"kept"])
@pytest.mark.parametrize(
    "how", ["goodbye", "data and goodbye", "shutdown", "close", "reset", "garbled"]
)
def test_by_the_peer(run, how, kept):
    def scenario(reactor, trace):
        def write(protocol):
            if kept:
                protocol.transport.write(kept)

        server = Reasoned([], data=write)
        with secured(reactor, server) as peer:
            peer.polite = False
            peer.write(b"first")
            run_until(reactor, lambda: server.data)
            if how.endswith("goodbye"):
                if how.startswith("data"):
                    peer.tls.write(b"last")
                peer.say_goodbye()
            elif how == "shutdown":
                peer.sock.shutdown(1)
            elif how == "close":
                peer.sock.close()
            elif how == "reset":
                reset(peer.sock)
            else:
                peer.garble()
            until_lost(reactor, server)
            trace.append(server.trace)
            trace.append(server.data if how != "reset" else None)
            if how in ("goodbye", "data and goodbye", "shutdown", "garbled"):
                # What the peer was told at the end.
                trace.append(ends(reactor, peer))
                if how.endswith("goodbye"):
                    trace.append(peer.data)
            trace.append(server.transport.getHandle())

    run(scenario)


@on_reactors
@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.0\r\n\r\n", b"\0" * 100, b""])
@pytest.mark.parametrize("when", ["before", "after"])
def test_garbage(run, when, garbage):
    def scenario(reactor, trace):
        server = Reasoned([])
        with secured(reactor, server, shake=when == "after") as peer:
            peer.sock.send(garbage)
            if not garbage:
                peer.sock.shutdown(1)
            until_lost(reactor, server)
            trace.append(server.trace)

    run(scenario)


@on_reactors
@pytest.mark.parametrize("way", WAYS[:2])
def test_between_two_records(run, way):
    # They come at once, and the second is for nobody, or for somebody who has said goodbye.
    def act(protocol):
        protocol.trace.append(protocol.data)
        if protocol.data == b"first":
            end(protocol, way)

    def scenario(reactor, trace):
        server = Reasoned([], data=act)
        with secured(reactor, server) as peer:
            for piece in (b"first", b"second", b"third"):
                peer.tls.write(piece)
            peer._send()
            run_until(reactor, lambda: peer.pump() and server.lost)
            trace.append(server.trace)
            trace.append((peer.said, peer.ended))

    run(scenario)


@on_reactors
def test_a_protocol_that_raises_gets_the_rest(run):
    # Twisted hands it over when the connection is lost.
    def act(protocol):
        protocol.trace.append(protocol.data)
        if protocol.data == b"first,":
            raise ValueError("mine")

    def scenario(reactor, trace):
        server = Reasoned([], data=act)
        with secured(reactor, server) as peer:
            for piece in (b"first,", b"second,", b"third"):
                peer.tls.write(piece)
            peer._send()
            until_lost(reactor, server)
            trace.append(server.trace)

    run(scenario)


@on_reactors
def test_records_are_handed_over_one_by_one(run):
    def scenario(reactor, trace):
        pieces = []
        server = Shaken([], data=lambda protocol: pieces.append(len(protocol.data)))
        with secured(reactor, server) as peer:
            for size in (1, 16384, 100, 16385, 50_000):
                peer.tls.write(b"x" * size)
            peer._send()
            run_until(reactor, lambda: peer.pump() and len(server.data) == 82_870)
            trace.append(pieces)
            server.transport.abortConnection()
            until_lost(reactor, server)

    assert run(scenario)[0][:3] == [1, 16385, 16485]


@on_reactors
def test_paused_in_the_midst(run):
    def scenario(reactor, trace):
        def pause(protocol):
            protocol.transport.pauseProducing()

        server = Shaken([], data=pause)
        with secured(reactor, server) as peer:
            peer.tls.write(b"one")
            peer.tls.write(b"two")
            peer._send()
            run_until(reactor, lambda: len(server.data) == 6)
            peer.write(b"three")
            run_turns(reactor, 20)
            trace.append(server.data)
            server.transport.resumeProducing()
            run_until(reactor, lambda: len(server.data) == 11)
            server.transport.abortConnection()
            until_lost(reactor, server)

    assert run(scenario) == [b"onetwo"]


@on_reactors
def test_the_log_s_system(run):
    def system(protocol):
        name = context.get(log.ILogContext).get("system")
        protocol.trace.append(name.split(",")[0])

    def scenario(reactor, trace):
        server = Shaken(trace, made=system, shaken=system, data=system, lost=system)
        with secured(reactor, server) as peer:
            for _ in range(2):
                server.data = b""
                peer.write(b"hello")
                run_until(reactor, lambda: server.data)
            server.transport.loseConnection()
            run_until(reactor, lambda: peer.pump() and server.lost)

    assert len(set(run(scenario))) > 3


@on_reactors
def test_the_end_is_reached_within_a_nested_turn(run):
    def nest(protocol):
        protocol.transport.write(b"back")
        protocol.transport.loseConnection()
        for _ in range(10):
            protocol.reactor.iterate(0.01)
            protocol.peer.pump()

    def scenario(reactor, trace):
        server = Reasoned([], data=nest)
        with secured(reactor, server) as peer:
            server.reactor, server.peer = reactor, peer
            peer.write(b"hello")
            run_until(reactor, lambda: peer.pump() and server.lost)
            trace.append((server.trace, peer.data))
            trace.append(outcome(server.transport.write, b"late"))

    run(scenario)
