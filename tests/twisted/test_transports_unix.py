"""UNIX and adopted connections: reported once for what comes, and nothing gets lost."""

import contextlib
import os
import socket
import tempfile

import pytest

from helpers.epolls import is_edge
from helpers.loops import on_reactors, ours_reactor
from helpers.scenarios import outcome, run_turns
from helpers.streams import (
    PATTERN,
    Handing,
    Traced,
    connected,
    ending,
    feed,
    on_ends,
    received,
    run_until,
    until_lost,
)

on_unix_ends = pytest.mark.parametrize("end", ["unix server", "unix client"])
on_families = pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6, socket.AF_UNIX])


def echo(protocol):
    protocol.transport.write(protocol.data[-5:])


def exchange(reactor, trace, protocol, peer):
    """A message there and back, and how the transport is reported then."""
    peer.setblocking(False)
    peer.send(b"hello")
    trace.append(received(reactor, peer, 5))
    trace.append(is_edge(protocol.transport))


@on_ends
def test_a_connection_is_reported_once(end):
    def scenario(reactor, trace):
        protocol = Traced(trace, data=echo)
        with connected(reactor, protocol, end) as peer:
            exchange(reactor, trace, protocol, peer)

    assert ours_reactor(scenario) == ["made", b"hello", True]


@contextlib.contextmanager
def listening(family):
    with tempfile.TemporaryDirectory() as directory, socket.socket(family) as sock:
        address = {socket.AF_INET: ("127.0.0.1", 0), socket.AF_INET6: ("::1", 0)}
        sock.bind(address.get(family, os.path.join(directory, "s")))
        sock.listen()
        sock.setblocking(False)
        yield sock


@contextlib.contextmanager
def adopted(reactor, family, factory, what):
    """The peer of a connection that was adopted, or that came to an adopted port."""
    with listening(family) as listener, socket.socket(family) as peer:
        if what == "port":
            port = reactor.adoptStreamPort(listener.fileno(), family, factory)
            peer.connect(listener.getsockname())
            run_until(reactor, lambda: not factory.protocols)
            port.stopListening()
        else:
            peer.connect(listener.getsockname())
            run_until(reactor, lambda: True)
            accepted, _ = listener.accept()
            accepted.setblocking(False)
            with accepted:
                reactor.adoptStreamConnection(accepted.fileno(), family, factory)
        peer.setblocking(False)
        yield peer


@on_families
@pytest.mark.parametrize("what", ["port", "connection"])
def test_what_is_adopted_is_reported_once(family, what):
    def scenario(reactor, trace):
        protocol = Traced(trace, data=echo)
        with adopted(reactor, family, Handing(protocol), what) as peer:
            exchange(reactor, trace, protocol, peer)

    assert ours_reactor(scenario) == ["made", b"hello", True]


@on_reactors
@on_families
@pytest.mark.parametrize("does", ["write", "lose", "pause", "abort", "keep the socket"])
def test_an_adopted_connection_that_does_something_as_it_is_made(run, family, does):
    kept = []

    def made(protocol):
        transport = protocol.transport
        if does == "write":
            transport.write(PATTERN)
        elif does == "lose":
            transport.write(b"bye")
            transport.loseConnection()
        elif does == "pause":
            transport.pauseProducing()
        elif does == "abort":
            transport.abortConnection()
        else:
            kept.append(transport.socket)

    def scenario(reactor, trace):
        protocol = Traced(trace, made=made)
        with adopted(reactor, family, Handing(protocol), "connection") as peer:
            trace.append([reader is protocol.transport for reader in reactor.getReaders()].count(1))
            if does == "write":
                trace.append(received(reactor, peer, len(PATTERN)) == PATTERN)
            if does in ("write", "pause", "keep the socket"):
                peer.send(b"hello")
                run_turns(reactor)
                trace.append(protocol.data)
                protocol.transport.resumeProducing()
                run_until(reactor, lambda: protocol.data)
                peer.send(b" again")
                run_until(reactor, lambda: len(protocol.data) > 5)
                trace.append(protocol.data)
                if does == "keep the socket":
                    trace.append(kept.pop() is protocol.transport.socket)
                protocol.transport.loseConnection()
            trace.append(ending(reactor, peer)[0][-3:])
            until_lost(reactor, protocol)

    result = run(scenario)
    assert result[0] == "made"
    assert ("hello" in str(result)) == (does not in ("lose", "abort"))


