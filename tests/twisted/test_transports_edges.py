"""Data that a read leaves in the kernel: nobody sends anything after it, and it comes."""

import contextlib
import socket

import pytest

from helpers.loops import on_reactors, ours_reactor
from helpers.native import READ_SIZE, READS, SEGMENT, around
from helpers.scenarios import run_turns
from helpers.streams import (
    PATTERN,
    Traced,
    connected,
    feed,
    received,
    run_until,
    sized,
    until_lost,
    warm,
)

DONE = ("lost", "ConnectionDone")

on_tcp = pytest.mark.parametrize("end", ["tcp server", "tcp client"])


@on_reactors
@on_tcp
@pytest.mark.parametrize("size", [1, 10, 100, 64_000, 65_536, 250_000, 10_000_000])
@pytest.mark.parametrize("closes", [False, True])
def test_a_buffer_of_any_size(run, end, size, closes):
    data = PATTERN[: min(size * 30, 3_000_000) + 7]

    def scenario(reactor, trace):
        protocol = Traced(trace, made=sized(size))
        with connected(reactor, protocol, end) as peer:
            peer.send(data[:1])
            run_until(reactor, lambda: protocol.data)
            feed(reactor, peer, data[1:], peer.close if closes else None)
            if closes:
                until_lost(reactor, protocol)
            run_until(reactor, lambda: len(protocol.data) >= len(data))
            trace.append(protocol.data == data)

    assert run(scenario) == ["made", *([DONE] if closes else []), True]


@on_reactors
@on_tcp
@pytest.mark.parametrize("size", [1, 4, 10])
def test_a_small_buffer_is_kept_to(run, end, size):
    def scenario(reactor, trace):
        pieces = []

        class Sized(Traced):
            def dataReceived(self, data):
                super().dataReceived(data)
                pieces.append(data)

        protocol = Sized(trace, made=sized(size))
        with connected(reactor, protocol, end) as peer:
            peer.send(PATTERN[:41])
            run_until(reactor, lambda: len(protocol.data) == 41)
            trace.append(pieces)

    pieces = [PATTERN[start : min(start + size, 41)] for start in range(0, 41, size)]
    assert run(scenario) == ["made", pieces]


@on_reactors
@on_tcp
@pytest.mark.parametrize(
    "sizes", [[4, 65_536, 1], [1, 300_000, 2], [5, READ_SIZE], [3, READ_SIZE + 1]]
)
def test_a_buffer_whose_size_changes_within_the_data(run, end, sizes):
    def scenario(reactor, trace):
        left = list(sizes)

        def next_size(protocol):
            if left:
                protocol.transport.bufferSize = left.pop(0)

        protocol = Traced(trace, made=next_size, data=next_size)
        with connected(reactor, protocol, end) as peer:
            peer.send(PATTERN[:5000])
            peer.shutdown(socket.SHUT_WR)
            until_lost(reactor, protocol)
            trace.append(protocol.data == PATTERN[:5000])

    assert run(scenario) == ["made", DONE, True]


@on_reactors
@on_tcp
@pytest.mark.parametrize("size", [READ_SIZE, *around(READS * READ_SIZE), 10 * READ_SIZE])
def test_as_much_as_is_read_for_one_event_and_more(run, end, size):
    # It is in the kernel as a whole before the first read.
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            warm(reactor, protocol, peer, PATTERN)
            protocol.transport.pauseProducing()
            feed(reactor, peer, PATTERN[:size])
            run_turns(reactor, 20)
            protocol.transport.resumeProducing()
            run_until(reactor, lambda: len(protocol.data) == size)
            trace.append(protocol.data == PATTERN[:size])

    assert run(scenario) == ["made", True]


@on_reactors
@on_tcp
@pytest.mark.parametrize("size", [None, 1, 3])
@pytest.mark.parametrize("parts", [(1,), (3,), (1, 1), (5, 2, 9)])
@pytest.mark.parametrize("last", [0, 6])
@pytest.mark.parametrize("closes", [False, True])
def test_urgent_data_in_the_midst(run, end, size, parts, last, closes):
    def scenario(reactor, trace):
        protocol = Traced(trace, made=sized(size) if size else None)
        if not size:
            del protocol.hooks["made"]
        with connected(reactor, protocol, end) as peer:
            for count in parts:
                peer.send(PATTERN[:count])
                peer.send(b"!", socket.MSG_OOB)
            peer.send(PATTERN[:last])
            if closes:
                peer.close()
                until_lost(reactor, protocol)
            else:
                run_until(reactor, lambda: len(protocol.data) >= sum(parts) + last)
                run_turns(reactor)
                # It can still be read from.
                before = len(protocol.data)
                peer.send(b"later")
                run_until(reactor, lambda: len(protocol.data) >= before + 5)
            trace.append(protocol.data)

    assert run(scenario)[0] == "made"


