"""Transports of somebody's own, made of ours or of Twisted's, that do things their way."""

import pytest
from twisted.internet import tcp

from helpers.loops import on_reactors, ours_reactor
from helpers.scenarios import outcome, run_turns
from helpers.streams import Handing, Traced, connected, ending, received, run_until, until_lost
from tornado4.platform.twisted import TornadoReactor, _tcp

LARGE = bytes(range(256)) * 20_000


def served(reactor, protocol, mixin):
    """`connected` with a port whose transports have a mixin before them."""
    base = _tcp.Server if isinstance(reactor, TornadoReactor) else tcp.Server
    port_class = _tcp.Port if isinstance(reactor, TornadoReactor) else tcp.Port
    mine = type("Mine", (mixin, base), {})

    class Port(port_class):
        transport = mine

    class Listening:
        """The reactor, for `connected`."""

        def __getattr__(self, name):
            return getattr(reactor, name)

        def listenTCP(self, port, factory, interface):
            listening = Port(port, factory, 50, interface, reactor)
            listening.startListening()
            return listening

    return connected(Listening(), protocol)


def talk(reactor, trace, mixin, ends="peer"):
    """Hello there and back, then the end."""
    protocol = Traced(trace, data=lambda self: self.transport.write(self.data))
    with served(reactor, protocol, mixin) as peer:
        trace.append(type(protocol.transport).__name__)
        peer.send(b"hello")
        trace.append(received(reactor, peer, 5))
        if ends == "peer":
            peer.close()
        else:
            getattr(protocol.transport, ends)()
        until_lost(reactor, protocol)


def recording(trace, name):
    class Mixin:
        pass

    def method(self, *args):
        shown = [a for a in args if isinstance(a, bytes)]
        trace.append((name, *shown))
        return getattr(super(Mixin, self), name)(*args)

    setattr(Mixin, name, method)
    return Mixin


@on_reactors
@pytest.mark.parametrize(
    "name", ["doRead", "_dataReceived", "write", "connectionLost", "readConnectionLost"]
)
@pytest.mark.parametrize("ends", ["peer", "loseConnection", "abortConnection"])
def test_a_method_of_one_s_own_is_called(run, name, ends):
    def scenario(reactor, trace):
        talk(reactor, trace, recording(trace, name), ends)

    result = run(scenario)
    if name != "readConnectionLost" or ends == "peer":
        assert any(isinstance(event, tuple) and event[0] == name for event in result)


@on_reactors
@pytest.mark.parametrize("ends", ["peer", "loseConnection"])
def test_dowrite_of_one_s_own_is_called(run, ends):
    # How often is up to the transport, as is whether it takes doWrite at all.
    def scenario(reactor, trace):
        calls = []
        talk(reactor, trace, recording(calls, "doWrite"), ends)
        if ends == "loseConnection":
            trace.append(bool(calls))

    assert run(scenario)[:4] == ["made", "Mine", b"hello", ("lost", "ConnectionDone")]


@on_reactors
def test_dowrite_of_one_s_own_may_refuse(run):
    class Refusing:
        def doWrite(self):
            return tcp.main.CONNECTION_LOST

    def scenario(reactor, trace):
        protocol = Traced(trace)
        with served(reactor, protocol, Refusing) as peer:
            protocol.transport.write(LARGE)
            run_turns(reactor, 5)
            until_lost(reactor, protocol)
            peer.close()

    assert run(scenario) == ["made", ("lost", "ConnectionLost")]


@on_reactors
def test_doread_of_one_s_own_may_do_everything_itself(run):
    class Shouting:
        def doRead(self):
            data = self.socket.recv(100)
            return self._dataReceived(data.upper())

    def scenario(reactor, trace):
        talk(reactor, trace, Shouting)

    assert run(scenario) == ["made", "Mine", b"HELLO", ("lost", "ConnectionDone")]


@on_reactors
def test_data_may_be_changed_on_its_way(run):
    class Shouting:
        def _dataReceived(self, data):
            return super()._dataReceived(data.upper())

        def write(self, data):
            super().write(data[::-1])

    def scenario(reactor, trace):
        talk(reactor, trace, Shouting)

    assert run(scenario) == ["made", "Mine", b"OLLEH", ("lost", "ConnectionDone")]


