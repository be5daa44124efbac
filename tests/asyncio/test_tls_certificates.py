"""Whom asyncio's TLS believes, and what it says where it doesn't: as stock has it."""

import ssl

import pytest

from helpers import authorities
from helpers.authorities import CERTIFICATES, HOST, on_versions
from helpers.tls_asyncio import (
    BOTH_KINDS,
    TLSPlain,
    all_closed,
    connected_word,
    facing,
    run_until,
    serving,
    told_of,
)
from helpers.transports import on_transports

CLIENTS = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}


def meet(loop, trace, server_side, client_side, debug=False):
    """A server that says welcome and a client that says thanks, if it comes to that; what
    each of them was told."""
    loop.set_debug(debug)

    def welcome(protocol):
        protocol.shown = protocol.transport.get_extra_info("peercert")
        protocol.transport.write(b"welcome")

    def thank(protocol):
        if protocol.data == b"welcome":
            protocol.transport.write(b"thanks")

    def close(protocol):
        if protocol.data == b"thanks":
            protocol.transport.close()

    first = TLSPlain([], connection_made=welcome, data_received=close)
    second = TLSPlain([], data_received=thank)
    with all_closed(loop), serving(loop, lambda: first, ssl=server_side) as address:
        connecting = loop.create_connection(
            lambda: second, *address, ssl=client_side, server_hostname=HOST
        )
        result = loop.run_until_complete(told_of(connecting))
        trace.append(("connecting", connected_word(result)))
        if second.transport:
            run_until(loop, lambda: second.lost)
        run_until(loop, lambda: first.lost or not first.transport)
    trace.append(("client", second.trace))
    trace.append(("server", first.trace))
    return first, second


@on_transports
@on_versions
@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("kind", CERTIFICATES)
def test_the_server_s(run, kind, version, debug):
    def scenario(loop, trace):
        sides = authorities.server(kind, version), authorities.client()
        meet(loop, trace, *sides, debug)

    trace = dict(event for event in run(scenario) if event[0] != "reported")
    if kind == "good":
        assert trace["connecting"] == "connected"
        assert trace["server"] == [
            *[("connection_made",), ("data", b"thanks"), ("eof_received",)],
            ("connection_lost", None),
        ]
    else:
        codes = {"expired": 10, "wrong name": 62, "unknown": 20}
        name, _, fields = trace["connecting"]
        assert (name, fields["verify_code"]) == ("SSLCertVerificationError", codes[kind])
        assert fields["reason"] == "CERTIFICATE_VERIFY_FAILED"
        assert trace["client"] == []


@on_transports
@on_versions
@pytest.mark.parametrize("asked", CLIENTS)
@pytest.mark.parametrize("kind", [None, "good", "expired", "wrong name", "unknown"])
def test_the_client_s(run, asked, kind, version):
    """In TLS 1.3 a client learns only after its handshake that the server refuses it."""

    def scenario(loop, trace):
        sides = authorities.server(version=version, clients=CLIENTS[asked])
        first, _ = meet(loop, trace, sides, authorities.client(kind))
        if first.transport:
            trace.append(("seen", first.shown and first.shown["subject"]))

    trace = dict(event for event in run(scenario) if event[0] != "reported")
    missing = kind is None and asked == "required"
    # Nobody asks a client for a certain name.
    refused = kind in ("expired", "unknown") and asked != "none"
    if missing or refused:
        assert trace["server"] == []
        assert (trace["connecting"] == "connected") == (version == "1.3")
        if version == "1.3":
            names = [event[0] for event in trace["client"]]
            assert (names[0], names[-1]) == ("connection_made", "connection_lost")
            assert "data" not in names
    else:
        assert trace["client"][-1] == ("connection_lost", None)
        assert bool(trace["seen"]) == (kind is not None and asked != "none")


@on_transports
@on_versions
@pytest.mark.parametrize("made", BOTH_KINDS)
@pytest.mark.parametrize("kind", [None, "good", "expired", "unknown"])
def test_a_client_s_that_a_foreign_server_refuses(run, kind, made, version):
    """Which says so in an alert: in TLS 1.3, what the client reads first."""

    def scenario(loop, trace):
        theirs = authorities.peer_context("good", version)
        authorities.demanding(theirs)
        protocol = made(trace)
        with facing(loop, protocol, "client", authorities.client(kind), theirs) as facing_it:
            facing_it.shaken()
            trace.append(("connecting", facing_it.outcome()))
            if facing_it.peer.ended is None:
                facing_it.peer.send(b"welcome")
                facing_it.until(lambda: protocol.data)
                protocol.transport.close()
            facing_it.over()
            trace.append(("peer", facing_it.peer.ended))

    trace = run(scenario)
    told = {event[0]: event[-1] for event in trace}
    if kind == "good":
        assert (told["data"], told["connection_lost"]) == (b"welcome", None)
    elif version == "1.2":
        assert told["connecting"][2]["reason"].startswith(("SSLV3_ALERT", "TLSV1_ALERT"))
        assert "connection_made" not in told
    else:
        names = [event[0] for event in trace]
        assert names.index("connection_made") < names.index("connection_lost")
        assert "ALERT" in told["connection_lost"][2]["reason"]


@on_transports
@on_versions
@pytest.mark.parametrize("asked", CLIENTS)
@pytest.mark.parametrize("kind", [None, "good", "expired", "unknown"])
def test_a_foreign_client_s(run, kind, asked, version):
    """What of it our server's end tells, and what the client gets to see."""

    def scenario(loop, trace):
        ours = authorities.server(clients=CLIENTS[asked])
        protocol = TLSPlain(trace, connection_made=lambda own: own.transport.write(b"welcome"))
        theirs = authorities.peer_context(kind, version)
        with facing(loop, protocol, "server", ours, theirs) as facing_it:
            peer = facing_it.shaken()
            facing_it.until(lambda: peer.data or peer.gone())
            trace.append(("peer", peer.data, peer.ended, protocol.transport is not None))
            peer.close_notify()
            facing_it.over()

    trace = run(scenario)
    refused = (kind is None and asked == "required") or (
        kind in ("expired", "unknown") and asked != "none"
    )
    assert (("connection_made",) in trace) == (not refused)
    assert [event[1] for event in trace if event[0] == "peer"] == [b"" if refused else b"welcome"]
