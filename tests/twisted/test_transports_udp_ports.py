"""UDP ports themselves: what they say, how they end, who made them."""

import gc
import os
import socket
import weakref

import pytest
from twisted.internet.error import CannotListenError

from helpers.datagrams import (
    LOCAL,
    TracedDatagrams,
    listening,
    on_internets,
    stop,
    udp_socket,
    until_received,
)
from helpers.loops import on_reactors, ours_reactor
from helpers.scenarios import open_fds, outcome, run_turns
from helpers.streams import run_until
from tornado4 import _core
from tornado4.platform.twisted import _udp


@on_reactors
@on_internets
def test_what_a_port_says(run, family):
    def scenario(reactor, trace):
        protocol = TracedDatagrams(trace)
        with listening(reactor, protocol, family) as (port, _peer):
            host, number = port.getHandle().getsockname()[:2]
            address = port.getHost()
            trace.append((type(address).__name__, address.host == host, address.port == number))
            trace.append(repr(port).replace(str(number), "PORT").split(" on ")[1])
            trace.append((port.getHandle() is port.socket, port.fileno() == port.socket.fileno()))
            trace.append((port.logPrefix(), port.logstr, port.addressFamily.name))
            trace.append((port.connected, port.interface, port.port, port.maxPacketSize))
            trace.append((port._realPortNumber == number, port._connectedAddr))
            trace.append((port in reactor.getReaders(), port in reactor.getWriters()))
        trace.append((repr(port).split()[-2:], hasattr(port, "socket"), hasattr(port, "fileno")))
        trace.append((port.connected, port.maxThroughput, outcome(port.stopListening)))
        trace.append(port.doRead())
        for method in [port.getHost, port.getHandle]:
            trace.append(outcome(method)[0])

    name = {socket.AF_INET: "IPv4Address", socket.AF_INET6: "IPv6Address"}[family]
    assert run(scenario)[1] == (name, True, True)


@on_reactors
@pytest.mark.parametrize("kind", ["plain", "connected"])
@pytest.mark.parametrize("data", [b"late", bytearray(b"late"), "late"])
def test_writing_after_the_end(run, kind, data):
    def scenario(reactor, trace):
        protocol = TracedDatagrams([])
        with listening(reactor, protocol) as (port, peer):
            if kind == "connected":
                port.connect(*peer.getsockname())
        for addr in [("127.0.0.1", 9), ("localhost", 9), None]:
            trace.append(outcome(port.write, data, addr)[0])

    plain = ["AttributeError", "InvalidAddressError", "AssertionError"]
    connected = ["AssertionError", "AssertionError", "AttributeError"]
    assert run(scenario) == (plain if kind == "plain" else connected)


@on_reactors
@pytest.mark.parametrize("how", ["stopListening", "connectionLost"])
def test_ended_by_a_datagram(run, how):
    def end(protocol, datagram, _addr):
        if datagram != b"end":
            return
        port = protocol.transport
        if how in ["close", "detach"]:
            fd = port.fileno()
            number = getattr(port.socket, how)()
            if how == "detach":
                os.close(number)
                assert fd == number
        else:
            if how == "connectionLost":
                port.stopReading()
            getattr(port, how)()

    def scenario(reactor, trace):
        other = TracedDatagrams([])
        with listening(reactor, other) as (_, first):
            protocol = TracedDatagrams(trace, received=end)
            with listening(reactor, protocol) as (_port, peer):
                for data in [b"one", b"end", b"two"]:
                    peer.send(data)
                run_until(reactor, lambda: protocol.stopped)
            first.send(b"the others go on")
            until_received(reactor, other)

    trace = run(scenario)
    assert (trace[0], trace[-1]) == ("started", "stopped")
    assert [event[1] for event in trace[1:3]] == [b"one", b"end"]


@on_reactors
@pytest.mark.parametrize("data", [b"late", bytearray(b"late")])
def test_a_socket_closed_behind_its_back(run, data):
    def scenario(reactor, trace):
        protocol = TracedDatagrams(trace)
        with listening(reactor, protocol) as (port, _peer):
            port.stopReading()
            port.socket.close()
            trace.append(outcome(port.doRead))
            trace.append(outcome(port.write, data, ("127.0.0.1", 9)))

    bad = ("OSError", "[Errno 9] Bad file descriptor")
    assert run(scenario) == ["started", bad, bad, "stopped"]


