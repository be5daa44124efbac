"""What a transport says about itself: addresses, options, its socket, its name."""

import socket

import pytest
import twisted
from twisted.internet.interfaces import (
    IConsumer,
    IHalfCloseableDescriptor,
    ILoggingContext,
    IPushProducer,
    IReadWriteDescriptor,
    ISystemHandle,
    ITCPTransport,
    ITLSTransport,
    ITransport,
    IUNIXTransport,
)
from zope.interface import providedBy
from zope.interface.verify import verifyObject

from helpers.loops import on_reactors, ours_reactor
from helpers.scenarios import outcome, run_turns
from helpers.streams import (
    Traced,
    connected,
    fail,
    on_ends,
    on_some_ends,
    received,
    run_until,
    until_lost,
)


def kind(function, *args):
    """The result, or the name of the exception."""
    result = outcome(function, *args)
    return result[0] if isinstance(result, tuple) and len(result) == 2 else result


@on_reactors
@on_ends
def test_interfaces(run, end):
    interfaces = [
        IConsumer,
        IHalfCloseableDescriptor,
        ILoggingContext,
        IPushProducer,
        IReadWriteDescriptor,
        ISystemHandle,
        ITCPTransport,
        ITLSTransport,
        ITransport,
    ]

    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end):
            for interface in interfaces + [IUNIXTransport] * ("unix" in end):
                trace.append(verifyObject(interface, protocol.transport))
            trace.append(sorted(x.__name__ for x in providedBy(protocol.transport)))

    assert all(run(scenario)[1:-1])


