"""UDP ports: what is received, from whom, and when."""

import socket

import pytest
from twisted.internet import udp

from helpers.datagrams import LOCAL, TracedDatagrams, listening, on_internets, taken, until_received
from helpers.loops import on_reactors, ours_reactor
from helpers.scenarios import outcome, run_turns
from helpers.streams import fail, run_until
from tornado4 import _core
from tornado4.platform.twisted import _udp


def shown(family, data, name="peer"):
    return ("bytes", data, "tuple", (LOCAL[family], name))


@on_internets
def test_the_classes(family):
    def scenario(reactor, trace):
        protocol = TracedDatagrams(trace)
        with listening(reactor, protocol, family) as (port, _):
            trace.append(type(port) is _udp.Port)
            for base in [udp.Port, _core.DatagramTransport]:
                trace.append(isinstance(port, base))

    assert ours_reactor(scenario) == ["started", True, True, True, "stopped"]


@on_internets
def test_python_s_sockets_neither_read_nor_write(family, monkeypatch):
    def scenario(reactor, trace):
        protocol = TracedDatagrams([], received=lambda self, *got: self.transport.write(*got))
        with listening(reactor, protocol, family) as (port, peer):
            peer.send(b"hello")

            class Refusing:
                """A socket that can say its number, and nothing else."""

                def __init__(self, sock):
                    self.fileno, self.close = sock.fileno, sock.close

            port.socket = Refusing(port.socket)
            trace.extend(taken(reactor, peer))

    assert ours_reactor(scenario) == [b"hello"]


@on_reactors
@on_internets
def test_there_and_back(run, family):
    def scenario(reactor, trace):
        protocol = TracedDatagrams(trace, received=lambda self, *got: self.transport.write(*got))
        with listening(reactor, protocol, family) as (_port, peer):
            for data in [b"one", b"two", b"", b"three"]:
                peer.send(data)
                trace.extend(taken(reactor, peer))

    expected = ["started"]
    for data in [b"one", b"two", b"", b"three"]:
        expected += [shown(family, data), data]
    assert run(scenario) == [*expected, "stopped"]


@on_reactors
@on_internets
def test_many_at_once_from_many(run, family):
    def scenario(reactor, trace):
        protocol = TracedDatagrams(trace)
        with listening(reactor, protocol, family) as (port, _peer):
            host, others = LOCAL[family], []
            for number in range(5):
                other = socket.socket(family, socket.SOCK_DGRAM)
                other.bind((host, 0))
                protocol.known[other.getsockname()[1]] = f"peer {number}"
                others.append(other)
            for number in range(100):
                other = others[number % 5]
                other.sendto(b"%d" % number, (host, port.getHost().port))
            until_received(reactor, protocol, 100)
            for other in others:
                other.close()

    datagrams = [shown(family, b"%d" % n, f"peer {n % 5}") for n in range(100)]
    assert run(scenario) == ["started", *datagrams, "stopped"]


@on_reactors
@pytest.mark.parametrize("size", [0, 1, 4, 5, 6, 8192, 70_000, 300_000])
def test_cut_to_the_packet_size(run, size):
    def scenario(reactor, trace):
        protocol = TracedDatagrams(trace)
        with listening(reactor, protocol, maxPacketSize=size) as (_port, peer):
            for data in [b"hello", b"", b"a", b"x" * 60_000]:
                peer.send(data)
            until_received(reactor, protocol, 4)

    expected = [data[:size] for data in [b"hello", b"", b"a", b"x" * 60_000]]
    got = run(scenario)
    assert got == ["started", *(shown(socket.AF_INET, data) for data in expected), "stopped"]


@on_reactors
@pytest.mark.parametrize("size", [-1, 2.5, "8192", None, 2**62, 2**64, float("nan"), True])
def test_packet_sizes_that_make_no_sense(run, size):
    def scenario(reactor, trace):
        protocol = TracedDatagrams(trace)
        with listening(reactor, protocol, maxPacketSize=size) as (_port, peer):
            peer.send(b"hello")
            run_until(reactor, lambda: protocol.stopped or protocol.count)

    trace = run(scenario)
    assert (trace[0], trace[-1], len(trace)) == ("started", "stopped", 3)
    # True is 1.
    assert trace[1][0] == ("bytes" if size is True else "logged")


@on_reactors
@pytest.mark.parametrize("size", [2, 3, 100])
def test_a_packet_size_changed_on_the_way(run, size):
    def change(protocol, *_):
        protocol.transport.maxPacketSize = size

    def scenario(reactor, trace):
        protocol = TracedDatagrams(trace, received=change)
        with listening(reactor, protocol) as (_port, peer):
            for _ in range(3):
                peer.send(b"hello")
            until_received(reactor, protocol, 3)

    got = run(scenario)
    assert [event[1] for event in got[1:-1]] == [b"hello", *[b"hello"[:size]] * 2]


@on_reactors
@pytest.mark.parametrize("limit", [-1, 0, 1, 5, 6, 11, 2.5, 10.0, True, 2**70, float("inf")])
def test_throughput_of_one_turn(run, limit):
    def scenario(reactor, trace):
        protocol = TracedDatagrams(trace)
        with listening(reactor, protocol) as (port, peer):
            port.maxThroughput = limit
            for _ in range(6):
                peer.send(b"hello")
            port.doRead()
            trace.append(protocol.count)
            port.maxThroughput = 1000
            until_received(reactor, protocol, 6)

    counts = {-1: 0, 0: 0, 1: 1, 5: 1, 6: 2, 11: 3, 2.5: 1, 10.0: 2}
    got = run(scenario)
    assert [event for event in got if isinstance(event, int)] == [
        counts.get(limit, 6 if limit != 1 else 1)
    ]