@on_reactors
def test_data_that_isn_t_bytes_is_handed_over(run):
    class Mutable:
        def _dataReceived(self, data):
            return super()._dataReceived(bytearray(data))

    def scenario(reactor, trace):
        class Kinds(Traced):
            def dataReceived(self, data):
                trace.append(type(data).__name__)

        protocol = Kinds(trace)
        with served(reactor, protocol, Mutable) as peer:
            peer.send(b"hello")
            peer.close()
            until_lost(reactor, protocol)

    assert run(scenario) == ["made", "bytearray", ("lost", "ConnectionDone")]


@on_reactors
def test_a_buffer_size_of_the_class(run):
    class Small:
        bufferSize = 4

    def scenario(reactor, trace):
        class Sized(Traced):
            def dataReceived(self, data):
                trace.append(data)

        protocol = Sized(trace)
        with served(reactor, protocol, Small) as peer:
            peer.send(b"one two three")
            peer.close()
            until_lost(reactor, protocol)

    pieces = [b"one ", b"two ", b"thre", b"e"]
    assert run(scenario) == ["made", *pieces, ("lost", "ConnectionDone")]


@on_reactors
def test_a_log_prefix_of_one_s_own(run):
    from twisted.python import context, log

    class Named:
        def logPrefix(self):
            return "mine"

    def scenario(reactor, trace):
        def system(protocol):
            trace.append(context.get(log.ILogContext)["system"])

        protocol = Traced(trace, data=system, lost=system)
        with served(reactor, protocol, Named) as peer:
            peer.send(b"hello")
            run_until(reactor, lambda: protocol.data)
            peer.close()
            until_lost(reactor, protocol)

    assert run(scenario) == ["made", "mine", ("lost", "ConnectionDone"), "mine"]


@on_reactors
def test_a_constructor_of_one_s_own(run):
    def scenario(reactor, trace):
        class Constructed:
            def __init__(self, *args):
                trace.append(len(args))
                super().__init__(*args)
                self.ready = True

        protocol = Traced(trace)
        with served(reactor, protocol, Constructed) as peer:
            trace.append(protocol.transport.ready)
            protocol.transport.write(b"hello")
            protocol.transport.loseConnection()
            trace.append(ending(reactor, peer))
            until_lost(reactor, protocol)

    result = run(scenario)
    assert result[:3] == [6, "made", True]
    assert (b"hello", "closed") in result


def test_twisted_s_own_transport_works_on_our_port():
    def scenario(reactor, trace):
        protocol = Traced(trace, data=lambda self: self.transport.write(self.data))
        port = _tcp.Port(0, Handing(protocol), 50, "127.0.0.1", reactor)
        port.transport = tcp.Server
        port.startListening()
        client = Traced([], made=lambda self: self.transport.write(b"hello"))
        reactor.connectTCP("127.0.0.1", port.getHost().port, Handing(client))
        run_until(reactor, lambda: client.data)
        trace.append(type(protocol.transport) is tcp.Server)
        client.transport.loseConnection()
        until_lost(reactor, protocol)
        trace.append(outcome(protocol.transport.fileno))
        port.stopListening()

    assert ours_reactor(scenario) == ["made", True, ("lost", "ConnectionDone"), -1]


@on_reactors
@pytest.mark.parametrize("size", [5, 500_000])
def test_what_sends_may_be_one_s_own(run, size):
    calls = []

    class Sending:
        def writeSomeData(self, data):
            calls.append(len(data))
            return super().writeSomeData(data[:1000])

        def startWriting(self):
            calls.append("starts")
            super().startWriting()

    def scenario(reactor, trace):
        calls.clear()
        protocol = Traced(trace)
        with served(reactor, protocol, Sending) as peer:
            protocol.transport.write(b"x" * size)
            trace.append(received(reactor, peer, size) == b"x" * size)
            trace.append((calls[:2], sorted(set(calls[2:]) - {"starts"}, reverse=True)[-1:]))
            protocol.transport.loseConnection()
            until_lost(reactor, protocol)

    result = run(scenario)
    assert result[:2] == ["made", True]
    assert result[2][0] == ["starts", size]