@on_reactors
def test_ended_by_the_reactor(run):
    def scenario(reactor, trace):
        protocols = [TracedDatagrams(trace) for _ in range(3)]
        for protocol in protocols:
            reactor.listenUDP(0, protocol, interface="127.0.0.1")
        run_turns(reactor)
        reactor.disconnectAll()
        trace.append([protocol.stopped for protocol in protocols])

    assert run(scenario) == ["started"] * 3 + ["stopped"] * 3 + [[True] * 3]


@on_reactors
def test_listening_again(run):
    def scenario(reactor, trace):
        protocol = TracedDatagrams(trace)
        with listening(reactor, protocol) as (port, _peer):
            pass
        protocol.stopped = False
        del port.maxThroughput
        port.startListening()
        with udp_socket() as peer:
            peer.sendto(b"hello", ("127.0.0.1", port.getHost().port))
            until_received(reactor, protocol)
        stop(reactor, port, protocol)

    assert [event for event in run(scenario) if isinstance(event, str)] == [
        *["started", "stopped"] * 2
    ]


BAD = ["9", "", None, -1, 65536, 2**70, 1.5, float("nan"), b"9", [9], True]


@on_reactors
@pytest.mark.parametrize("number", BAD, ids=map(repr, BAD))
@pytest.mark.parametrize("method", ["listenUDP", "listenMulticast"])
def test_numbers_that_are_no_port(run, number, method):
    def scenario(reactor, trace):
        result = outcome(getattr(reactor, method), number, TracedDatagrams([]))
        trace.append(result if isinstance(result, tuple) else type(result).__name__)

    (found,) = run(scenario)
    if number is True:
        assert found in ("Port", "MulticastPort")
    else:
        assert found[0] == ("OverflowError" if type(number) is int else "TypeError")


@on_reactors
@pytest.mark.parametrize("interface", ["localhost", "127.0.0.1:9", "::1%nothing", 5, b"::1"])
def test_interfaces_that_are_none(run, interface):
    def scenario(reactor, trace):
        result = outcome(reactor.listenUDP, 0, TracedDatagrams([]), interface)
        trace.append(result[0] if isinstance(result, tuple) else type(result).__name__)

    errors = {"InvalidAddressError", "CannotListenError", "AttributeError"}
    assert run(scenario)[0] in ({"Port"} if interface == b"::1" else errors)


@on_reactors
@on_internets
def test_a_port_in_use(run, family):
    def scenario(reactor, trace):
        protocol = TracedDatagrams(trace)
        with listening(reactor, protocol, family) as (port, _peer):
            number = port.getHost().port
            with pytest.raises(CannotListenError) as caught:
                reactor.listenUDP(number, TracedDatagrams(trace), LOCAL[family])
            trace.append(caught.value.port == number)

    assert run(scenario) == ["started", True, "stopped"]


@on_reactors
@on_internets
def test_adopted(run, family):
    def scenario(reactor, trace):
        protocol = TracedDatagrams(trace)
        with udp_socket(family) as sock, udp_socket(family) as peer:
            port = reactor.adoptDatagramPort(sock.fileno(), family, protocol, maxPacketSize=3)
            peer.sendto(b"hello", sock.getsockname())
            until_received(reactor, protocol)
            trace.append(port.write(b"back", peer.getsockname()[:2]))
            stop(reactor, port, protocol)
            os.fstat(sock.fileno())  # the port's own was a copy
            for wrong in [socket.AF_UNIX, 77, None, "2"]:
                result = outcome(reactor.adoptDatagramPort, sock.fileno(), wrong, protocol)
                trace.append(result)
            trace.append(outcome(reactor.adoptDatagramPort, -1, family, protocol)[0])

    got = run(scenario)
    received = ("bytes", b"hel", "tuple", (LOCAL[family], "a port"))
    assert got[:4] == ["started", received, 4, "stopped"]
    assert [event[0] for event in got[4:8]] == ["UnsupportedAddressFamily"] * 4


GROUPS = {socket.AF_INET: "224.0.0.123", socket.AF_INET6: "ff01::123"}


