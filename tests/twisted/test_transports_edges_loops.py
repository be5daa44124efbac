"""Data that a read leaves in the kernel, when a loop is nested, left or shared; TLS."""

import contextlib
import os
import socket
import threading
import time

import pytest
from OpenSSL import SSL

from helpers.certificates import server_context
from helpers.loops import LIMIT, on_reactors, ours_reactor
from helpers.scenarios import run_reactor
from helpers.streams import (
    PATTERN,
    Handing,
    Traced,
    connected,
    feed,
    run_until,
    sized,
    until_lost,
    warm,
)
from tornado4.ioloop import IOLoop
from tornado4.platform.twisted import TornadoReactor

DONE = ("lost", "ConnectionDone")


@on_reactors
@pytest.mark.parametrize("size", [1, 10, 65_536])
@pytest.mark.parametrize("others", [False, True])
def test_a_nested_turn_waits_for_the_rest(run, size, others):
    def scenario(reactor, trace):
        def wait(protocol):
            if protocol.hooks.pop("data", None):
                while len(protocol.data) < count:
                    reactor.iterate(0.01)
                trace.append("waited")

        count = 40 if size < 100 else 2_000_000
        protocol, other = Traced(trace, made=sized(size), data=wait), Traced([], made=sized(size))
        with connected(reactor, other) as second, connected(reactor, protocol) as first:
            if size > 100:
                protocol.hooks.pop("data")
                warm(reactor, protocol, first, PATTERN)
                protocol.hooks["data"] = wait
            feed(reactor, first, PATTERN[:count])
            if others:
                feed(reactor, second, PATTERN[:count])
            run_until(reactor, lambda: "waited" in trace)
            trace.append(protocol.data == PATTERN[:count])
            if others:
                run_until(reactor, lambda: len(other.data) == count)
            first.close()
            until_lost(reactor, protocol)

    assert run(scenario) == ["made", "waited", True, DONE]


@on_reactors
@pytest.mark.parametrize("size", [3, 65_536])
def test_a_nested_turn_waits_for_another_that_is_ready(run, size):
    # Its event may have come with the one that is being served.
    def scenario(reactor, trace):
        def wait(_):
            while not all(len(protocol.data) == 10 for protocol in protocols):
                reactor.iterate(0.01)

        protocols = [Traced([], made=sized(size), data=wait) for _ in range(3)]
        with contextlib.ExitStack() as stack:
            peers = [stack.enter_context(connected(reactor, one)) for one in protocols]
            for peer in peers:
                peer.send(PATTERN[:10])
                peer.shutdown(socket.SHUT_WR)
            until_lost(reactor, *protocols)
        trace.extend(protocol.trace for protocol in protocols)

    assert run(scenario) == [["made", DONE]] * 3


@on_reactors
@pytest.mark.parametrize("size", [1, 3, 65_536])
def test_a_crash_within_the_data_of_one_of_some(run, size):
    def scenario(reactor, trace):
        protocols = [Traced([], made=sized(size), data=lambda _: reactor.crash()) for _ in range(4)]
        with contextlib.ExitStack() as stack:
            peers = [stack.enter_context(connected(reactor, one)) for one in protocols]
            for peer in peers:
                peer.send(PATTERN[:10])
            while not all(len(one.data) == 10 for one in protocols):
                # Each run ends when something came, so it does come.
                run_reactor(reactor)
            trace.extend(protocol.data for protocol in protocols)

    assert run(scenario) == [PATTERN[:10]] * 4


