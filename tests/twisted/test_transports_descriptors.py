"""Descriptors sent along with data by UNIX connections."""

import array
import contextlib
import os
import socket

import pytest
from twisted.internet.interfaces import IFileDescriptorReceiver
from zope.interface import implementer

from helpers.loops import on_reactors
from helpers.scenarios import open_fds, outcome, run_turns
from helpers.streams import (
    Handing,
    Traced,
    connected,
    ending,
    fail,
    received,
    run_until,
    until_lost,
)

on_unix_ends = pytest.mark.parametrize("end", ["unix server", "unix client"])


@implementer(IFileDescriptorReceiver)
class Receiving(Traced):
    def __init__(self, trace, **hooks):
        super().__init__(trace, **hooks)
        self.received = []

    def fileDescriptorReceived(self, descriptor):
        self.received.append(descriptor)
        self._happened("descriptor", descriptor)


@contextlib.contextmanager
def files(count):
    """Descriptors of pipes to be read from, each with a byte of its own."""
    with contextlib.ExitStack() as stack:
        readers = []
        for number in range(count):
            r, w = os.pipe()
            stack.callback(os.close, r)
            os.write(w, bytes([number % 256]))
            os.close(w)
            readers.append(r)
        yield readers


def contents(descriptors):
    found = []
    for fd in descriptors:
        found.append(os.read(fd, 1)[0])
        os.close(fd)
    return found


def take(reactor, peer, count, data_len):
    """What a plain socket receives: data, and the descriptors' contents."""
    data, found = bytearray(), []

    def enough():
        with contextlib.suppress(BlockingIOError):
            while len(data) < data_len or len(found) < count:
                size = socket.CMSG_SPACE(4 * 64)
                piece, ancillary, _, _ = peer.recvmsg(65536, size)
                data.extend(piece)
                for _, _, packed in ancillary:
                    fds = array.array("i")
                    fds.frombytes(packed)
                    found.extend(fds)
        return len(data) >= data_len and len(found) >= count

    run_until(reactor, enough)
    return bytes(data), contents(found)


@on_reactors
@on_unix_ends
@pytest.mark.parametrize("count", [1, 2, 10, 100])
@pytest.mark.parametrize("before", [b"", b"before " * 40])
def test_sending(run, end, count, before):
    after = b"after " * 40

    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer, files(count) as readers:

            def send():
                protocol.transport.write(before)
                for reader in readers:
                    protocol.transport.sendFileDescriptor(reader)
                protocol.transport.write(after)

            reactor.callLater(0, send)
            data, found = take(reactor, peer, count, len(before) + len(after))
            trace.append((data == before + after, found))

    assert run(scenario) == ["made", (True, list(range(count)))]


@on_reactors
@on_unix_ends
def test_sending_between_much_data(run, end):
    much = bytes(range(256)) * 4000

    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer, files(3) as readers:
            transport = protocol.transport

            def send():
                for reader in readers:
                    transport.write(much)
                    transport.sendFileDescriptor(reader)
                transport.write(much)
                transport.loseConnection()

            reactor.callLater(0, send)
            data, found = take(reactor, peer, 3, 4 * len(much))
            until_lost(reactor, protocol)
            trace.append((data == much * 4, found))

    assert run(scenario) == ["made", ("lost", "ConnectionDone"), (True, [0, 1, 2])]


@on_reactors
@on_unix_ends
def test_sending_more_descriptors_than_bytes(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end), files(3) as readers:
            protocol.transport.write(b"2")
            for reader in readers:
                protocol.transport.sendFileDescriptor(reader)
            until_lost(reactor, protocol)

    assert run(scenario) == ["made", ("lost", "FileDescriptorOverrun")]


@on_reactors
@on_unix_ends
def test_sending_what_is_closed(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end):
            with files(1) as readers:
                closed = readers[0]
            protocol.transport.write(b"data")
            protocol.transport.sendFileDescriptor(closed)
            until_lost(reactor, protocol)

    assert run(scenario) == ["made", ("lost", "ConnectionLost")]