@on_reactors
@on_internets
def test_multicast(run, family):
    # What the machine doesn't allow, it must refuse in the same way.
    def scenario(reactor, trace):
        protocol = TracedDatagrams([])
        local, group = LOCAL[family], GROUPS[family]
        port = reactor.listenMulticast(
            0, protocol, interface="" if family == socket.AF_INET else "::", listenMultiple=True
        )

        def done(what, deferred):
            if not hasattr(deferred, "addBoth"):
                return trace.append((what, deferred))
            results = []
            deferred.addBoth(results.append)
            run_until(reactor, lambda: results)
            failed = getattr(results[0], "type", None)
            trace.append((what, failed.__name__ if failed else results[0]))

        trace.append((type(port).__mro__[-3:], outcome(port.getLoopbackMode)))
        trace.append(outcome(port.getTTL))
        done("ttl", outcome(port.setTTL, 3))
        trace.append(outcome(port.getTTL))
        done(
            "interface",
            outcome(port.setOutgoingInterface, local if family == socket.AF_INET else 1),
        )
        trace.append(outcome(port.getOutgoingInterface))
        done("join", outcome(port.joinGroup, group, local if family == socket.AF_INET else 1))
        for loopback in [True, False]:
            trace.append(outcome(port.setLoopbackMode, loopback))
            trace.append(outcome(port.getLoopbackMode))
            result = outcome(port.write, b"hello", (group, port.getHost().port))
            trace.append(result)
            run_turns(reactor, 20)
            trace.append(protocol.count)
        done("leave", outcome(port.leaveGroup, group, local if family == socket.AF_INET else 1))
        done("leave", outcome(port.leaveGroup, group, local if family == socket.AF_INET else 1))
        done("join", outcome(port.joinGroup, "127.0.0.1"))
        port.stopListening()
        run_turns(reactor)

    trace = run(scenario)
    assert trace[1:4] == [1, ("ttl", None), 3]
    assert trace[-1] == ("join", "MulticastJoinError")


def test_a_multicast_port_is_native():
    def scenario(reactor, trace):
        port = reactor.listenMulticast(0, TracedDatagrams([]), interface="127.0.0.1")
        trace.append((type(port) is _udp.MulticastPort, isinstance(port, _core.DatagramTransport)))
        port.stopListening()
        run_turns(reactor)

    assert ours_reactor(scenario) == [(True, True)]


@on_internets
def test_a_thousand_ports_leave_nothing(family):
    def scenario(reactor, trace):
        def round_(count):
            protocols = [TracedDatagrams([]) for _ in range(count)]
            ports = []
            with udp_socket(family) as peer:
                for protocol in protocols:
                    port = reactor.listenUDP(0, protocol, LOCAL[family])
                    ports.append(port)
                    peer.sendto(b"hello", port.getHandle().getsockname()[:2])
                run_until(reactor, lambda: all(protocol.count for protocol in protocols))
            for port in ports:
                port.stopListening()
            run_until(reactor, lambda: all(protocol.stopped for protocol in protocols))
            return [weakref.ref(each) for each in [*ports, *protocols]]

        round_(1)
        run_turns(reactor)
        gc.collect()
        before = len(open_fds())
        for _ in range(10):
            refs = round_(100)
            run_turns(reactor)
            gc.collect()
            trace.append((len(open_fds()) - before, sum(ref() is not None for ref in refs)))

    assert ours_reactor(scenario) == [(0, 0)] * 10


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_port_that_is_dropped():
    def scenario(reactor, trace):
        port = _udp.Port(0, TracedDatagrams([]), "127.0.0.1", 8192, reactor)
        port._bindSocket()
        ref, number = weakref.ref(port), port.fileno()
        del port
        gc.collect()
        trace.append((ref(), number in open_fds()))

    assert ours_reactor(scenario) == [(None, False)]


def test_a_port_of_nothing():
    transport = _core.DatagramTransport()
    for use in [lambda: transport.socket, lambda: delattr(transport, "socket"), transport.doRead]:
        with pytest.raises(AttributeError):
            use()
    for write in [transport.write, transport.writeToPath]:
        with pytest.raises(AttributeError):
            write(b"data", "nowhere")
    with pytest.raises(AttributeError):
        transport.writeConnected(b"data")