@on_reactors
@on_ends
@pytest.mark.parametrize("when", ["made", "data"])
def test_a_connection_whose_socket_somebody_has(run, end, when):
    def scenario(reactor, trace):
        def look(protocol):
            socks.append(protocol.transport.getHandle())

        socks = []
        protocol = Traced(trace, **{when: look})
        data = PATTERN[:1_000_000]
        with connected(reactor, protocol, end) as peer:
            for _ in range(3):
                feed(reactor, peer, data)
                run_until(reactor, lambda: len(protocol.data) >= len(data))
                trace.append(protocol.data == data)
                protocol.data = b""
            # What the application leaves of something that it has read itself.
            protocol.transport.pauseProducing()
            peer.send(b"0123456789")
            run_turns(reactor)
            trace.append(socks[0].recv(4))
            protocol.transport.resumeProducing()
            run_until(reactor, lambda: protocol.data)
            trace.append(protocol.data)
            socks.clear()
            protocol.transport.write(data)
            trace.append(received(reactor, peer, len(data)) == data)
            peer.close()
            until_lost(reactor, protocol)

    result = run(scenario)
    assert result == ["made", *[True] * 3, b"0123", b"456789", True, ("lost", "ConnectionDone")]


@contextlib.contextmanager
def named_peer(reactor, protocol, name):
    """The peer of a UNIX port's connection, whose socket has a name."""
    with tempfile.TemporaryDirectory() as directory, socket.socket(socket.AF_UNIX) as peer:
        path = os.path.join(directory, "s")
        port = reactor.listenUNIX(path, Handing(protocol))
        if name == "path":
            peer.bind(os.path.join(directory, "client"))
        elif name == "abstract":
            peer.bind(b"\0tornado4-" + os.urandom(8).hex().encode())
        peer.connect(path)
        run_until(reactor, lambda: protocol.transport)
        port.stopListening()
        peer.setblocking(False)
        yield peer


@on_reactors
@pytest.mark.parametrize("name", ["path", "abstract", "none"])
def test_who_has_connected(run, name):
    def scenario(reactor, trace):
        def shown(value):
            for own in [peer.getsockname(), peer.getpeername()]:
                value = value.replace(str(own), "NAME") if own else value
            return value

        protocol = Traced(trace)
        with named_peer(reactor, protocol, name) as peer:
            transport = protocol.transport
            hosts = [transport.getHost(), transport.getPeer()]
            trace.append([type(host).__name__ for host in hosts])
            trace.append(hosts[0].name == os.fsencode(peer.getpeername()))
            if name == "path":
                trace.append(hosts[1].name == os.fsencode(peer.getsockname()))
            trace.append((transport.client[0] == peer.getsockname(), transport.client[1:]))
            trace.append(transport.hostname == peer.getsockname())
            trace.append((transport.sessionno, transport.server.sessionno))
            trace.append([shown(word) for word in [transport.logPrefix(), repr(transport)]])
            # An older Twisted lets the system refuse what a UNIX socket hasn't.
            trace.append(outcome(transport.getTcpNoDelay))

    result = run(scenario)
    assert False not in result[:-1]
    assert result[-2] == [f"Traced,0,{'' if name == 'none' else 'NAME'}", "<Traced #0 on None>"]


@on_reactors
def test_a_unix_port_whose_factory_refuses_and_raises(run, tmp_path):
    class Refusing(Handing):
        def buildProtocol(self, addr):
            if len(self.protocols) == 2:
                self.protocols.pop()
                raise ValueError("mine")
            return super().buildProtocol(addr)

    def scenario(reactor, trace):
        protocol = Traced(trace)
        path = str(tmp_path / f"s{len(os.listdir(tmp_path))}")
        factory = Refusing(protocol, None)
        port = reactor.listenUNIX(path, factory)
        with contextlib.ExitStack() as stack:
            peers = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(4)]
            for peer in peers:
                peer.connect(path)
                run_turns(reactor, 5)
                peer.setblocking(False)
            trace.append(protocol.transport.sessionno)
            for peer in [peers[0], *peers[2:]]:
                trace.append(ending(reactor, peer))
            port.stopListening()

    closed = (b"", "closed")
    logged = ("logged", "ValueError", "mine")
    assert run(scenario) == [logged, "made", 0, closed, closed, closed]
