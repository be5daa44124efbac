"""Whom Twisted's TLS believes, and what it says where it doesn't: as stock has it."""

import pytest

from helpers import authorities
from helpers.authorities import CERTIFICATES, on_versions
from helpers.loops import on_reactors
from helpers.streams import Handing
from helpers.tls_twisted import LOCAL, Shaking, all_closed, facing, run_until

# Whether a client needs a certificate; None: whether it is asked at all.
CLIENTS = {"none": None, "optional": False, "required": True}


def meet(reactor, trace, server_side, client_side):
    """A server that says welcome and a client that says thanks, if it comes to that; what
    each of them was told."""

    def welcome(protocol):
        own = protocol.transport.getPeerCertificate()
        trace.append(("seen", own and own.get_subject().get_components()))
        protocol.transport.write(b"welcome")

    def thank(protocol):
        if protocol.data == b"welcome":
            protocol.transport.write(b"thanks")

    def close(protocol):
        if protocol.data == b"thanks":
            protocol.transport.loseConnection()

    first = Shaking([], shaken=welcome, data=close)
    second = Shaking([], data=thank)
    with all_closed(reactor):
        port = reactor.listenSSL(0, Handing(first), server_side, interface=LOCAL)
        reactor.connectSSL(LOCAL, port.getHost().port, Handing(second), client_side)
        run_until(reactor, lambda: first.lost and second.lost)
        port.stopListening()
    trace.append(("client", second.trace))
    trace.append(("server", first.trace))


GOOD = {
    "client": ["made", "handshake", ("data", b"welcome")],
    "server": ["made", "handshake", ("data", b"thanks")],
}


def reasons(events):
    """What the last of the events says the reason was."""
    return events[-1][2]


@on_reactors
@on_versions
@pytest.mark.parametrize("kind", CERTIFICATES)
def test_the_server_s(run, kind, version):
    def scenario(reactor, trace):
        sides = authorities.twisted_server(kind, version), authorities.twisted_client()
        meet(reactor, trace, *sides)

    trace = dict(run(scenario))
    done = ("lost", "ConnectionDone", "Connection was closed cleanly.")
    for end, events in GOOD.items():
        if kind == "good":
            assert trace[end] == [*events, done]
        else:
            assert ("data", b"welcome") not in trace[end]
    if kind == "wrong name":
        assert trace["client"][-1][1] == "VerificationError"
    elif kind != "good":
        assert trace["client"] == ["made", ("lost", "Error", ["certificate verify failed"])]


@on_reactors
@on_versions
@pytest.mark.parametrize("asked", CLIENTS)
@pytest.mark.parametrize("kind", [None, "good", "expired", "wrong name", "unknown"])
def test_the_client_s(run, asked, kind, version):
    """In TLS 1.3 a client learns only after its handshake that the server refuses it."""

    def scenario(reactor, trace):
        sides = authorities.twisted_server(version=version, clients=CLIENTS[asked])
        meet(reactor, trace, sides, authorities.twisted_client(kind))

    trace = dict(run(scenario))
    missing = kind is None and asked == "required"
    # Nobody asks a client for a certain name.
    refused = kind in ("expired", "unknown") and asked != "none"
    if missing or refused:
        assert trace["server"][-1][1] == "Error"
        assert ("handshake" in trace["client"]) == (version == "1.3")
        if version == "1.3":
            assert "data" not in [event[0] for event in trace["client"]]
    else:
        assert trace["client"][:-1] == GOOD["client"]
        assert bool(trace["seen"]) == (kind is not None and asked != "none")


@on_reactors
@on_versions
@pytest.mark.parametrize("kind", [None, "good", "expired", "unknown"])
def test_a_client_s_that_a_foreign_server_refuses(run, kind, version):
    """Which says so in an alert: in TLS 1.3, what the client reads first."""

    def scenario(reactor, trace):
        theirs = authorities.peer_context("good", version)
        authorities.demanding(theirs)
        protocol = Shaking(trace)
        ours = authorities.twisted_client(kind)
        with facing(reactor, protocol, "client", ours, theirs) as facing_it:
            facing_it.shaken()
            if facing_it.peer.ended is None:
                facing_it.peer.send(b"welcome")
                facing_it.until(lambda: protocol.data)
                protocol.transport.loseConnection()
            facing_it.over()
            trace.append(("peer", facing_it.peer.ended))

    trace = run(scenario)
    if kind == "good":
        assert trace[:3] == GOOD["client"]
    else:
        assert ("handshake" in trace) == (version == "1.3")
        (lost,) = [event for event in trace if event[0] == "lost"]
        assert lost[1] == ("Error" if version == "1.2" else lost[1])


@on_reactors
@on_versions
@pytest.mark.parametrize("asked", CLIENTS)
@pytest.mark.parametrize("kind", [None, "good", "expired", "unknown"])
def test_a_foreign_client_s(run, kind, asked, version):
    """What of it our server's end tells, and what the client gets to see."""

    def scenario(reactor, trace):
        ours = authorities.twisted_server(clients=CLIENTS[asked])
        protocol = Shaking(trace, shaken=lambda own: own.transport.write(b"welcome"))
        theirs = authorities.peer_context(kind, version)
        with facing(reactor, protocol, "server", ours, theirs) as facing_it:
            peer = facing_it.shaken()
            facing_it.until(lambda: peer.data or peer.gone())
            trace.append(("peer", peer.data, peer.ended))
            peer.close_notify()
            facing_it.over()

    trace = run(scenario)
    refused = (kind is None and asked == "required") or (
        kind in ("expired", "unknown") and asked != "none"
    )
    assert ("handshake" in trace) == (not refused)
    assert [event[1] for event in trace if event[0] == "peer"] == [b"" if refused else b"welcome"]
