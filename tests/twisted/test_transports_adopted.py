"""Ports and connections made of descriptors that somebody else has opened."""

import contextlib
import os
import select
import socket
import tempfile

import pytest
from twisted.internet.error import UnsupportedAddressFamily

from helpers.epolls import is_edge
from helpers.loops import on_reactors, ours_reactor
from helpers.scenarios import open_fds, outcome, run_turns
from helpers.streams import Handing, Traced, ending, received, run_until, until_lost

on_families = pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6, socket.AF_UNIX])


@contextlib.contextmanager
def listening(family):
    with tempfile.TemporaryDirectory() as directory, socket.socket(family) as sock:
        sock.bind(
            {
                socket.AF_INET: ("127.0.0.1", 0),
                socket.AF_INET6: ("::1", 0),
                socket.AF_UNIX: os.path.join(directory, "s"),
            }[family]
        )
        sock.listen()
        sock.setblocking(False)
        yield sock


def talk(reactor, trace, protocol, peer):
    peer.setblocking(False)
    peer.send(b"hello")
    trace.append(received(reactor, peer, 5))
    protocol.transport.loseConnection()
    until_lost(reactor, protocol)
    trace.append(ending(reactor, peer))


@on_reactors
@on_families
def test_a_port(run, family):
    def scenario(reactor, trace):
        protocol = Traced(trace, data=lambda self: self.transport.write(self.data))
        with listening(family) as listener, socket.socket(family) as peer:
            port = reactor.adoptStreamPort(listener.fileno(), family, Handing(protocol))
            trace.append(type(port.getHost()).__name__)
            peer.connect(listener.getsockname())
            run_until(reactor, lambda: protocol.transport)
            trace.append(type(protocol.transport.getPeer()).__name__)
            trace.append(repr(protocol.transport).startswith("<Traced #0 on"))
            talk(reactor, trace, protocol, peer)
            port.stopListening()
            run_turns(reactor)
            # The port's own descriptor was a copy.
            os.fstat(listener.fileno())

    done = ("lost", "ConnectionDone")
    assert run(scenario)[3:] == [True, b"hello", done, (b"", "closed")]


@on_reactors
@on_families
@pytest.mark.parametrize("written", ["by the peer", "as it is made"])
def test_a_connection(run, family, written):
    def scenario(reactor, trace):
        def made(protocol):
            if written == "as it is made":
                protocol.transport.write(b"welcome")

        protocol = Traced(trace, made=made, data=lambda self: self.transport.write(self.data))
        with listening(family) as listener, socket.socket(family) as peer:
            peer.connect(listener.getsockname())
            accepted, _ = listener.accept()
            accepted.setblocking(False)
            before = set(open_fds())
            with accepted:
                transport = reactor.adoptStreamConnection(
                    accepted.fileno(), family, Handing(protocol)
                )
            trace.append(transport is protocol.transport)
            trace.append(len(set(open_fds()) - before))
            for get in [transport.getHost, transport.getPeer]:
                trace.append(type(outcome(get)).__name__)
            peer.setblocking(False)
            if written == "as it is made":
                trace.append(received(reactor, peer, 7))
            talk(reactor, trace, protocol, peer)
            trace.append(transport.fileno())

    result = run(scenario)
    assert result[0] == "made"
    assert result[-4:] == [b"hello", ("lost", "ConnectionDone"), (b"", "closed"), -1]


@on_reactors
@on_families
def test_a_connection_that_the_factory_refuses(run, family):
    def scenario(reactor, trace):
        with listening(family) as listener, socket.socket(family) as peer:
            peer.connect(listener.getsockname())
            accepted, _ = listener.accept()
            with accepted:
                trace.append(reactor.adoptStreamConnection(accepted.fileno(), family, Handing()))
            peer.setblocking(False)
            trace.append(ending(reactor, peer))

    assert run(scenario) == [None, (b"", "closed")]


@on_reactors
@pytest.mark.parametrize("what", ["adoptStreamPort", "adoptStreamConnection"])
@pytest.mark.parametrize("number", [socket.AF_PACKET, 12345])
def test_families_that_nobody_knows(run, what, number):
    def scenario(reactor, trace):
        with socket.socket() as sock, pytest.raises(UnsupportedAddressFamily) as caught:
            getattr(reactor, what)(sock.fileno(), number, Handing())
        trace.append(str(caught.value))

    # As a number or by its name, as the version has it.
    assert run(scenario) == [str(number)]


@on_reactors
@on_families
@pytest.mark.parametrize("what", ["adoptStreamPort", "adoptStreamConnection"])
def test_descriptors_that_are_closed(run, family, what):
    def scenario(reactor, trace):
        with socket.socket() as sock:
            fd = sock.fileno()
        adopt = getattr(reactor, what)
        trace.append(outcome(adopt, fd, family, Handing()))

    assert run(scenario)[0][0] == "OSError"


@pytest.mark.skipif(not hasattr(select, "epoll"), reason="looks into epoll")
def test_a_connection_that_writes_much_at_once_is_reported_once_after_that():
    much = b"x" * 10_000_000

    def scenario(reactor, trace):
        protocol = Traced(trace, made=lambda self: self.transport.write(much))
        with listening(socket.AF_INET) as listener, socket.socket() as peer:
            peer.connect(listener.getsockname())
            accepted, _ = listener.accept()
            accepted.setblocking(False)
            with accepted:
                transport = reactor.adoptStreamConnection(
                    accepted.fileno(), socket.AF_INET, Handing(protocol)
                )
            peer.setblocking(False)
            trace.append(received(reactor, peer, len(much)) == much)
            run_turns(reactor)
            trace.append(is_edge(transport))
            transport.loseConnection()
            until_lost(reactor, protocol)

    assert ours_reactor(scenario) == ["made", True, True, ("lost", "ConnectionDone")]
