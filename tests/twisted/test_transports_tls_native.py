"""Which TLS connections take the native way, and that they do."""

import contextlib
import sys
import tempfile

import pytest
from twisted.internet import endpoints, ssl
from twisted.internet.testing import StringTransport
from twisted.protocols import tls
from twisted.protocols.tls import BufferingTLSTransport, TLSMemoryBIOFactory, TLSMemoryBIOProtocol

from helpers.certificates import client_context, pem_of_all, server_context
from helpers.loops import on_reactors, ours_reactor
from helpers.scenarios import run_turns
from helpers.streams import Handing, Traced, pair, run_until, until_lost
from helpers.tls_secured import Peer, Shaken, comes, secured, wants_todays_writing

pytestmark = wants_todays_writing

# What the native way leaves out.
LEFT_OUT = {
    method.__code__
    for method in [
        TLSMemoryBIOProtocol.dataReceived,
        TLSMemoryBIOProtocol._flushReceiveBIO,
        TLSMemoryBIOProtocol._flushSendBIO,
        TLSMemoryBIOProtocol._write,
        tls._AggregateSmallWrites.write,
        tls._AggregateSmallWrites.flush,
    ]
}


@contextlib.contextmanager
def calls_of_twisted():
    """Which of Twisted's methods are called meanwhile that can be left out."""
    called = []

    def notice(frame, event, arg):
        if event == "call" and frame.f_code in LEFT_OUT:
            called.append(frame.f_code.co_name)

    sys.setprofile(notice)
    try:
        yield called
    finally:
        sys.setprofile(None)


def layers(*protocols):
    return [type(protocol._aggregator).__name__ for protocol in protocols]


def exchange(reactor, one, other):
    """Both write, and both get it."""
    for ends, data in [((one, other), b"there"), ((other, one), b"back" * 30_000)]:
        ends[1].data = b""
        ends[0].transport.write(data)
        run_until(reactor, lambda ends=ends, data=data: len(ends[1].data) == len(data))
        assert ends[1].data == data


def by_listen_ssl(reactor, server, client):
    port = reactor.listenSSL(0, Handing(server), server_context(), interface="127.0.0.1")
    number = port.getHost().port
    reactor.connectSSL("127.0.0.1", number, Handing(client), client_context())
    return port


def by_endpoints(reactor, server, client):
    with tempfile.NamedTemporaryFile() as pem:
        pem.write(pem_of_all())
        pem.flush()
        text = f"ssl:0:interface=127.0.0.1:privateKey={pem.name}:certKey={pem.name}"
        endpoint = endpoints.serverFromString(reactor, text)
    ports = []
    listening = endpoint.listen(Handing(server))
    listening.addCallback(ports.append)
    number = ports[0].getHost().port
    plain = endpoints.clientFromString(reactor, f"tcp:127.0.0.1:{number}")
    endpoints.wrapClientTLS(client_context(), plain).connect(Handing(client))
    return ports[0]


@pytest.mark.parametrize("made", [by_listen_ssl, by_endpoints])
def test_both_ends_are_native(made):
    def scenario(reactor, trace):
        server, client = Shaken([]), Shaken([])
        port = made(reactor, server, client)
        run_until(reactor, lambda: server.shaken and client.shaken)
        exchange(reactor, server, client)
        trace.extend(layers(server.transport, client.transport))
        trace.extend(type(end.transport) for end in [server, client])
        with calls_of_twisted() as called:
            exchange(reactor, server, client)
        trace.append(called)
        client.transport.loseConnection()
        until_lost(reactor, server, client)
        port.stopListening()

    assert ours_reactor(scenario) == [*["TLSLayer"] * 2, *[BufferingTLSTransport] * 2, []]


def test_started_in_the_middle_it_is_native_too():
    def scenario(reactor, trace):
        server, client = Shaken([]), Shaken([])
        with pair(reactor, server, client):
            server.transport.startTLS(server_context())
            client.transport.startTLS(client_context())
            run_until(reactor, lambda: server.shaken and client.shaken)
            exchange(reactor, server, client)
            with calls_of_twisted() as called:
                exchange(reactor, server, client)
            trace.extend(layers(server.transport.protocol, client.transport.protocol))
            trace.append(called)
            client.transport.loseConnection()
            until_lost(reactor, server, client)

    # `write` of the transport asks the protocol, and the bypass the transport.
    assert ours_reactor(scenario) == ["TLSLayer", "TLSLayer", []]


class Sub(BufferingTLSTransport):
    pass


class Renamed(BufferingTLSTransport):
    def dataReceived(self, data):
        self.wrappedProtocol.trace.append("mine")
        super().dataReceived(data)


@on_reactors
@pytest.mark.parametrize("wrap", [Sub, Renamed, TLSMemoryBIOProtocol, BufferingTLSTransport])
def test_subclasses_work_as_they_are_written(run, wrap):
    def scenario(reactor, trace):
        server = Shaken([])
        with secured(reactor, server, wrap=wrap) as peer:
            trace.append(type(server.transport) is wrap)
            server.trace.clear()
            peer.write(b"hello")
            run_until(reactor, lambda: server.data)
            trace.append(list(server.trace))
            server.transport.write(b"back")
            trace.append(comes(reactor, peer, 4))
            server.transport.loseConnection()
            run_until(reactor, lambda: peer.pump() and server.lost)
            trace.append(server.trace[-1])

    mine = ["mine"] if wrap is Renamed else []
    assert run(scenario) == [True, mine, b"back", ("lost", "ConnectionDone")]


