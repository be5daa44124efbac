"""Handshakes of asyncio's TLS that go wrong, or take too long: as stock has it."""

import math
import socket
import sys

import pytest
from OpenSSL import SSL

from helpers import authorities
from helpers.authorities import on_ends
from helpers.scenarios import turns
from helpers.tls_asyncio import TLSPlain, connect, facing, part, told_of
from helpers.transports import on_transports, ours_transports

NOT_TLS = {
    "HTTP": b"GET / HTTP/1.1\r\nHost: test\r\n\r\n",
    "an answer": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "garbage": bytes(range(256)) * 4,
    "zeros": bytes(100),
    "an alert": b"\x15\x03\x01\x00\x02\x02\x28",
    "data": b"\x17\x03\x03\x00\x05hello",
    "an empty record": b"\x16\x03\x01\x00\x00",
    "too long": b"\x16\x03\x01\xff\xff" + b"x" * 70_000,
    "one byte": b"\x16",
    "nothing": b"",
}


@on_transports
@on_ends
@pytest.mark.parametrize(
    ("what", "then"),
    [
        (what, then)
        for what in NOT_TLS
        for then in ("close", "half-close", "reset", "wait")
        # What isn't wrong yet is waited for; what limits that has its own test.
        if then != "wait" or what not in ("one byte", "nothing", "an empty record")
    ],
)
def test_a_peer_that_speaks_something_else(run, what, then, end):
    def scenario(loop, trace):
        protocol = TLSPlain(trace)
        ours = authorities.server() if end == "server" else authorities.client()
        with facing(loop, protocol, end, ours, authorities.peer_context("good")) as both:
            peer = both.peer
            turns(loop, 3)
            peer.raw(NOT_TLS[what])
            if then == "close":
                peer.close()
            elif then == "reset":
                peer.reset()
            elif then == "half-close":
                peer.shutdown()
            if end == "client":
                trace.append(("connecting", both.outcome()))
            else:
                both.until(lambda: peer.hung_up or peer.gone() or closed(peer))
            turns(loop, 10)

    trace = run(scenario)
    assert ("connection_made",) not in trace
    if end == "client":
        assert trace[-1][1][0] in ("SSLError", "ConnectionResetError", "BrokenPipeError")


def closed(peer):
    """Whether our end has closed, which a peer that has closed itself doesn't see."""
    return peer.sock.fileno() == -1


@on_transports
@on_ends
@pytest.mark.parametrize("part", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("then", ["close", "half-close", "reset"])
def test_a_peer_that_goes_in_its_handshake(run, part, then, end):
    def scenario(loop, trace):
        protocol = TLSPlain(trace)
        ours = authorities.server() if end == "server" else authorities.client()
        with facing(loop, protocol, end, ours, authorities.peer_context("good")) as both:
            peer = both.peer

            def flight():
                """The peer's first one, which a server's end sends when it has ours."""
                peer.fill()
                try:
                    peer.tls.do_handshake()
                except SSL.WantReadError:
                    flights.append(peer.taken() or flights[-1])
                return flights[-1]

            flights = [b""]
            both.until(flight)
            peer.raw(flights[-1][: int(len(flights[-1]) * part)])
            turns(loop, 10)
            {"close": peer.close, "half-close": peer.shutdown, "reset": peer.reset}[then]()
            if end == "client":
                trace.append(("connecting", both.outcome()))
            turns(loop, 10)

    trace = run(scenario)
    # In TLS 1.3 a client is done with the server's first flight.
    assert (("connection_made",) in trace) == (end == "client" and part == 1.0)


@on_transports
@on_ends
def test_a_handshake_that_takes_too_long(run, end):
    def scenario(loop, trace):
        protocol = TLSPlain(trace)
        ours = authorities.server() if end == "server" else authorities.client()
        theirs = authorities.peer_context("good")
        with facing(loop, protocol, end, ours, theirs, ssl_handshake_timeout=0.05) as both:
            both.until(lambda: both.peer.fill() or both.peer.hung_up)
            trace.append((both.peer.hung_up, both.outcome()))

    ((_, result),) = run(scenario)
    assert result is None if end == "server" else result[0] == "ConnectionAbortedError"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="ssl_shutdown_timeout is new in 3.11")
