"""How TLS connections of asyncio end, by themselves and by their peers: in every order, and
out of it, as stock has it."""

import sys

import pytest

from helpers import authorities, tls_endings
from helpers.authorities import on_ends, on_versions
from helpers.scenarios import outcome, turns
from helpers.tls_asyncio import TLSBuffered, TLSPlain, facing
from helpers.tls_endings import named
from helpers.transports import on_transports


def contexts(end, version):
    if end == "server":
        return authorities.server(), authorities.peer_context(version=version)
    return authorities.client(), authorities.peer_context("good", version)


def looked(protocol):
    """What a transport says of itself."""
    own = protocol.transport
    return [outcome(getattr(own, name)) for name in ("is_closing", "is_reading")]


@on_transports
@on_ends
@pytest.mark.parametrize(
    ("made", "version"), [(TLSPlain, "1.2"), (TLSPlain, "1.3"), (TLSBuffered, "1.3")]
)
@named(tls_endings.BEHAVIOURS)
def test_by_the_peer(run, does, made, end, version):
    def scenario(loop, trace):
        protocol = made(trace)
        with facing(loop, protocol, end, *contexts(end, version)) as both:
            peer = both.shaken()
            trace.append(("connecting", both.outcome()))
            protocol.transport.write(b"welcome")
            both.until(lambda: peer.receive() or peer.data)
            does(both, peer)
            both.over()
            trace.append(("looked", looked(protocol)))
            trace.append(("peer", peer.data, peer.ended, peer.hung_up))

    trace = run(scenario)
    assert ("connection_made",) in trace
    assert [event[0] for event in trace].count("connection_lost") == 1


@on_transports
@on_ends
@on_versions
@pytest.mark.parametrize("waiting", [0, 200_000])
@named(tls_endings.ANSWERS)
def test_by_our_end(run, does, waiting, end, version):
    def scenario(loop, trace):
        protocol = TLSPlain(trace)
        with facing(loop, protocol, end, *contexts(end, version)) as both:
            peer = both.shaken()
            both.outcome()
            protocol.transport.write(b"x" * waiting)
            protocol.transport.close()
            trace.append(("write", outcome(protocol.transport.write, b"too late")))
            does(both, peer)
            both.over()
            trace.append(("looked", looked(protocol)))
            trace.append(("peer", len(peer.data), peer.ended, peer.hung_up))

    trace = run(scenario)
    assert [event[0] for event in trace].count("connection_lost") == 1
    (seen,) = [event for event in trace if event[0] == "peer"]
    assert seen[1] == waiting or does.__name__ == "crosses"


@on_transports
@on_ends
@named([one for one in tls_endings.BEHAVIOURS if one != tls_endings.a_record_and_half_a_one])
def test_by_the_peer_while_reading_is_paused(run, does, end):
    """What had come before is still given to the protocol, or not, as stock does."""

    def scenario(loop, trace):
        protocol = TLSPlain(trace)
        with facing(loop, protocol, end, *contexts(end, "1.3")) as both:
            peer = both.shaken()
            both.outcome()
            if "much_data" in does.__name__:
                # Not more than the kernel and both layers hold.
                both.sent = lambda data: peer.send(data[:100_000])
            protocol.transport.pause_reading()
            peer.send(b"before")
            turns(loop, 10)
            does(both, peer)
            turns(loop, 30)
            trace.append("resuming")
            if not protocol.lost:
                protocol.transport.resume_reading()
            both.over()
            trace.append(("peer", peer.data, peer.ended, peer.hung_up))

    trace = run(scenario)
    assert "resuming" in trace


@on_transports
@on_ends
@pytest.mark.parametrize("how", ["abort", "close and abort", "abort twice", "eof"])
def test_our_end_gives_up(run, how, end):
    def scenario(loop, trace):
        protocol = TLSPlain(trace)
        with facing(loop, protocol, end, *contexts(end, "1.3")) as both:
            peer = both.shaken()
            both.outcome()
            own = protocol.transport
            own.write(b"x" * 1000)
            if how == "eof":
                trace.append((own.can_write_eof(), outcome(own.write_eof)))
                own.close()
            elif how == "close and abort":
                own.close()
            own.abort()
            if "twice" in how:
                own.abort()
            both.over()
            trace.append(("looked", looked(protocol)))
            trace.append(("peer", peer.ended, peer.hung_up))

    assert run(scenario)


@on_transports
@on_ends
@pytest.mark.parametrize("method", ["connection_made", "data_received", "eof_received"])
@pytest.mark.parametrize("action", ["close", "abort", "raise", "pause"])
def test_within_callbacks(run, method, action, end):
    """The connection is ended, or an exception raised, within a callback of the protocol."""

    def scenario(loop, trace):
        def act(protocol):
            protocol.hooks.clear()
            if action == "raise":
                raise ValueError("mine")
            name = {"pause": "pause_reading"}.get(action, action)
            trace.append((action, outcome(getattr(protocol.transport, name))))
            if action == "pause":
                loop.call_later(0.01, lambda: outcome(protocol.transport.resume_reading))

        protocol = TLSPlain(trace, **{method: act})
        with facing(loop, protocol, end, *contexts(end, "1.3")) as both:
            peer = both.shaken()
            if peer.hung_up is None:
                peer.send(b"one")
                peer.send(b"two")
                turns(loop, 10)
                peer.close_notify()
            both.over(told)
            trace.append(("connecting", both.outcome()))
            trace.append(("peer", peer.ended, peer.hung_up))

    # Before 3.11 a protocol whose connection_made() has raised isn't told of the end.
    told = sys.version_info >= (3, 11) or (action, method) != ("raise", "connection_made")
    trace = run(scenario)
    assert [event[0] for event in trace].count("connection_lost") == told