@pytest.mark.parametrize("wrap", [Sub, Renamed])
def test_subclasses_are_left_alone(wrap):
    def scenario(reactor, trace):
        server = Shaken([])
        with secured(reactor, server, wrap=wrap) as peer:
            trace.extend(layers(server.transport))
            with calls_of_twisted() as called:
                peer.write(b"hello")
                run_until(reactor, lambda: server.data)
                server.transport.write(b"back")
                comes(reactor, peer, 4)
            trace.append(sorted(set(called)))
            server.transport.abortConnection()
            until_lost(reactor, server)

    every = {code.co_name for code in LEFT_OUT}
    assert ours_reactor(scenario) == ["_AggregateSmallWrites", sorted(every)]


def test_without_an_aggregator_what_is_read_is_native():
    def scenario(reactor, trace):
        server = Shaken([])
        with secured(reactor, server, wrap=TLSMemoryBIOProtocol) as peer:
            trace.append(hasattr(server.transport, "_aggregator"))
            with calls_of_twisted() as called:
                peer.write(b"hello")
                run_until(reactor, lambda: server.data)
            trace.append(list(called))
            server.transport.abortConnection()
            until_lost(reactor, server)

    assert ours_reactor(scenario) == [False, []]


def test_over_another_transport_it_is_twisted_s_own():
    def scenario(reactor, trace):
        factory = TLSMemoryBIOFactory(server_context(), False, Handing(Traced([])), reactor)
        protocol = factory.buildProtocol(None)
        protocol.makeConnection(StringTransport())
        trace.extend(layers(protocol))

    assert ours_reactor(scenario) == ["_AggregateSmallWrites"]


def test_with_another_clock_it_is_twisted_s_own():
    from twisted.internet.task import Clock

    def scenario(reactor, trace):
        server = Traced([])
        factory = TLSMemoryBIOFactory(server_context(), False, Handing(server), Clock())
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        client = Shaken([])
        number = port.getHost().port
        reactor.connectSSL("127.0.0.1", number, Handing(client), client_context())
        run_until(reactor, lambda: client.shaken and server.transport._handshakeDone)
        trace.extend(layers(server.transport))
        server.transport.write(b"late")
        run_turns(reactor, 10)
        trace.append(client.data)
        factory._clock.advance(0)
        run_until(reactor, lambda: client.data)
        trace.append(client.data)
        client.transport.loseConnection()
        until_lost(reactor, server, client)
        port.stopListening()

    assert ours_reactor(scenario) == ["_AggregateSmallWrites", b"", b"late"]


@on_reactors
def test_tls_in_tls(run):
    def scenario(reactor, trace):
        server, client = Shaken([]), Shaken([])
        inner = TLSMemoryBIOFactory(server_context(), False, Handing(server))
        port = reactor.listenSSL(0, inner, server_context(), interface="127.0.0.1")
        outer = TLSMemoryBIOFactory(client_context(), True, Handing(client))
        reactor.connectSSL("127.0.0.1", port.getHost().port, outer, client_context())
        run_until(reactor, lambda: server.shaken and client.shaken)
        exchange(reactor, server, client)
        trace.append(isinstance(server.transport.transport, TLSMemoryBIOProtocol))
        client.transport.loseConnection()
        until_lost(reactor, server, client)
        trace.append((server.trace, client.trace))
        port.stopListening()
        run_turns(reactor)

    assert run(scenario)[0] is True


def test_in_tls_in_tls_the_outer_one_is_native():
    def scenario(reactor, trace):
        server, client = Shaken([]), Shaken([])
        inner = TLSMemoryBIOFactory(server_context(), False, Handing(server))
        port = reactor.listenSSL(0, inner, server_context(), interface="127.0.0.1")
        outer = TLSMemoryBIOFactory(client_context(), True, Handing(client))
        reactor.connectSSL("127.0.0.1", port.getHost().port, outer, client_context())
        run_until(reactor, lambda: server.shaken and client.shaken)
        for end in (server, client):
            trace.append(layers(end.transport, end.transport.transport))
        client.transport.loseConnection()
        until_lost(reactor, server, client)
        port.stopListening()

    assert ours_reactor(scenario) == [["_AggregateSmallWrites", "TLSLayer"]] * 2


@on_reactors
def test_the_handle_is_the_connection(run):
    from OpenSSL.SSL import Connection

    def scenario(reactor, trace):
        server, client = Shaken([]), Shaken([])
        port = by_listen_ssl(reactor, server, client)
        run_until(reactor, lambda: server.shaken and client.shaken)
        exchange(reactor, server, client)
        for end in (server, client):
            handle = end.transport.getHandle()
            trace.append((type(handle) is Connection, handle is end.transport._tlsConnection))
            trace.append(handle.get_cipher_name())
        trace.append(ssl.Certificate.peerFromTransport(client.transport).getSubject().commonName)
        trace.append(client.transport.getPeerCertificate().get_subject().CN)
        client.transport.loseConnection()
        until_lost(reactor, server, client)
        trace.extend(end.transport.getHandle() for end in (server, client))
        port.stopListening()
        run_turns(reactor)

    assert run(scenario)[0] == (True, True)


def test_a_peer_that_is_another_s():
    # That `Peer` talks to somebody at all, and to a native one.
    def scenario(reactor, trace):
        server = Shaken([])
        with secured(reactor, server) as peer:
            assert isinstance(peer, Peer)
            trace.extend(layers(server.transport))
            server.transport.write(b"x" * 200_000)
            trace.append(len(comes(reactor, peer, 200_000)))
            server.transport.abortConnection()
            until_lost(reactor, server)

    assert ours_reactor(scenario) == ["TLSLayer", 200_000]
