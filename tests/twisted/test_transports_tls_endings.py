"""How TLS connections of Twisted end, by themselves and by their peers: in every order, and
out of it, as stock has it."""

import pytest

from helpers import authorities, tls_endings
from helpers.authorities import on_ends, on_versions
from helpers.loops import on_reactors
from helpers.scenarios import outcome, run_turns
from helpers.tls_endings import named
from helpers.tls_twisted import Shaking, TLSTraced, facing


def contexts(end, version):
    if end == "server":
        return authorities.twisted_server(), authorities.peer_context(version=version)
    return authorities.twisted_client(), authorities.peer_context("good", version)


def looked(protocol):
    """What a transport says of itself."""
    own = protocol.transport
    return [getattr(own, name, None) for name in ("connected", "disconnecting", "disconnected")]


def losses(trace):
    return len([event for event in trace if event[0] == "lost"])


@on_reactors
@on_ends
@on_versions
@named(tls_endings.BEHAVIOURS)
def test_by_the_peer(run, does, end, version):
    def scenario(reactor, trace):
        protocol = Shaking(trace)
        with facing(reactor, protocol, end, *contexts(end, version)) as both:
            peer = both.shaken()
            protocol.transport.write(b"welcome")
            both.until(lambda: peer.receive() or peer.data)
            does(both, peer)
            both.over()
            trace.append(("looked", looked(protocol)))
            trace.append(("peer", peer.data, peer.ended, peer.hung_up))

    trace = run(scenario)
    assert trace[:2] == ["made", "handshake"]
    assert losses(trace) == 1


@on_reactors
@on_ends
@on_versions
@pytest.mark.parametrize("waiting", [0, 200_000])
@named(tls_endings.ANSWERS)
def test_by_our_end(run, does, waiting, end, version):
    def scenario(reactor, trace):
        protocol = Shaking(trace)
        with facing(reactor, protocol, end, *contexts(end, version)) as both:
            peer = both.shaken()
            protocol.transport.write(b"x" * waiting)
            protocol.transport.loseConnection()
            protocol.transport.write(b"too late")
            protocol.transport.writeSequence([b"much", b"too late"])
            does(both, peer)
            both.over()
            trace.append(("looked", looked(protocol)))
            trace.append(("peer", len(peer.data), peer.ended, peer.hung_up))

    trace = run(scenario)
    assert losses(trace) == 1
    (seen,) = [event for event in trace if event[0] == "peer"]
    assert seen[1] == waiting or does.__name__ == "crosses"


@on_reactors
@on_ends
@named([one for one in tls_endings.BEHAVIOURS if one != tls_endings.a_record_and_half_a_one])
def test_by_the_peer_while_reading_is_paused(run, does, end):
    """What had come before is still given to the protocol, or not, as stock does."""

    def scenario(reactor, trace):
        protocol = Shaking(trace)
        with facing(reactor, protocol, end, *contexts(end, "1.3")) as both:
            peer = both.shaken()
            if "much_data" in does.__name__:
                # Not more than the kernel holds.
                both.sent = lambda data: peer.send(data[:100_000])
            protocol.transport.pauseProducing()
            peer.send(b"before")
            run_turns(reactor, 5)
            does(both, peer)
            run_turns(reactor, 10)
            trace.append("resuming")
            protocol.transport.resumeProducing()
            both.over()
            trace.append(("peer", peer.data, peer.ended, peer.hung_up))

    trace = run(scenario)
    assert "resuming" in trace
    assert losses(trace) == 1


@on_reactors
@on_ends
@pytest.mark.parametrize("how", ["abort", "lose and abort", "abort twice", "before the handshake"])
def test_our_end_gives_up(run, how, end):
    def scenario(reactor, trace):
        protocol = Shaking(trace)
        with facing(reactor, protocol, end, *contexts(end, "1.3")) as both:
            own, peer = protocol.transport, both.peer
            if how != "before the handshake":
                both.shaken()
                own.write(b"x" * 1000)
            if how == "lose and abort":
                own.loseConnection()
            own.abortConnection()
            if how == "abort twice":
                own.abortConnection()
            both.over()
            trace.append(("looked", looked(protocol)))
            trace.append(("peer", peer.ended, peer.hung_up))

    assert losses(run(scenario)) == 1


@on_reactors
@on_ends
@pytest.mark.parametrize(
    ("method", "action"),
    [
        (method, action)
        for method in ("made", "shaken", "data")
        for action in ("loseConnection", "abortConnection", "raise", "pause")
        # Which Twisted lets out of what accepts or connects: not TLS's affair.
        if (method, action) != ("made", "raise")
    ],
)
def test_within_callbacks(run, method, action, end):
    """The connection is ended, or an exception raised, within a callback of the protocol."""

    def scenario(reactor, trace):
        def act(protocol):
            protocol.hooks.clear()
            own = protocol.transport
            if action == "raise":
                raise ValueError("mine")
            if action == "pause":
                own.pauseProducing()
                reactor.callLater(0.01, lambda: protocol.lost or own.resumeProducing())
            else:
                trace.append((action, outcome(getattr(own, action))))

        protocol = Shaking(trace, **{method: act})
        with facing(reactor, protocol, end, *contexts(end, "1.3")) as both:
            peer = both.shaken()
            if peer.hung_up is None and peer.ended is None:
                peer.send(b"one")
                peer.send(b"two")
                run_turns(reactor)
                peer.close_notify()
            both.over()
            trace.append(("peer", peer.ended, peer.hung_up))

    assert losses(run(scenario)) <= 1


@on_reactors
@on_ends
@on_versions
def test_a_protocol_that_isn_t_told_of_the_handshake(run, end, version):
    def scenario(reactor, trace):
        protocol = TLSTraced(trace)
        with facing(reactor, protocol, end, *contexts(end, version)) as both:
            protocol.transport.write(b"early")
            peer = both.shaken()
            both.until(lambda: peer.receive() or peer.data)
            peer.send(b"one")
            both.until(lambda: protocol.data)
            peer.close_notify()
            both.over()
            trace.append(("peer", peer.data, peer.ended))

    assert run(scenario)[:2] == ["made", ("data", b"one")]
