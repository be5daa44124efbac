"""Another socket, or another method, in the place of a transport's: it is used."""

from unittest import mock

import pytest

from helpers.loops import on_reactors
from helpers.streams import Traced, connected, on_some_ends, received, run_until, until_lost


class FakeSocket:
    """Stands in the place of a socket and writes down what happens to it."""

    def __init__(self, trace, sock):
        self._trace = trace
        self._sock = sock

    def __getattr__(self, name):
        method = getattr(self._sock, name)

        def call(*args):
            self._trace.append((name, *[bytes(arg) for arg in args if isinstance(arg, memoryview)]))
            return method(*args)

        return call


@on_reactors
@pytest.mark.parametrize("end", ["tcp server", "tcp client"])
@pytest.mark.parametrize("ends", ["with it", "without it"])
def test_another_socket_reads_and_writes(run, end, ends):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            transport = protocol.transport
            sock = transport.socket
            fake = FakeSocket(trace, sock)
            peer.setblocking(False)
            with mock.patch.object(transport, "socket", fake):
                trace.append((transport.getHandle() is fake, transport.fileno() == sock.fileno()))
                peer.send(b"hello")
                run_until(reactor, lambda: protocol.data)
                transport.write(b"back")
                trace.append(received(reactor, peer, 4))
                trace.append(transport.getTcpNoDelay())
                transport.getHost()
                if ends == "with it":
                    transport.loseConnection()
                    until_lost(reactor, protocol)
            if ends != "with it":
                peer.send(b"hello")
                run_until(reactor, lambda: len(protocol.data) == 10)
                transport.loseConnection()
                until_lost(reactor, protocol)

    result = run(scenario)
    assert ("recv",) in result
    assert ("send", b"back") in result


@on_reactors
@on_some_ends
@pytest.mark.parametrize("name", ["startWriting", "stopReading", "_dataReceived", "fileno"])
@pytest.mark.parametrize("way", ["setattr", "object", "vars"])
def test_a_method_that_is_set_is_called_until_it_is_deleted(run, end, name, way):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            transport = protocol.transport
            original = getattr(transport, name)
            called = []

            def mine(*args):
                called.append(name)
                return original(*args)

            if way == "setattr":
                setattr(transport, name, mine)
            elif way == "object":
                object.__setattr__(transport, name, mine)
            else:
                vars(transport)[name] = mine
            peer.send(b"hello")
            run_until(reactor, lambda: protocol.data)
            transport.write(b"back")
            trace.append(received(reactor, peer, 4))
            transport.pauseProducing()
            transport.resumeProducing()
            trace.append(bool(called))
            if name == "fileno":
                transport.fileno = transport.socket.fileno
            else:
                delattr(transport, name)
            called.clear()
            peer.setblocking(False)
            peer.send(b"hello")
            run_until(reactor, lambda: len(protocol.data) == 10)
            transport.loseConnection()
            until_lost(reactor, protocol)
            trace.append(called)

    done = ("lost", "ConnectionDone")
    assert run(scenario) == ["made", b"back", True, done, []]