@on_reactors
@on_tcp
def test_urgent_data_while_data_is_received(run, end):
    def scenario(reactor, trace):
        def more(protocol):
            if words:
                peer.send(words.pop(0))
                peer.send(b"!", socket.MSG_OOB)
                peer.send(words.pop(0))

        words = [b"two ", b"three ", b"four ", b"five ", b"six ", b"seven "]
        protocol = Traced(trace, data=more)
        with connected(reactor, protocol, end) as peer:
            peer.send(b"one ")
            run_until(reactor, lambda: protocol.data.endswith(b"seven "))
            trace.append(protocol.data)

    assert run(scenario) == ["made", b"one two three four five six seven "]


@on_reactors
@on_tcp
def test_urgent_data_in_large_data(run, end):
    size = 1_000_000

    def scenario(reactor, trace):
        def urgent():
            peer.send(b"!", socket.MSG_OOB)
            feed(reactor, peer, PATTERN[:size])

        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            feed(reactor, peer, PATTERN[:size], urgent)
            run_until(reactor, lambda: len(protocol.data) >= 2 * size)
            trace.append(protocol.data == PATTERN[:size] * 2)

    assert run(scenario) == ["made", True]


@on_reactors
@on_tcp
@pytest.mark.parametrize("when", ["before", "within"])
def test_urgent_data_that_the_application_reads(run, end, when):
    # A read stops where it was, though nothing says so any more.
    def scenario(reactor, trace):
        def read(protocol):
            trace.append(protocol.transport.socket.recv(1, socket.MSG_OOB))
            protocol.hooks.clear()

        protocol = Traced(trace, data=read)
        with connected(reactor, protocol, end) as peer:
            peer.send(b"before ")
            peer.send(b"!", socket.MSG_OOB)
            peer.send(b"after")
            if when == "before":
                read(protocol)
            run_until(reactor, lambda: protocol.data == b"before after")

    assert run(scenario) == ["made", b"!"]


@on_reactors
@on_tcp
@pytest.mark.parametrize("size", [10, 65_536])
@pytest.mark.parametrize("resumed", ["at once", "later", "by another", "twice", "by hand"])
def test_paused_within_the_data(run, end, size, resumed):
    def scenario(reactor, trace):
        def pause(protocol):
            transport = protocol.transport
            transport.pauseProducing()
            if resumed == "at once":
                transport.resumeProducing()
            elif resumed == "later":
                reactor.callLater(0, transport.resumeProducing)
            elif resumed == "by another":
                other_peer.send(b"x")
            elif resumed == "twice":
                transport.resumeProducing()
                transport.pauseProducing()
                reactor.callLater(0, transport.resumeProducing)
            else:
                reactor.callLater(0, reactor.addReader, transport)

        def resume(_other):
            protocol.transport.resumeProducing()

        other = Traced(trace, data=resume)
        protocol = Traced(trace, made=sized(size), data=pause)
        with connected(reactor, other) as other_peer, connected(reactor, protocol, end) as peer:
            count = 200 if size == 10 else 3_000_000
            feed(reactor, peer, PATTERN[:count], lambda: peer.shutdown(socket.SHUT_WR))
            until_lost(reactor, protocol)
            trace.append(protocol.data == PATTERN[:count])

    assert run(scenario) == ["made", "made", DONE, True]


@on_reactors
@on_tcp
def test_paused_for_ever_says_nothing(run, end):
    def scenario(reactor, trace):
        protocol = Traced(
            trace, made=sized(10), data=lambda protocol: protocol.transport.pauseProducing()
        )
        with connected(reactor, protocol, end) as peer:
            peer.send(PATTERN[:100])
            peer.shutdown(socket.SHUT_WR)
            run_turns(reactor, 20)
            trace.append(protocol.data)

    assert run(scenario) == ["made", PATTERN[:10]]


@on_reactors
@pytest.mark.parametrize("drained", [False, True])
def test_reading_goes_on_while_writing_is_blocked(run, drained):
    def scenario(reactor, trace):
        protocol = Traced(trace, made=sized(10))
        with connected(reactor, protocol, peer_buffer=4096) as peer:
            peer.send(PATTERN[:35])
            protocol.transport.write(PATTERN)
            run_until(reactor, lambda: len(protocol.data) == 35)
            trace.append(protocol.transport in reactor.getWriters())
            peer.send(PATTERN[35:100])
            run_until(reactor, lambda: len(protocol.data) == 100)
            if drained:
                # What is left unread when the writer goes is read afterwards.
                protocol.transport.pauseProducing()
                peer.send(PATTERN[100:200])
                trace.append(received(reactor, peer, len(PATTERN)) == PATTERN)
                protocol.transport.resumeProducing()
                run_until(reactor, lambda: len(protocol.data) == 200)
                run_until(reactor, lambda: protocol.transport not in reactor.getWriters())
                peer.send(PATTERN[200:300])
                run_until(reactor, lambda: len(protocol.data) == 300)
            peer.shutdown(socket.SHUT_WR)
            until_lost(reactor, protocol)
            trace.append(PATTERN.startswith(protocol.data))

    assert run(scenario) == ["made", True, *([True] if drained else []), DONE, True]