@on_transports
@on_ends
@pytest.mark.parametrize("waiting", [0, 3_000_000])
def test_a_shutdown_that_takes_too_long(run, waiting, end):
    def scenario(loop, trace):
        protocol = TLSPlain(trace)
        ours = authorities.server() if end == "server" else authorities.client()
        theirs = authorities.peer_context("good")
        with facing(loop, protocol, end, ours, theirs, ssl_shutdown_timeout=0.05) as both:
            both.shaken()
            both.outcome()
            protocol.transport.write(b"x" * waiting)
            protocol.transport.close()
            both.until(lambda: protocol.lost)

    trace = run(scenario)
    assert trace[-1][0] == "connection_lost"
    assert trace[-1][1][0] == "TimeoutError"


@on_transports
@pytest.mark.parametrize("name", ["ssl_handshake_timeout", "ssl_shutdown_timeout"])
@pytest.mark.parametrize("value", [0, -1, "long"])
def test_timeouts_that_are_none(run, name, value):
    if name == "ssl_shutdown_timeout" and sys.version_info < (3, 11):
        pytest.skip("ssl_shutdown_timeout is new in 3.11")

    def scenario(loop, trace):
        sides = authorities.server(), authorities.client()
        result, *ends = connect(loop, *sides, **{name: value})
        trace.append(result)
        part(loop, *ends)

    trace = run(scenario)
    if value in (0, -1):
        assert trace[0][0] == "ValueError"


@on_transports
@pytest.mark.parametrize("method", ["resume_reading", "pause_reading", "write"])
def test_calls_in_connection_made(run, method):
    """Before the handshake's own end is over."""

    def scenario(loop, trace):
        def act(protocol):
            if method == "write":
                protocol.transport.write(b"early")
            else:
                getattr(protocol.transport, method)()
            loop.call_later(0.01, lambda: protocol.lost or protocol.transport.resume_reading())

        protocol = TLSPlain(trace, connection_made=act)
        theirs = authorities.peer_context()
        with facing(loop, protocol, "server", authorities.server(), theirs) as both:
            peer = both.peer
            peer.held = True
            # The last of the handshake, data and the end at once.
            both.until(lambda: [setattr(peer, "held", False), peer.handshake()][1])
            peer.held = True
            peer.tls.send(b"with it")
            peer.close_notify()
            peer.held = False
            peer.flush()
            both.over()
            trace.append((peer.data, peer.ended))

    trace = run(scenario)
    assert ("data", b"with it") in trace


@pytest.mark.parametrize("limit", ["ssl_handshake_timeout", "ssl_shutdown_timeout"])
@pytest.mark.parametrize(
    "method",
    [
        *("create_connection", "create_unix_connection", "connect_accepted_socket"),
        *("create_server", "create_unix_server", "start_tls"),
    ],
)
def test_a_limit_that_is_not_a_number(tmp_path, method, limit):
    """Stock takes one, and the limit never ends; ours has no such timers, and says so."""
    if limit == "ssl_shutdown_timeout" and sys.version_info < (3, 11):
        pytest.skip("this Python has no such limit")
    tls = authorities.server()
    first, second = socket.socketpair()
    paths = {"create_unix_connection": {"sock": first}, "create_unix_server": {"path": tmp_path}}

    def scenario(loop, trace):
        named = {limit: math.nan}
        if method == "start_tls":
            args = (object(), TLSPlain([]), tls)
        elif method == "connect_accepted_socket":
            args, named = (lambda: TLSPlain([]), first), {**named, "ssl": tls}
        elif "unix" in method:
            args, named = (lambda: TLSPlain([]),), {**named, **paths[method], "ssl": tls}
        else:
            args, named = (lambda: TLSPlain([]), "127.0.0.1", 1), {**named, "ssl": tls}
        trace.append(loop.run_until_complete(told_of(getattr(loop, method)(*args, **named))))

    with first, second:
        ((kind, text, _),) = ours_transports(scenario)
        assert (kind, text) == ("ValueError", f"{limit} should be a positive number, got nan")
        # Nothing was done yet.
        assert first.fileno() >= 0
