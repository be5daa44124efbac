"""What Twisted's TLS makes of everything that a context can be told: as stock has it."""

from unittest import mock

import pytest
import twisted
from OpenSSL import SSL
from twisted.internet import ssl
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from helpers import authorities
from helpers.authorities import HOST, on_versions
from helpers.loops import on_reactors
from helpers.tls_twisted import Shaking, connect, facing, part, talk


class Contexts:
    """A factory of the old kind, for a context that is made by hand."""

    def __init__(self, context):
        self.context = context

    def getContext(self):
        return self.context


# What we work with at least does some of this in its own way.
OLDEST = (twisted.version.major, twisted.version.minor) <= (23, 10)


def unless_oldest_raises(action):
    if OLDEST and action == "raise":
        pytest.skip("the oldest Twisted raises an IndexError then, and tells nobody of the end")


@implementer(IOpenSSLClientConnectionCreator)
class Connections:
    """A client's, which may resume a session."""

    def __init__(self, context, session=None):
        self.context = context
        self.session = session

    def clientConnectionForTLS(self, protocol):
        made = SSL.Connection(self.context, None)
        made.set_tlsext_host_name(HOST.encode())
        if self.session is not None:
            made.set_session(self.session)
        return made


@on_reactors
@on_versions
@pytest.mark.parametrize(
    ("offered", "wanted", "chosen"),
    [
        ([b"h2", b"http/1.1"], [b"http/1.1", b"h2"], b"h2"),
        ([b"http/1.1"], [b"h2", b"http/1.1"], b"http/1.1"),
        # Twisted ends those that have none in common; the oldest, if both have any.
        ([b"h2"], [b"spdy/1"], "ended"),
        ([b"h2"], None, None),
        (None, [b"h2"], None if OLDEST else "ended"),
    ],
)
def test_alpn(run, offered, wanted, chosen, version):
    def scenario(reactor, trace):
        server = authorities.twisted_server(version=version, acceptableProtocols=offered)
        client = authorities.twisted_client(acceptableProtocols=wanted)
        ends = connect(reactor, server, client)
        for end in ends:
            trace.append("ended" if end.lost else end.transport.negotiatedProtocol)
        if not any(end.lost for end in ends):
            trace.append(talk(reactor, *ends))
        part(reactor, *ends)
        for end in ends:
            trace.append(end.trace)

    assert run(scenario)[:2] == [chosen, chosen]


def unraisable(trace):
    """Has exceptions of callbacks that nobody can be given land in the trace."""
    return mock.patch("sys.unraisablehook", lambda info: trace.append(info.exc_type.__name__))


ACTIONS = ["nothing", "another context", "raise", "hang up", "abort", "lose"]


@on_reactors
@on_versions
@pytest.mark.parametrize("action", ACTIONS)
def test_sni(run, action, version):
    """What a callback for the server's name does, which runs within the handshake."""

    def scenario(reactor, trace):
        context = authorities.peer_context("wrong name", version)
        good = authorities.peer_context("good", version)

        def chosen(connection):
            trace.append(("sni", type(connection).__name__, connection.get_servername()))
            if action == "another context":
                connection.set_context(good)
            elif action == "raise":
                raise ValueError("mine")
            elif action == "hang up":
                both.peer.close()
            elif action == "abort":
                protocol.transport.abortConnection()
            elif action == "lose":
                protocol.transport.loseConnection()

        context.set_tlsext_servername_callback(chosen)
        protocol = Shaking(trace)
        theirs = authorities.peer_context()
        with (
            unraisable(trace),
            facing(reactor, protocol, "server", Contexts(context), theirs) as both,
        ):
            peer = both.peer
            both.until(lambda: peer.hung_up or peer.handshake())
            both.until(lambda: protocol.shaken or protocol.lost)
            if protocol.shaken and peer.hung_up is None:
                own = peer.tls.get_peer_certificate(as_cryptography=True)
                expected = authorities.private("wrong name").original.to_cryptography()
                trace.append(("shown the first one", own == expected))
                peer.send(b"data")
                both.until(lambda: protocol.data or protocol.lost)
                peer.close_notify()
            both.until(lambda: peer.gone() and protocol.lost)
            trace.append(("peer", peer.ended))

    trace = run(scenario)
    assert ("sni", "Connection", b"test") in trace
    if action in ("nothing", "another context"):
        assert ("shown the first one", action == "nothing") in trace
    if action in ("abort", "lose", "hang up"):
        assert "handshake" not in trace


@on_reactors
@on_versions
@pytest.mark.parametrize("end", ["server", "client"])
@pytest.mark.parametrize("action", ["accept", "refuse", "raise", "abort"])
def test_a_callback_that_verifies(run, action, end, version):
    """Whatever OpenSSL thinks of the certificate."""
    unless_oldest_raises(action)

    def scenario(reactor, trace):
        def verify(connection, certificate, number, depth, ok):
            trace.append(("verify", type(connection).__name__, number, depth, ok))
            if action == "raise":
                raise ValueError("mine")
            if action == "abort":
                protocol.transport.abortConnection()
            return action == "accept"

        context = authorities.peer_context("good", version)
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, verify)
        ours = Contexts(context) if end == "server" else Connections(context)
        protocol = Shaking(trace)
        with facing(reactor, protocol, end, ours, authorities.peer_context("unknown")) as both:
            peer = both.peer
            both.until(lambda: peer.hung_up or peer.handshake())
            both.until(lambda: protocol.shaken or protocol.lost)
            if protocol.shaken:
                peer.close_notify()
            both.over()
            trace.append(("peer", peer.ended))

    trace = run(scenario)
    assert "verify" in [event[0] for event in trace]
    assert ("handshake" in trace) == (action == "accept")