@on_reactors
@on_unix_ends
def test_sending_after_the_end(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer, files(1) as readers:
            peer.close()
            until_lost(reactor, protocol)
            trace.append(outcome(protocol.transport.sendFileDescriptor, readers[0])[0])

    assert run(scenario) == ["made", ("lost", "ConnectionDone"), "ValueError"]


@on_reactors
@on_unix_ends
@pytest.mark.parametrize("when", ["abort", "lose"])
def test_sending_and_ending(run, end, when):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer, files(1) as readers:
            protocol.transport.write(b"data")
            protocol.transport.sendFileDescriptor(readers[0])
            if when == "abort":
                protocol.transport.abortConnection()
                data = ending(reactor, peer)
            else:
                protocol.transport.loseConnection()
                data = take(reactor, peer, 1, 4)
            until_lost(reactor, protocol)
            trace.append(data)

    expected = {
        "abort": [("lost", "ConnectionAborted"), (b"", "closed")],
        "lose": [("lost", "ConnectionDone"), (b"data", [0])],
    }
    assert run(scenario) == ["made", *expected[when]]


@on_reactors
@on_unix_ends
def test_writing_goes_on_after_descriptors(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer, files(2) as readers:
            for reader in readers:
                protocol.transport.sendFileDescriptor(reader)
                protocol.transport.write(b"data")
                trace.append(take(reactor, peer, 1, 4))
                protocol.transport.write(b"more")
                trace.append(received(reactor, peer, 4))

    more = b"more"
    assert run(scenario) == ["made", (b"data", [0]), more, (b"data", [1]), more]


def send_to(peer, data, readers):
    packed = array.array("i", readers)
    peer.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, packed)])


@on_reactors
@on_unix_ends
@pytest.mark.parametrize("count", [1, 2, 16])
def test_receiving(run, end, count):
    def scenario(reactor, trace):
        protocol = Receiving(trace)
        with connected(reactor, protocol, end) as peer, files(count) as readers:
            peer.send(b"before ")
            send_to(peer, b"data", readers)
            peer.send(b" after")
            run_until(reactor, lambda: len(protocol.data) == 17)
            trace.append((protocol.data, contents(protocol.received)))

    assert run(scenario) == ["made", (b"before data after", list(range(count)))]


@on_reactors
@on_unix_ends
def test_receiving_without_wanting_closes_them(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer, files(3) as readers:
            run_turns(reactor)
            before = len(open_fds())
            send_to(peer, b"data", readers)
            run_until(reactor, lambda: protocol.data)
            trace.append((protocol.data, len(open_fds()) - before))

    assert run(scenario) == ["made", (b"data", 0)]


@on_reactors
@on_unix_ends
def test_a_receiver_that_raises(run, end):
    def scenario(reactor, trace):
        protocol = Receiving(trace, descriptor=fail)
        with connected(reactor, protocol, end) as peer, files(1) as readers:
            send_to(peer, b"data", readers)
            until_lost(reactor, protocol)
            trace.append((protocol.data, contents(protocol.received)))

    logged = ("logged", "ValueError", "mine")
    assert run(scenario) == ["made", logged, ("lost", "ValueError"), (b"", [0])]


@on_reactors
def test_both_ways_between_two_transports(run, tmp_path):
    def scenario(reactor, trace):
        path = str(tmp_path / f"s{len(os.listdir(tmp_path))}")
        server, client = Receiving([]), Receiving([])
        port = reactor.listenUNIX(path, Handing(server))
        reactor.connectUNIX(path, Handing(client))
        run_until(reactor, lambda: server.transport and client.transport)
        with files(4) as readers:
            for sender, mine in [(server, readers[:2]), (client, readers[2:])]:
                for reader in mine:
                    sender.transport.sendFileDescriptor(reader)
                sender.transport.write(b"data")
            run_until(reactor, lambda: len(server.data) == len(client.data) == 4)
        trace.append((contents(server.received), contents(client.received)))
        port.stopListening()
        client.transport.loseConnection()
        until_lost(reactor, server, client)
        run_turns(reactor)

    assert run(scenario) == [([2, 3], [0, 1])]


@on_reactors
@on_unix_ends
def test_a_full_queue_of_descriptors_pauses_the_producer(run, end):
    class Producer:
        def __init__(self, trace):
            self.trace = trace

        def pauseProducing(self):
            self.trace.append("pause")

        def resumeProducing(self):
            self.trace.append("resume")

        def stopProducing(self):
            pass

    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as _, files(1) as readers:
            protocol.transport.registerProducer(Producer(trace), True)
            protocol.transport.write(b"x" * 100)
            for _ in range(66):
                protocol.transport.sendFileDescriptor(readers[0])
            run_until(reactor, lambda: "resume" in trace)
            protocol.transport.unregisterProducer()

    result = run(scenario)
    assert result == ["made", "pause", "pause", "resume"]