@on_reactors
@on_ends
def test_addresses(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            host, there = protocol.transport.getHost(), protocol.transport.getPeer()
            trace.append((type(host).__name__, type(there).__name__))
            if "unix" not in end:
                mine, its = peer.getpeername(), peer.getsockname()
                trace.append((host.host, host.port) == mine[:2])
                trace.append((there.host, there.port) == its[:2])
                trace.append((host.type, there.type, host.host, there.host))
            peer.close()
            until_lost(reactor, protocol)
            trace.append(kind(protocol.transport.getHost))
            trace.append(kind(lambda: protocol.transport.getPeer() == there))

    result = run(scenario)
    assert False not in result
    if end != "unix client":
        assert result[-2] == "AttributeError"


@on_reactors
@on_ends
def test_options(run, end):
    def scenario(reactor, trace):
        def show(name, *args):
            trace.append((name, kind(getattr(protocol.transport, name), *args)))

        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            for what in ["NoDelay", "KeepAlive"]:
                show(f"getTcp{what}")
                for value in [True, False, 1, 0, 7]:
                    show(f"setTcp{what}", value)
                    show(f"getTcp{what}")
            peer.close()
            until_lost(reactor, protocol)
            for what in ["NoDelay", "KeepAlive"]:
                show(f"getTcp{what}")
                show(f"setTcp{what}", True)

    trace = run(scenario)
    # An older Twisted lets the system refuse what a UNIX socket hasn't.
    refused = end.startswith("unix") and twisted.version.major < 24
    assert trace[:2] == ["made", ("getTcpNoDelay", "OSError" if refused else False)]
    assert refused or trace[2] == ("setTcpNoDelay", None)
    assert refused or trace[3] == ("getTcpNoDelay", end.startswith("tcp"))
    assert ("getTcpKeepAlive", True) in trace


@on_reactors
@on_ends
def test_the_socket_may_be_asked_for_late(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            protocol.transport.write(b"before ")
            run_turns(reactor)
            sock = protocol.transport.socket
            trace.append(type(sock).__name__)
            trace.append(sock is protocol.transport.getHandle())
            trace.append(sock.fileno() == protocol.transport.fileno())
            trace.append((sock.gettimeout(), sock.family, sock.type, sock.get_inheritable()))
            trace.append(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            trace.append(protocol.transport.getTcpKeepAlive())
            protocol.transport.write(b"after")
            trace.append(received(reactor, peer, 12))
            peer.send(b"heard")
            run_until(reactor, lambda: protocol.data)
            trace.append(protocol.data)
            peer.close()
            until_lost(reactor, protocol)
            trace.append(sock.fileno())
            for name in ["socket", "protocol"]:
                trace.append(kind(getattr, protocol.transport, name))
            trace.append(kind(protocol.transport.getHandle))
            trace.append(protocol.transport.fileno())

    result = run(scenario)
    assert result[-4:] == ["AttributeError", "AttributeError", "AttributeError", -1]


@on_reactors
@on_some_ends
def test_a_default_time_out_is_no_business_of_the_socket(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end):
            socket.setdefaulttimeout(5)
            try:
                trace.append(protocol.transport.socket.gettimeout())
            finally:
                socket.setdefaulttimeout(None)

    assert run(scenario) == ["made", 0.0]


@on_some_ends
def test_a_socket_closed_behind_the_transport_s_back(end):
    # EPollReactor can't even be shut down then.
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end):
            transport = protocol.transport
            transport.socket.close()
            trace.append(transport.fileno())
            run_turns(reactor, 5)
            transport.write(b"into the void")
            run_turns(reactor, 5)
            transport.abortConnection()
            until_lost(reactor, protocol)
            trace.append(transport in reactor.getReaders() + reactor.getWriters())

    logged = ("logged", "ValueError", "file descriptor cannot be a negative integer (-1)")
    lost = ("lost", "ConnectionLost")  # by the write: there is nothing to abort any more
    assert ours_reactor(scenario) == ["made", -1, logged, lost, False]


@on_reactors
@on_some_ends
@pytest.mark.parametrize("size", [1, 7, 100_000, 10_000_000])
def test_a_read_is_no_larger_than_the_buffer_size(run, end, size):
    data = bytes(range(256)) * 2_000

    def scenario(reactor, trace):
        sizes = []

        class Sized(Traced):
            def dataReceived(self, data):
                sizes.append(len(data))
                super().dataReceived(data)

        protocol = Sized(trace)
        with connected(reactor, protocol, end) as peer:
            protocol.transport.bufferSize = size
            trace.append(protocol.transport.bufferSize)
            part = data[: min(len(data), size * 50)]
            sent = peer.send(part)
            run_until(reactor, lambda: len(protocol.data) == sent)
            trace.append(protocol.data == part[:sent])
            trace.append(max(sizes) <= size)

    assert run(scenario) == ["made", size, True, True]


@on_reactors
@on_some_ends
@pytest.mark.parametrize("size", [10, 1_000_000])
def test_a_producer_is_paused_above_the_buffer_size(run, end, size):
    def scenario(reactor, trace):
        class Producer:
            def pauseProducing(self):
                trace.append("pause")

            def resumeProducing(self):
                pass

            stopProducing = resumeProducing

        protocol = Traced(trace)
        with connected(reactor, protocol, end):
            protocol.transport.bufferSize = size
            protocol.transport.registerProducer(Producer(), True)
            protocol.transport.write(b"x" * size)
            trace.append("at the limit")
            protocol.transport.write(b"x")
            trace.append("over")

    assert run(scenario) == ["made", "at the limit", "pause", "over"]


@on_reactors
@on_some_ends
@pytest.mark.parametrize("when", ["before", "after"])
def test_the_name_outlives_the_connection(run, end, when):
    def scenario(reactor, trace):
        def named():
            name, about = transport.logPrefix(), repr(transport)
            if "unix" in end:
                return name.split("/")[0]
            for number in [transport.getPeer().port, port]:
                about = about.replace(str(number), "PORT")
            about = about.replace(type(transport).__module__, "MODULE")
            return name, about.split(" at ")[0]

        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            transport = protocol.transport
            port = transport.getHost().port if "unix" not in end else None
            if when == "before":
                trace.append(named())
            run_turns(reactor)
            peer.close()
            until_lost(reactor, protocol)
            trace.append(named())

    trace = run(scenario)
    done = trace.index(("lost", "ConnectionDone"))
    # The same as before, where it was asked for then.
    assert len(trace) == (4 if when == "before" else 3)
    assert trace[1:done] in ([], trace[done + 1 :])
    assert "Traced" in str(trace[-1])


@on_reactors
@on_some_ends
def test_what_else_is_known(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end):
            transport = protocol.transport
            names = ["TLS", "producer", "streamingProducer", "producerPaused"]
            names += ["sessionno", "hostname", "client"] * ("tcp server" in end)
            for name in names:
                trace.append((name, type(getattr(transport, name)).__name__))
            trace.append(transport.reactor is reactor)
            trace.append(kind(getattr, transport, "nonsense"))
            transport.mine = 3
            trace.append(transport.mine)

    assert run(scenario)[-3:] == [True, "AttributeError", 3]


@on_reactors
@on_some_ends
def test_the_protocol_may_be_another_one(run, end):
    def scenario(reactor, trace):
        second = Traced(trace, data=lambda self: trace.append(("second", self.data)))

        def switch(protocol):
            trace.append(("first", protocol.data))
            protocol.transport.protocol = second
            second.makeConnection(protocol.transport)

        first = Traced(trace, data=switch)
        with connected(reactor, first, end) as peer:
            peer.send(b"one")
            run_until(reactor, lambda: first.data)
            peer.send(b"two")
            run_until(reactor, lambda: second.data)
            peer.close()
            until_lost(reactor, second)
            trace.append(first.lost)

    switched = ["made", ("first", b"one"), "made", ("second", b"two")]
    assert run(scenario) == [*switched, ("lost", "ConnectionDone"), False]


@on_reactors
@on_some_ends
def test_the_protocol_may_be_taken_away(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            del protocol.transport.protocol
            trace.append(kind(getattr, protocol.transport, "protocol"))
            peer.send(b"hello")
            run_until(reactor, lambda: len(trace) > 2)
            trace[2:] = [trace[2][:2]]

    assert run(scenario) == ["made", "AttributeError", ("logged", "AttributeError")]


@on_reactors
@on_some_ends
@pytest.mark.parametrize("name", ["doRead", "doWrite"])
def test_methods_set_on_the_instance(run, end, name):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            transport = protocol.transport
            original = getattr(transport, name)

            def mine():
                trace.append(name)
                delattr(transport, name)
                return original()

            setattr(transport, name, mine)
            trace.append(getattr(transport, name) is mine)
            if name == "doRead":
                peer.send(b"hello")
                run_until(reactor, lambda: protocol.data)
            else:
                transport.startWriting()
                transport.write(b"hello")
                trace.append(received(reactor, peer, 5))
            setattr(transport, name, fail)
            peer.send(b"hello")
            transport.startWriting()
            until_lost(reactor, protocol)

    written = [b"hello"] if name == "doWrite" else []
    logged = ("logged", "ValueError", "mine")
    assert run(scenario) == ["made", True, name, *written, logged, ("lost", "ValueError")]