@pytest.mark.parametrize("size", [1, 3, 65_536])
@pytest.mark.parametrize("closes", [False, True])
@pytest.mark.parametrize("where", ["data", "log prefix"])
def test_ctrl_c_within_the_data(size, closes, where):
    # The application has started the loop, so it gets Ctrl-C, and starts it again.
    interrupts = []

    def interrupt(protocol=None):
        interrupts.append(protocol)
        if where == "data" or len(interrupts) < 10:
            raise KeyboardInterrupt
        return "mine"

    def begin(protocol):
        protocol.transport.bufferSize = size
        if where == "log prefix":
            protocol.transport.logPrefix = interrupt
        else:
            protocol.hooks["data"] = interrupt

    io_loop = IOLoop(make_current=False)
    reactor = TornadoReactor(io_loop)
    protocols = [Traced([], made=begin) for _ in range(4)]
    with contextlib.ExitStack() as stack:
        port = reactor.listenTCP(0, Handing(*protocols), interface="127.0.0.1")
        address = "127.0.0.1", port.getHost().port
        for _ in protocols:
            peer = stack.enter_context(socket.create_connection(address))
            peer.send(PATTERN[:10])
            if closes:
                peer.shutdown(socket.SHUT_WR)

        def check():
            if not late and not all(one.lost or len(one.data) == 10 for one in protocols):
                io_loop.call_later(0.001, check)
            elif not closes or late or all(one.lost for one in protocols):
                io_loop.stop()
            else:
                io_loop.call_later(0.001, check)

        late = []
        io_loop.call_later(LIMIT, late.append, None)
        io_loop.add_callback(check)
        while True:
            try:
                io_loop.start()
            except KeyboardInterrupt:
                continue
            break
        assert not late
        reactor.fireSystemEvent("shutdown")
        reactor.disconnectAll()
        io_loop.close()
    assert [protocol.data for protocol in protocols] == [PATTERN[:10]] * 4
    assert len(interrupts) >= 4


def watch_beside(reactor, face, fd, seen):
    """Watches for input by another face; returns what ends that."""
    io_loop = reactor._io_loop
    if face == "asyncio":
        io_loop.asyncio_loop.add_reader(fd, seen)
        return lambda: io_loop.asyncio_loop.remove_reader(fd)
    io_loop.add_handler(fd, seen, io_loop.READ)
    return lambda: io_loop.remove_handler(fd)


@pytest.mark.parametrize("face", ["asyncio", "tornado"])
@pytest.mark.parametrize("size", [3, 65_536])
def test_another_watches_the_same_descriptor_for_a_while(face, size):
    # It takes the transport's place; the transport is watched again when it asks for it.
    def scenario(reactor, trace):
        def watch(protocol):
            protocol.hooks.clear()
            fd = protocol.transport.fileno()

            def seen(*_):
                trace.append("seen")
                end()
                protocol.transport.resumeProducing()

            protocol.transport.pauseProducing()
            end = watch_beside(reactor, face, fd, seen)
            if size > 10:
                peer.send(PATTERN[10:20])
                peer.shutdown(socket.SHUT_WR)

        protocol = Traced(trace, made=sized(size), data=watch)
        with connected(reactor, protocol) as peer:
            if size < 10:
                peer.send(PATTERN[:20])
                peer.shutdown(socket.SHUT_WR)
            else:
                peer.send(PATTERN[:10])
            until_lost(reactor, protocol)
            trace.append(protocol.data == PATTERN[:20])

    assert ours_reactor(scenario) == ["made", "seen", DONE, True]


@pytest.mark.parametrize("face", ["asyncio", "tornado"])
def test_another_watches_a_duplicate_for_a_while(face):
    def scenario(reactor, trace):
        def watch(protocol):
            protocol.hooks.clear()
            fd = os.dup(protocol.transport.fileno())

            def seen(*_):
                trace.append("seen")
                end()
                os.close(fd)

            end = watch_beside(reactor, face, fd, seen)

        protocol = Traced(trace, made=sized(3), data=watch)
        with connected(reactor, protocol) as peer:
            peer.send(PATTERN[:20])
            run_until(reactor, lambda: len(protocol.data) == 20 and "seen" in trace)
            peer.send(PATTERN[20:40])
            peer.shutdown(socket.SHUT_WR)
            until_lost(reactor, protocol)
            trace.append(protocol.data == PATTERN[:40])

    assert ours_reactor(scenario) == ["made", "seen", DONE, True]


