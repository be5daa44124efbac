"""Native transports in trouble: each of these once ended a loop, a process or a stream."""

import gc
import weakref

import pytest
from twisted.internet import tcp
from twisted.internet.error import ConnectionDone

from helpers.loops import on_reactors, ours_reactor
from helpers.scenarios import outcome, run_turns
from helpers.streams import (
    Traced,
    TracedHalves,
    connected,
    on_some_ends,
    received,
    run_until,
    until_lost,
)

TOO_MUCH = [2**40, 2**62, 2**63 - 1]


@on_some_ends
@pytest.mark.parametrize("closes", ["close", "detach"])
def test_what_cannot_be_sent_is_the_transport_s_own_trouble(end, closes):
    # Twisted's own transport says nothing, and stays for ever.
    def scenario(reactor, trace):
        other = Traced(trace)

        def write(protocol):
            protocol.transport.write(b"never sent")
            other.transport.write(b"sent")
            getattr(protocol.transport.socket, closes)()

        with connected(reactor, other, "tcp server") as peer:
            protocol = Traced(trace, data=write)
            with connected(reactor, protocol, end) as first:
                first.send(b"hello")
                until_lost(reactor, protocol)
            trace.append(received(reactor, peer, 4))

    logged = ("logged", "ValueError", "file descriptor cannot be a negative integer (-1)")
    result = ours_reactor(scenario)
    assert result == ["made", "made", logged, ("lost", "ConnectionLost"), b"sent"]


@on_some_ends
@pytest.mark.parametrize("size", TOO_MUCH)
def test_a_buffer_larger_than_memory(end, size):
    # Stock fails to allocate it, and loses the connection.
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            protocol.transport.bufferSize = size
            peer.send(b"hello")
            run_until(reactor, lambda: protocol.data == b"hello")

    assert ours_reactor(scenario) == ["made"]


@on_reactors
def test_the_name_of_a_connection_stays(run):
    names = []

    def scenario(reactor, trace):
        def note(protocol):
            names.append((repr(protocol.transport), protocol.transport.logstr))

        protocol = Traced(trace, made=note, lost=note)
        with connected(reactor, protocol) as peer:
            transport, first = protocol.transport, protocol
            second = Traced(trace, lost=lambda _second: note(first))
            second.transport = transport
            transport.protocol = second
            note(first)
            peer.close()
            until_lost(reactor, second)
        trace.append(len(set(names)))
        names.clear()

    assert run(scenario) == ["made", ("lost", "ConnectionDone"), 1]


@on_some_ends
def test_two_socket_objects_at_once(end, monkeypatch):
    # One of them is made while the other is, as by a finalizer. It must not close
    # the other's descriptor, nor lock the transport for good.
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            transport, made = protocol.transport, []
            settimeout = tcp.socket.socket.settimeout

            def again(sock, value):
                if not made:
                    made.append(sock)
                    made.append(transport.getHandle())
                settimeout(sock, value)

            with monkeypatch.context() as patch:
                patch.setattr(tcp.socket.socket, "settimeout", again)
                handle = transport.getHandle()
            trace.append(handle is transport.getHandle())
            made.clear()
            gc.collect()
            trace.append(handle.fileno() == transport.fileno() != -1)
            peer.send(b"hello")
            run_until(reactor, lambda: protocol.data == b"hello")

    assert ours_reactor(scenario) == ["made", True, True]


@on_reactors
@on_some_ends
def test_bytes_that_write_when_they_are_dropped(run, end):
    # In order, and nothing of it is lost.
    def scenario(reactor, trace):
        class Writes(bytes):
            def __del__(self):
                if self:
                    protocol.transport.write(bytes(len(self)))

        protocol = Traced(trace)
        with connected(reactor, protocol, end, peer_buffer=8192) as peer:
            for byte in b"abcdef":
                protocol.transport.write(bytes([byte]) * 100_000)
                protocol.transport.write(Writes(bytes([byte]) * 10))
            data = received(reactor, peer, 12 * 50_000 + 60)
            trace.append(sorted(data.replace(b"\0", b"")) == list(data.replace(b"\0", b"")))

    assert run(scenario) == ["made", True]


