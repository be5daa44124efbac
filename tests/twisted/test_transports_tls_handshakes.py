"""Handshakes of Twisted's TLS that go wrong, and its protocol where it is made otherwise: as
stock has it."""

import pytest
from OpenSSL import SSL
from twisted.internet.endpoints import (
    HostnameEndpoint,
    SSL4ServerEndpoint,
    connectProtocol,
    wrapClientTLS,
)
from twisted.protocols.tls import TLSMemoryBIOFactory

from helpers import authorities
from helpers.authorities import on_ends, on_versions
from helpers.loops import on_reactors
from helpers.scenarios import run_turns
from helpers.streams import Handing
from helpers.tls_twisted import LOCAL, Shaking, facing, part, run_until, talk

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


@on_reactors
@on_ends
@pytest.mark.parametrize(
    ("what", "then"),
    [
        (what, then)
        for what in NOT_TLS
        for then in ("close", "half-close", "reset", "wait")
        # What isn't wrong yet is waited for.
        if then != "wait" or what not in ("one byte", "nothing", "an empty record")
    ],
)
def test_a_peer_that_speaks_something_else(run, what, then, end):
    def scenario(reactor, trace):
        protocol = Shaking(trace)
        ours = authorities.twisted_server() if end == "server" else authorities.twisted_client()
        with facing(reactor, protocol, end, ours, authorities.peer_context("good")) as both:
            peer = both.peer
            run_turns(reactor)
            if end == "client":
                peer.fill()  # or what it hasn't read makes a reset of its end
            peer.raw(NOT_TLS[what])
            if then == "close":
                peer.close()
            elif then == "reset":
                peer.reset()
            elif then == "half-close":
                peer.shutdown()
            both.until(lambda: protocol.lost)

    trace = run(scenario)
    assert trace[0] == "made"
    assert trace[-1][0] == "lost"
    assert len(trace) == 2


@on_reactors
@on_ends
@pytest.mark.parametrize("part", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("then", ["close", "half-close", "reset"])
def test_a_peer_that_goes_in_its_handshake(run, part, then, end):
    def scenario(reactor, trace):
        protocol = Shaking(trace)
        ours = authorities.twisted_server() if end == "server" else authorities.twisted_client()
        with facing(reactor, protocol, end, ours, authorities.peer_context("good")) as both:
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
            run_turns(reactor, 5)
            {"close": peer.close, "half-close": peer.shutdown, "reset": peer.reset}[then]()
            both.until(lambda: protocol.lost)

    trace = run(scenario)
    # In TLS 1.3 a client is done with the server's first flight.
    assert ("handshake" in trace) == (end == "client" and part == 1.0)


@on_reactors
@on_versions
def test_endpoints(run, version):
    def scenario(reactor, trace):
        first, second = Shaking([]), Shaking([])
        listening = SSL4ServerEndpoint(
            reactor, 0, authorities.twisted_server(version=version), interface=LOCAL
        )
        ports = []
        listening.listen(Handing(first)).addCallback(ports.append)
        run_until(reactor, lambda: ports)
        raw = HostnameEndpoint(reactor, LOCAL, ports[0].getHost().port)
        endpoint = wrapClientTLS(authorities.twisted_client(), raw)
        result = []
        connectProtocol(endpoint, second).addBoth(result.append)
        run_until(reactor, lambda: first.shaken and second.shaken)
        trace.append((result == [second], type(second.transport).__name__))
        trace.append(talk(reactor, first, second))
        ports[0].stopListening()
        part(reactor, first, second)
        trace.append(first.trace)
        trace.append(second.trace)

    assert run(scenario)[1] == (b"from the second", b"from the first")


@on_reactors
def test_a_subclass_of_twisted_s_protocol(run):
    """What it overrides is used."""

    class Shouting(TLSMemoryBIOFactory.protocol):
        def dataReceived(self, data):
            self.counted = getattr(self, "counted", 0) + len(data)
            super().dataReceived(data)

        def _write(self, data):
            super()._write(bytes(data).upper())

    def scenario(reactor, trace):
        first, second = Shaking([]), Shaking([])
        factories = [
            TLSMemoryBIOFactory(authorities.twisted_server(), False, Handing(first)),
            TLSMemoryBIOFactory(authorities.twisted_client(), True, Handing(second)),
        ]
        for factory in factories:
            factory.protocol = Shouting
            factory.noisy = False
        port = reactor.listenTCP(0, factories[0], interface=LOCAL)
        reactor.connectTCP(LOCAL, port.getHost().port, factories[1])
        run_until(reactor, lambda: first.shaken and second.shaken)
        trace.append(talk(reactor, first, second))
        trace.append([end.transport.counted > 100 for end in (first, second)])
        port.stopListening()
        part(reactor, first, second)

    assert run(scenario)[:2] == [(b"FROM THE SECOND", b"FROM THE FIRST"), [True, True]]


@on_reactors
@pytest.mark.parametrize("when", ["before", "after"])
def test_methods_that_an_instance_overrides(run, when):
    """In the midst of a connection, too."""

    def scenario(reactor, trace):
        def override(protocol):
            own = protocol.transport
            before = own.dataReceived
            own.dataReceived = lambda data: (protocol.trace.append("seen"), before(data))[1]

        first, second = Shaking([]), Shaking([])
        if when == "before":
            first.hooks["made"] = override
        port = reactor.listenSSL(0, Handing(first), authorities.twisted_server(), interface=LOCAL)
        reactor.connectSSL(
            LOCAL, port.getHost().port, Handing(second), authorities.twisted_client()
        )
        run_until(reactor, lambda: first.shaken and second.shaken)
        if when == "after":
            override(first)
        trace.append(talk(reactor, first, second))
        trace.append(first.trace.count("seen") > 0)
        port.stopListening()
        part(reactor, first, second)

    assert run(scenario)[1] is True