@on_reactors
@on_versions
@pytest.mark.parametrize("action", ["choose", "none", "raise", "abort"])
def test_a_callback_that_chooses_a_protocol(run, action, version):
    unless_oldest_raises(action)

    def scenario(reactor, trace):
        def choose(connection, protocols):
            trace.append(("alpn", type(connection).__name__, protocols))
            if action == "raise":
                raise ValueError("mine")
            if action == "abort":
                protocol.transport.abortConnection()
            return SSL.NO_OVERLAPPING_PROTOCOLS if action == "none" else protocols[-1]

        context = authorities.peer_context("good", version)
        context.set_alpn_select_callback(choose)
        theirs = authorities.peer_context()
        theirs.set_alpn_protos([b"h2", b"http/1.1"])
        protocol = Shaking(trace)
        with facing(reactor, protocol, "server", Contexts(context), theirs) as both:
            peer = both.peer
            both.until(lambda: peer.hung_up or peer.handshake())
            both.until(lambda: protocol.shaken or protocol.lost)
            trace.append(("peer", peer.ended, peer.tls.get_alpn_proto_negotiated()))
            if protocol.shaken:
                trace.append(protocol.transport.negotiatedProtocol)
                peer.close_notify()
            both.over()

    trace = run(scenario)
    assert ("alpn", "Connection", [b"h2", b"http/1.1"]) in trace
    assert ("handshake" in trace) == (action in ("choose", "none"))


@on_reactors
@on_versions
@pytest.mark.parametrize("raising", [False, True])
def test_callbacks_that_only_look(run, raising, version):
    """At states of the handshake and at the keys, while data is read and written too."""

    def scenario(reactor, trace):
        seen, keys = [], []

        def look(connection, where, value):
            seen.append((type(connection).__name__, where, value))
            if raising:
                raise ValueError("mine")

        context = authorities.peer_context("good", version)
        context.set_info_callback(look)
        context.set_keylog_callback(lambda connection, line: keys.append(line.split()[0]))
        protocol = Shaking(trace, data=lambda own: own.transport.write(b"answer"))
        theirs = authorities.peer_context()
        with (
            unraisable(seen),
            facing(reactor, protocol, "server", Contexts(context), theirs) as both,
        ):
            peer = both.shaken()
            peer.send(b"data")
            both.until(lambda: peer.receive() or peer.data)
            peer.close_notify()
            both.over()
        trace.append((seen, keys))

    seen, keys = run(scenario)[-1]
    assert len(seen) > 5
    assert keys


@on_reactors
@on_versions
def test_sessions(run, version):
    """A client of ours resumes that of a server of ours, and a foreign one does."""

    def scenario(reactor, trace):
        server_side = authorities.twisted_server(
            version=version, enableSessions=True, enableSessionTickets=True
        )
        context = authorities.peer_context()
        creator = Connections(context)
        for _ in range(3):
            ends = connect(reactor, server_side, creator)
            trace.append(talk(reactor, *ends))
            handles = [end.transport.getHandle() for end in ends]
            trace.append([handle.get_protocol_version_name() for handle in handles])
            trace.append([handle.session_reused() for handle in handles if reusing(handle)])
            creator.session = handles[1].get_session()
            part(reactor, *ends)

    assert run(scenario)[0] == (b"from the second", b"from the first")


def reusing(handle):
    """Newer pyOpenSSL says so."""
    return hasattr(handle, "session_reused")


@on_reactors
@on_versions
def test_what_is_to_be_known(run, version):
    def scenario(reactor, trace):
        sides = authorities.twisted_server(version=version, clients=True)
        ends = connect(reactor, sides, authorities.twisted_client("good"))
        for end in ends:
            own = end.transport
            trace.append((isinstance(own, TLSMemoryBIOProtocol), type(own).__name__))
            handle = own.getHandle()
            trace.append((type(handle), handle.get_cipher_name(), handle.get_cipher_bits()))
            trace.append((handle.get_protocol_version_name(), handle.get_state_string()))
            trace.append(handle.get_servername())
            shown_to_us = own.getPeerCertificate()
            trace.append(shown_to_us.to_cryptography().serial_number)
            trace.append(ssl.Certificate.peerFromTransport(own).getSubject().items())
            trace.append((own.negotiatedProtocol, own.getPeer().host, own.getHost().host))
            trace.append((own.connected, own.disconnecting, handle.total_renegotiations()))
            trace.append([own.wrappedProtocol is end, own.factory is not None])
        trace.append(talk(reactor, *ends))
        part(reactor, *ends)
        for end in ends:
            own = end.transport
            trace.append((own.connected, own.disconnecting, own.getHandle(), own._tlsConnection))

    trace = run(scenario)
    assert trace[0] == (True, trace[0][1])
    assert trace[1][0] is SSL.Connection
