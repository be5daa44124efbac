"""Another socket, or another method, in the place of a transport's: it is used."""

import abc
import contextlib
import socket
from unittest import mock

import pytest

from helpers.loops import on_reactors
from helpers.scenarios import run_turns
from helpers.streams import (
    Handing,
    Traced,
    connected,
    on_some_ends,
    received,
    run_until,
    until_lost,
)


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


@on_reactors
@pytest.mark.parametrize("when", ["before", "while there is one"])
@pytest.mark.parametrize("name", ["doRead", "_dataReceived", "logPrefix", "doWrite"])
def test_a_method_that_is_patched_on_the_class(run, name, when):
    def scenario(reactor, trace):
        calls = []
        protocol = Traced(trace, data=lambda self: self.transport.write(self.data))

        def patched(cls):
            method = getattr(cls, name)

            def instead(self, *args):
                calls.append(name)
                return method(self, *args)

            return mock.patch.object(cls, name, instead)

        def exchange(peer):
            calls.clear()
            peer.send(b"hello")
            trace.append(received(reactor, peer, 5))
            if name == "doWrite":
                # What is sent without it is up to the reactor, unless it is somebody's own.
                protocol.transport.write(b"more")
                trace.append(received(reactor, peer, 4))
            trace.append(bool(calls))
            protocol.data = b""

        with contextlib.ExitStack() as stack:
            port = reactor.listenTCP(0, Handing(protocol), interface="127.0.0.1")
            cls = port.transport
            if when == "before":
                stack.enter_context(patched(cls))
            with socket.create_connection(("127.0.0.1", port.getHost().port)) as peer:
                peer.setblocking(False)
                run_until(reactor, lambda: protocol.transport is not None)
                if when != "before":
                    exchange(peer)
                    stack.enter_context(patched(cls))
                exchange(peer)
                stack.close()
                exchange(peer)
                protocol.transport.loseConnection()
                until_lost(reactor, protocol)
            port.stopListening()
            run_turns(reactor)

    called = [event for event in run(scenario) if event in (True, False)]
    assert called == ([True, False] if when == "before" else [False, True, False])


@on_reactors
@pytest.mark.parametrize("when", ["before", "while there is one"])
def test_a_buffer_size_that_is_patched_on_the_class(run, when):
    def scenario(reactor, trace):
        sizes = []
        protocol = Traced(trace)
        protocol.dataReceived = lambda data: sizes.append(len(data))

        def exchange(peer):
            sizes.clear()
            peer.send(b"a hundred " * 10)
            run_until(reactor, lambda: sum(sizes) == 100)
            trace.append((protocol.transport.bufferSize, max(sizes)))

        with contextlib.ExitStack() as stack:
            port = reactor.listenTCP(0, Handing(protocol), interface="127.0.0.1")
            patch = mock.patch.object(port.transport, "bufferSize", 10)
            if when == "before":
                stack.enter_context(patch)
            with socket.create_connection(("127.0.0.1", port.getHost().port)) as peer:
                run_until(reactor, lambda: protocol.transport is not None)
                if when != "before":
                    exchange(peer)
                    stack.enter_context(patch)
                exchange(peer)
                stack.close()
                exchange(peer)
                protocol.transport.loseConnection()
                until_lost(reactor, protocol)
            port.stopListening()
            run_turns(reactor)

    plain, patched = (65536, 100), (10, 10)
    sizes = [event for event in run(scenario) if event in (plain, patched)]
    assert sizes == ([] if when == "before" else [plain]) + [patched, plain]


@on_reactors
def test_a_class_of_its_own_may_be_abstract(run):
    def scenario(reactor, trace):
        port = reactor.listenTCP(0, Handing(), interface="127.0.0.1")

        class Counting(abc.ABC):
            @abc.abstractmethod
            def counted(self): ...

        class Derived(port.transport, Counting):
            def counted(self):
                return 1

        protocol = Traced(trace)
        port.factory, port.transport = Handing(protocol), Derived
        with socket.create_connection(("127.0.0.1", port.getHost().port)):
            run_until(reactor, lambda: protocol.transport is not None)
            transport = protocol.transport
            trace.append((isinstance(transport, Counting), transport.counted()))
            transport.loseConnection()
            until_lost(reactor, protocol)
        port.stopListening()
        run_turns(reactor)

    assert run(scenario) == ["made", (True, 1), ("lost", "ConnectionDone")]
