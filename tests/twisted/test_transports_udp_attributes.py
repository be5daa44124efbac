"""Attributes of UDP ports that change while datagrams come, and addresses given again."""

import socket

import pytest

from helpers.datagrams import LOCAL, TracedDatagrams, listening, on_internets, taken, udp_socket
from helpers.loops import on_reactors, ours_reactor
from helpers.scenarios import outcome
from helpers.streams import run_until
from tornado4.platform.twisted import _udp


@on_reactors
@pytest.mark.parametrize("how", ["less", "more", "deleted"])
def test_throughput_changed_while_reading(run, how):
    def change(protocol, datagram, addr):
        port = protocol.transport
        if how == "less":
            port.maxThroughput = 1
        elif how == "more":
            port.maxThroughput = 15
        else:
            vars(port).pop("maxThroughput", None)
            port.readers = ["something else that is set"]

    def scenario(reactor, trace):
        protocol = TracedDatagrams([], received=change)
        with listening(reactor, protocol) as (port, peer):
            port.maxThroughput = 10
            for _ in range(6):
                peer.send(b"hello")
            port.doRead()
            trace.append(protocol.count)

    assert run(scenario) == [{"less": 1, "more": 3, "deleted": 6}[how]]


@on_reactors
@pytest.mark.parametrize("name", ["maxPacketSize", "maxThroughput"])
def test_an_attribute_that_is_missing_for_a_while(run, name):
    def scenario(reactor, trace):
        protocol = TracedDatagrams(trace)
        with listening(reactor, protocol) as (port, peer):
            peer.send(b"hello")
            port.doRead()
            value = getattr(port, name)
            setattr(port, name, 3)
            peer.send(b"hello")
            port.doRead()
            delattr(port, name)
            peer.send(b"hello")
            trace.append(outcome(port.doRead))
            setattr(port, name, value)
            port.doRead()
            trace.append(protocol.count)

    trace = run(scenario)
    assert trace[-2:] == [3, "stopped"]
    assert len([event for event in trace if "hello" in str(event)]) >= 2


@on_reactors
@on_internets
def test_connected_while_reading(run, family):
    def connect(protocol, datagram, addr):
        port = protocol.transport
        if protocol.count == 1:
            port.connect(*addr)
        protocol.trace.append(outcome(lambda: port.write(b"no address")))
        protocol.trace.append(outcome(lambda: port.write(b"same address", addr)))

    def scenario(reactor, trace):
        protocol = TracedDatagrams(trace, received=connect)
        with listening(reactor, protocol, family) as (_port, peer):
            peer.send(b"one")
            peer.send(b"two")
            run_until(reactor, lambda: protocol.count == 2)
            for _ in range(3):
                trace.extend(taken(reactor, peer))

    trace = run(scenario)
    assert [event[1] for event in trace if isinstance(event, tuple)] == [b"one", b"two"]
    assert trace[-4:] == [b"no address", b"same address", b"no address", "stopped"]


@on_reactors
@on_internets
def test_senders_are_told_apart(run, family):
    """Each is answered by the tuple that came, by an equal one and by another type."""

    def scenario(reactor, trace):
        addresses = {}
        protocol = TracedDatagrams(
            [], received=lambda _, datagram, addr: addresses.setdefault(datagram, addr)
        )
        with listening(reactor, protocol, family) as (port, first), udp_socket(family) as second:
            second.connect((LOCAL[family], port.getHost().port))
            for peer, data in [(first, b"first"), (second, b"second")] * 2:
                peer.send(data)
                run_until(reactor, lambda data=data: data in addresses)
            for name in [b"second", b"first", b"second"]:
                addr = addresses[name]
                for given in [addr, (*addr,), (addr[0], addr[1]), list(addr), (*addr, 0)]:
                    trace.append(outcome(lambda given=given, name=name: port.write(name, given)))
            for peer in [first, second]:
                trace.append({data for _ in range(3) for data in taken(reactor, peer)})

    got = run(scenario)
    assert got[-2:] == [{b"first"}, {b"second"}]


def test_a_property_is_asked_each_time():
    sizes = iter([1, 2, 3, 4])

    class Port(_udp.Port):
        @property
        def maxPacketSize(self):
            return next(sizes)

        @maxPacketSize.setter
        def maxPacketSize(self, size):
            pass

    def scenario(reactor, trace):
        protocol = TracedDatagrams([], received=lambda _, datagram, addr: trace.append(datagram))
        port = Port(0, protocol, "127.0.0.1", 8192, reactor)
        port.startListening()
        port.maxThroughput = 1
        with udp_socket(socket.AF_INET) as peer:
            peer.connect(("127.0.0.1", port.getHost().port))
            for _ in range(4):
                peer.send(b"hello")
                port.doRead()
        port.stopListening()
        run_until(reactor, lambda: protocol.stopped)

    assert ours_reactor(scenario) == [b"h", b"he", b"hel", b"hell"]