@on_reactors
@pytest.mark.parametrize("size", [3, 65_536])
def test_a_reader_of_one_s_own_for_the_same_descriptor(run, size):
    class Reader:
        def __init__(self, transport):
            self.transport = transport

        def fileno(self):
            return self.transport.fileno()

        def logPrefix(self):
            return "mine"

        def doRead(self):
            return self.transport.doRead()

        def connectionLost(self, reason):
            self.transport.connectionLost(reason)

    def scenario(reactor, trace):
        def read(protocol):
            protocol.hooks.clear()
            reactor.removeReader(protocol.transport)
            reactor.addReader(Reader(protocol.transport))

        protocol = Traced(trace, made=sized(size), data=read)
        with connected(reactor, protocol) as peer:
            peer.send(PATTERN[:20])
            peer.shutdown(socket.SHUT_WR)
            until_lost(reactor, protocol)
            trace.append(protocol.data == PATTERN[:20])

    assert run(scenario) == ["made", DONE, True]


@on_reactors
@pytest.mark.parametrize("size", [1, 8, 100, 65_536])
@pytest.mark.parametrize("closes", [False, True])
def test_tls_is_started_with_the_handshake_in_the_kernel(run, size, closes):
    def scenario(reactor, trace):
        def start(protocol):
            if protocol.data == b"STARTTLS":
                protocol.transport.startTLS(server_context())
                protocol.data = b""

        client = SSL.Connection(SSL.Context(SSL.TLS_METHOD), None)
        client.set_connect_state()
        with contextlib.suppress(SSL.WantReadError):
            client.do_handshake()

        def flush():
            with contextlib.suppress(SSL.WantReadError):
                feed(reactor, peer, client.bio_read(1_000_000))

        def shake():
            with contextlib.suppress(BlockingIOError):
                client.bio_write(peer.recv(65_536))
            try:
                client.do_handshake()
            except SSL.WantReadError:
                return False
            finally:
                flush()
            return True

        protocol = Traced(trace, made=sized(min(size, 8)), data=start)
        with connected(reactor, protocol) as peer:
            protocol.transport.bufferSize = min(size, 8)
            # All of it is there before anything is read.
            peer.send(b"STARTTLS" + client.bio_read(100_000))
            run_until(reactor, shake)
            protocol.transport.bufferSize = size
            for start in range(0, 50_000, 10_000):
                client.send(PATTERN[start : start + 10_000])
            flush()
            if closes:
                client.shutdown()
                flush()
                until_lost(reactor, protocol)
            run_until(reactor, lambda: len(protocol.data) == 50_000)
            trace.append(protocol.data == PATTERN[:50_000])

    assert run(scenario) == ["made", *([DONE] if closes else []), True]


def test_a_stream_has_its_share_of_a_turn_and_no_more():
    """Two full reads, however much comes, and whoever else says that there is more."""
    reads = []

    class Slow(Traced):
        def dataReceived(self, data):
            reads[-1] += 1
            until = time.perf_counter() + 0.0003
            while time.perf_counter() < until:
                pass

    def scenario(reactor, trace):
        def tick():
            reads.append(0)
            if sum(reads) < 300:
                reactor.callLater(0, tick)

        def blast():
            with contextlib.suppress(OSError):
                while True:
                    peer.sendall(bytes(1_000_000))

        protocol = Slow([])
        with connected(reactor, protocol) as peer:
            peer.setblocking(True)
            thread = threading.Thread(target=blast)
            tick()
            thread.start()
            run_until(reactor, lambda: sum(reads) >= 300)
            protocol.transport.abortConnection()
            until_lost(reactor, protocol)
            thread.join()

    ours_reactor(scenario)
    # Where a turn ends isn't seen exactly.
    assert max(reads) <= 4
    assert sum(count > 2 for count in reads) <= 5