@on_reactors
def test_bytes_that_hold_their_transport_are_collected_with_it(run):
    class Holds(bytes):
        holds = None

    def scenario(reactor, trace):
        def leave_one():
            protocol = Traced(trace)
            with connected(reactor, protocol, peer_buffer=4096) as peer:
                data = Holds(b"x" * 10_000_000)
                data.holds = protocol.transport
                protocol.transport.write(data)
                run_turns(reactor, 3)
                reactor.removeAll()
                peer.close()
            return weakref.ref(protocol.transport)

        alive = leave_one()
        gc.collect()
        trace.append(alive())

    assert run(scenario) == ["made", None]


@on_reactors
@on_some_ends
def test_a_connection_done_that_a_protocol_raises(run, end):
    # It isn't the end of the input, though it looks like that.
    def scenario(reactor, trace):
        def fail(protocol):
            if protocol.data == b"12":
                raise ConnectionDone

        protocol = TracedHalves(trace, data=fail)
        with connected(reactor, protocol, end) as peer:
            for count, byte in enumerate([b"1", b"2"], 1):
                peer.send(byte)
                run_until(reactor, lambda count=count: len(protocol.data) == count)
            until_lost(reactor, protocol)

    result = run(scenario)
    assert result[-1] == ("lost", "ConnectionDone")
    assert "read lost" not in result


@on_reactors
def test_the_producer_is_still_there_when_it_is_stopped(run):
    def scenario(reactor, trace):
        class Producer:
            def stopProducing(self):
                trace.append(protocol.transport.producer is self)

            pauseProducing = resumeProducing = print

        protocol = Traced(trace)
        with connected(reactor, protocol) as peer:
            protocol.transport.registerProducer(Producer(), True)
            transport = protocol.transport
            peer.close()
            until_lost(reactor, protocol)
            trace.append(transport.producer)

    assert run(scenario) == ["made", True, ("lost", "ConnectionDone"), None]


@on_reactors
@on_some_ends
def test_who_stops_writing_keeps_what_was_written(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            protocol.transport.write(b"later")
            protocol.transport.stopWriting()
            run_turns(reactor, 5)
            trace.append(outcome(peer.recv, 10)[0])
            protocol.transport.startWriting()
            trace.append(received(reactor, peer, 5))

    assert run(scenario) == ["made", "BlockingIOError", b"later"]


@on_reactors
def test_a_log_prefix_set_on_the_transport(run):
    def scenario(reactor, trace):
        from twisted.python import context, log

        def note(protocol):
            trace.append(context.get(log.ILogContext)["system"])

        protocol = Traced(trace, data=note)
        with connected(reactor, protocol) as peer:
            protocol.transport.logPrefix = lambda: "mine"
            for count in [1, 2]:
                peer.send(b"x")
                run_until(reactor, lambda count=count: len(protocol.data) == count)

    assert run(scenario) == ["made", "mine", "mine"]


@on_reactors
def test_a_log_prefix_that_raises_refuses_the_connection(run):
    class Nameless(Traced):
        def logPrefix(self):
            raise ValueError("no name")

    def scenario(reactor, trace):
        from helpers.streams import Handing

        port = reactor.listenTCP(0, Handing(Nameless(trace)), interface="127.0.0.1")
        with tcp.socket.create_connection(("127.0.0.1", port.getHost().port)) as peer:
            peer.setblocking(False)
            run_until(reactor, lambda: len(trace) == 1)
            run_until(reactor, lambda: outcome(peer.recv, 1) == b"")
        port.stopListening()

    assert run(scenario) == [("logged", "ValueError", "no name")]