@on_reactors
def test_the_writer_is_drained_while_data_is_left(run):
    # The level goes, and an edge comes in its place, with something to be read.
    def scenario(reactor, trace):
        def stop_writing(protocol):
            protocol.transport.stopWriting()

        def start_writing(protocol):
            protocol.transport.startWriting()

        hooks = [start_writing, stop_writing] * 10

        def toggle(protocol):
            if hooks:
                hooks.pop(0)(protocol)

        protocol = Traced(trace, made=sized(10), data=toggle)
        with connected(reactor, protocol) as peer:
            peer.send(PATTERN[:250])
            run_until(reactor, lambda: len(protocol.data) == 250)
            trace.append(protocol.data == PATTERN[:250])

    assert run(scenario) == ["made", True]


SIZES = [*around(SEGMENT), 2 * SEGMENT, *around(READ_SIZE)]


@pytest.mark.parametrize("size", SIZES)
def test_what_was_read_stays_as_it_is(size):
    def scenario(reactor, trace):
        pieces = []

        class Keeping(Traced):
            def dataReceived(self, data):
                super().dataReceived(data)
                pieces.append((data, hash(data), bytes(bytearray(data))))

        protocol = Keeping(trace)
        with connected(reactor, protocol) as peer:
            warm(reactor, protocol, peer, PATTERN)
            del pieces[:]
            for byte in range(5):
                protocol.data = b""
                protocol.transport.pauseProducing()
                feed(reactor, peer, bytes([65 + byte]) * size)
                run_turns(reactor, 5)
                protocol.transport.resumeProducing()
                run_until(reactor, lambda: len(protocol.data) == size)
            whole = b"".join(data for data, _, _ in pieces)
            trace.append(whole == b"".join(bytes([65 + byte]) * size for byte in range(5)))
            for data, hashed, copy in pieces:
                trace.append(data == copy and hash(copy) == hashed and type(data) is bytes)
            trace.append(max(len(data) for data, _, _ in pieces) == min(size, READ_SIZE))

    result = ours_reactor(scenario)
    assert result[0] == "made"
    assert result[1:] == [True] * len(result[1:])


@on_reactors
@on_tcp
@pytest.mark.parametrize("way", ["socket", "getHandle", "detached option", "dup"])
@pytest.mark.parametrize("size", [10, 65_536])
def test_the_socket_object_asked_for_within_the_data(run, end, way, size):
    def scenario(reactor, trace):
        def ask(protocol):
            if way == "socket":
                trace.append(protocol.transport.socket.getsockname()[0])
            elif way == "getHandle":
                trace.append(protocol.transport.getHandle().getsockname()[0])
            elif way == "dup":
                stack.enter_context(protocol.transport.socket.dup())
            else:
                protocol.transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            del protocol.hooks["data"]

        protocol = Traced(trace, made=sized(size), data=ask)
        with contextlib.ExitStack() as stack, connected(reactor, protocol, end) as peer:
            count = 95 if size == 10 else 2_500_000
            feed(reactor, peer, PATTERN[:count])
            run_until(reactor, lambda: len(protocol.data) >= count)
            peer.send(b"more")
            run_until(reactor, lambda: len(protocol.data) >= count + 4)
            peer.close()
            until_lost(reactor, protocol)
            trace.append(protocol.data == PATTERN[:count] + b"more")

    assert run(scenario)[-2:] == [DONE, True]


@on_reactors
@pytest.mark.parametrize("what", ["doRead", "logPrefix", "protocol", "all"])
@pytest.mark.parametrize("size", [10, 65_536])
def test_something_is_replaced_within_the_data(run, what, size):
    def scenario(reactor, trace):
        def replace(protocol):
            transport = protocol.transport
            del protocol.hooks["data"]
            if what in ("doRead", "all"):
                stock = transport.doRead
                transport.doRead = lambda: trace.append("mine") or stock()
            if what in ("logPrefix", "all"):
                transport.logPrefix = lambda: "mine"
            if what in ("protocol", "all"):
                transport.protocol = second
                second.transport = transport

        count = 95 if size == 10 else 2_500_000
        second = Traced(trace)
        first = Traced(trace, made=sized(size), data=replace)
        with connected(reactor, first) as peer:
            feed(reactor, peer, PATTERN[:count], peer.close)
            run_until(reactor, lambda: first.lost or second.lost)
            trace.append(first.data + second.data == PATTERN[:count])
            trace.append((bool(first.data), bool(second.data)))
            # How often it is read is up to the transport.
            trace[:] = [event for event in trace if event != "mine"] + ["mine" in trace]

    switched = what in ("protocol", "all")
    expected = ["made", DONE, True, (True, switched), what in ("doRead", "all")]
    assert run(scenario) == expected