@on_reactors
@pytest.mark.parametrize("limit", ["1", None])
def test_throughput_that_makes_no_sense(run, limit):
    def scenario(reactor, trace):
        protocol = TracedDatagrams(trace)
        with listening(reactor, protocol) as (port, peer):
            port.maxThroughput = limit
            peer.send(b"hello")
            trace.append(outcome(port.doRead)[0])

    assert run(scenario) == ["started", "TypeError", "stopped"]


@on_reactors
@on_internets
def test_a_protocol_that_raises(run, family):
    def raises(protocol, datagram, addr):
        if datagram == b"mine":
            fail()
        if datagram == b"exit":
            raise SystemExit("exit")
        if datagram == b"key":
            raise KeyboardInterrupt("key")
        if datagram == b"again":
            raise BlockingIOError(11, "again")

    def scenario(reactor, trace):
        protocol = TracedDatagrams(trace, received=raises)
        with listening(reactor, protocol, family) as (_port, peer):
            for data in [b"mine", b"exit", b"fine", b"key", b"again", b"fine"]:
                peer.send(data)
            until_received(reactor, protocol, 6)

    logged = [event for event in run(scenario) if event[0] == "logged"]
    assert [event[1] for event in logged] == [
        "ValueError",
        "SystemExit",
        "KeyboardInterrupt",
        "BlockingIOError",
    ]


@on_reactors
def test_what_an_exception_is_logged_with(run):
    from twisted.python import log

    def scenario(reactor, trace):
        events = []

        def observe(event):
            if event["isError"]:
                names = [frame[0] for frame in event["failure"].frames]
                events.append((event["system"], event["why"], names[-1]))

        protocol = TracedDatagrams([], received=fail)
        with listening(reactor, protocol) as (_port, peer):
            log.addObserver(observe)
            try:
                peer.send(b"hello")
                until_received(reactor, protocol)
            finally:
                log.removeObserver(observe)
        trace.extend(events)

    assert run(scenario)[1:] == [("TracedDatagrams (UDP)", None, "fail")]


@on_reactors
def test_the_system_is_the_port_s_name(run):
    from twisted.python import context, log

    def scenario(reactor, trace):
        def note(*_):
            trace.append(context.get(log.ILogContext).get("system"))

        protocol = TracedDatagrams([], received=note, stopped=note)
        with listening(reactor, protocol) as (port, peer):
            trace.append(port.logPrefix())
            peer.send(b"hello")
            until_received(reactor, protocol)
            port.logstr = "another"
            peer.send(b"hello")
            until_received(reactor, protocol, 2)

    name = "TracedDatagrams (UDP)"
    assert run(scenario) == [name, name, "another", "-"]


@on_reactors
@pytest.mark.parametrize("method", [None, 5])
def test_a_protocol_that_cannot_receive(run, method):
    def scenario(reactor, trace):
        protocol = TracedDatagrams(trace)
        with listening(reactor, protocol) as (_port, peer):
            protocol.datagramReceived = method
            peer.send(b"hello")
            run_until(reactor, lambda: len(trace) > 1)

    assert [event[:2] for event in run(scenario)[1:-1]] == [("logged", "TypeError")]


@on_reactors
def test_another_protocol_on_the_way(run):
    def scenario(reactor, trace):
        second = TracedDatagrams(trace)

        def replace(protocol, *_):
            protocol.transport.protocol = second

        first = TracedDatagrams(trace, received=replace)
        with listening(reactor, first) as (port, peer):
            second.known = first.known
            peer.send(b"one")
            peer.send(b"two")
            until_received(reactor, second)
            trace.append((first.count, second.count))
            port.protocol = first

    assert (1, 1) in run(scenario)


@on_reactors
def test_a_port_without_a_protocol(run):
    def scenario(reactor, trace):
        protocol = TracedDatagrams(trace)
        with listening(reactor, protocol) as (port, peer):
            del port.protocol
            peer.send(b"hello")
            run_until(reactor, lambda: len(trace) > 1)
            port.protocol = protocol

    assert [event[1] for event in run(scenario)[1:-1]] == ["AttributeError"]


@on_reactors
def test_paused_and_resumed(run):
    def scenario(reactor, trace):
        protocol = TracedDatagrams(trace, received=lambda self, *_: self.transport.stopReading())
        with listening(reactor, protocol) as (port, peer):
            port.maxThroughput = 1
            for _ in range(3):
                peer.send(b"hello")
            for _ in range(3):
                run_turns(reactor, 5)
                trace.append((protocol.count, port in reactor.getReaders()))
                port.startReading()

    got = [event for event in run(scenario) if event[0] in (1, 2, 3)]
    assert got == [(1, False), (2, False), (3, False)]


@on_reactors
def test_a_multicast_port_receives_too(run):
    def scenario(reactor, trace):
        protocol = TracedDatagrams(trace)
        port = reactor.listenMulticast(0, protocol, interface="127.0.0.1")
        with socket.socket(type=socket.SOCK_DGRAM) as peer:
            peer.sendto(b"hello", ("127.0.0.1", port.getHost().port))
            until_received(reactor, protocol)
        port.stopListening()
        run_turns(reactor)

    assert run(scenario) == ["started", shown(socket.AF_INET, b"hello", "a port"), "stopped"]
