"""UNIX datagram ports: what is received from whom, and written where."""

import builtins
import contextlib
import os
import socket

import pytest
from twisted.internet import unix
from twisted.internet.protocol import ConnectedDatagramProtocol

from helpers.datagrams import TracedDatagrams, stop, taken, until_received, waiting
from helpers.loops import on_reactors, ours_reactor
from helpers.scenarios import outcome, run_turns
from helpers.streams import fail, run_until
from tornado4 import _core
from tornado4.platform.twisted import _unix_datagram


class Plain(TracedDatagrams):
    def datagramReceived(self, datagram, addr):
        self.count += 1
        self.trace.append((datagram, addr))
        self._happened("received", datagram, addr)


class Connected(ConnectedDatagramProtocol):
    def __init__(self, trace, **hooks):
        self.trace, self.hooks = trace, hooks
        self.count, self.stopped = 0, False

    startProtocol = TracedDatagrams.startProtocol
    stopProtocol = TracedDatagrams.stopProtocol
    connectionRefused = TracedDatagrams.connectionRefused
    _happened = TracedDatagrams._happened

    def datagramReceived(self, datagram):
        self.count += 1
        self.trace.append(datagram)
        self._happened("received", datagram)

    def connectionFailed(self, failure):
        self.trace.append(("failed", type(failure.value).__name__))


@pytest.fixture(autouse=True)
def directory(tmp_path, monkeypatch):
    """Paths are relative: short, and the same for every reactor."""
    monkeypatch.chdir(tmp_path)


@contextlib.contextmanager
def unix_socket(path=None):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        if path is not None:
            sock.bind(path)
        sock.setblocking(False)
        try:
            yield sock
        finally:
            unlink(path)


def unlink(path):
    with contextlib.suppress(OSError, ValueError, TypeError):
        os.unlink(path)


@contextlib.contextmanager
def listening(reactor, protocol, path="port", **options):
    port = reactor.listenUNIXDatagram(path, protocol, **options)
    try:
        yield port
    finally:
        stop(reactor, port, protocol)
        unlink(path)


@contextlib.contextmanager
def connected(reactor, protocol, **options):
    with unix_socket("peer") as peer:
        port = reactor.connectUNIXDatagram("peer", protocol, bindAddress="port", **options)
        try:
            yield port, peer
        finally:
            stop(reactor, port, protocol)
            unlink("port")


def test_the_classes():
    def scenario(reactor, trace):
        plain, other = Plain([]), Connected([])
        with listening(reactor, plain, "first") as port:
            trace.append(type(port) is _unix_datagram.DatagramPort)
            trace += [isinstance(port, c) for c in [unix.DatagramPort, _core.DatagramTransport]]
        with connected(reactor, other) as (port, _):
            trace.append(type(port) is _unix_datagram.ConnectedDatagramPort)
            trace += [
                isinstance(port, c) for c in [unix.ConnectedDatagramPort, _core.DatagramTransport]
            ]

    assert ours_reactor(scenario) == [True] * 6


# Other processes, who may run these tests too, have the same abstract names.
OURS = b"tornado4-%d" % os.getpid()
PEERS = {
    "path": "peer",
    "bytes": b"peer",
    "not utf-8": b"p\xff\xfeer",
    "surrogates": "p\udcffer",
    "not ascii": "p\u00e9\U0001f600r",
    "long": "p" * 107,
    "abstract": b"\0%s peer" % OURS,
    "abstract with zeros": b"\0%s\0peer\0\0" % OURS,
    "abstract text": f"\0{OURS.decode()} text",
    "abstract not utf-8": b"\0%s\xff" % OURS,
    "long abstract": b"\0" + OURS.ljust(107, b"t"),
    "chosen by the system": "",
}


@on_reactors
@pytest.mark.parametrize("path", PEERS.values(), ids=PEERS)
def test_there_and_back(run, path):
    def scenario(reactor, trace):
        protocol = Plain([], received=lambda self, *got: trace.append(self.transport.write(*got)))
        with listening(reactor, protocol), unix_socket(path) as peer:
            for data in [b"one", b"", b"three"]:
                peer.sendto(data, "port")
                trace.extend(taken(reactor, peer))
            addr = peer.getsockname()
            trace.append((type(addr).__name__, path and addr))

    named = run(scenario)
    assert named[:-1] == [3, b"one", 0, b"", 5, b"three"]


@on_reactors
@pytest.mark.parametrize("path", PEERS.values(), ids=PEERS)
def test_who_has_sent(run, path):
    def scenario(reactor, trace):
        protocol = Plain(
            [], received=lambda self, data, addr: trace.append(addr if path else type(addr))
        )
        with listening(reactor, protocol), unix_socket(path) as peer:
            peer.sendto(b"hello", "port")
            until_received(reactor, protocol)

    (found,) = run(scenario)
    # The system's choice is abstract, and bytes as all of those are; so it says no more.
    name = os.fsencode(path)
    assert found == (bytes if not path else name if name[:1] == b"\0" else os.fsdecode(path))


@on_reactors
def test_nobody_has_sent(run):
    def scenario(reactor, trace):
        protocol = Plain(trace)
        with listening(reactor, protocol), unix_socket() as peer:
            peer.sendto(b"hello", "port")
            until_received(reactor, protocol)
            trace.append(outcome(protocol.transport.write, b"hello", None))

    got = run(scenario)
    assert got[:2] == ["started", (b"hello", None)]


ADDRESSES = [
    "nothing",
    "",
    b"",
    None,
    5,
    ("peer",),
    ("127.0.0.1", 9),
    "p" * 108,
    b"p" * 200,
    b"\0" + b"p" * 108,
    "pe\0er",
    b"peer\0",
    "\ud800",
    bytearray(b"peer"),
    memoryview(b"peer"),
    "./peer",
    "file",
    "stream",
]


@on_reactors
@pytest.mark.parametrize("address", ADDRESSES, ids=range(len(ADDRESSES)))
@pytest.mark.parametrize("data", [b"hello", bytearray(b"hello"), "hello", None])
def test_addresses(run, address, data):
    def scenario(reactor, trace):
        protocol = Plain([])
        with listening(reactor, protocol) as port, unix_socket("peer") as peer:
            open("file", "w").close()
            with socket.socket(socket.AF_UNIX) as stream:
                unlink("stream")
                stream.bind("stream")
                trace.append(outcome(port.write, data, address))
                trace.append(waiting(peer))

    (result, arrived) = run(scenario)
    assert arrived == ([b"hello"] if result == 5 else [])
    assert result == 5 or issubclass(getattr(builtins, result[0]), (OSError, TypeError, ValueError))


@on_reactors
@pytest.mark.parametrize("data", [b"x" * 60_000, b"x" * 10_000_000, bytearray(10_000_000)])
def test_how_long_it_may_be(run, data):
    def scenario(reactor, trace):
        plain, other = Plain([]), Connected([])
        with listening(reactor, plain, "first") as port, unix_socket("to") as to:
            trace.append(outcome(port.write, data, "to"))
            trace.append(waiting(to) == [data])
        with connected(reactor, other) as (port, peer):
            trace.append(outcome(port.write, data))
            trace.append(waiting(peer) == [data])

    too_long = ("MessageLengthError", "Message is too long to send: message too long.")
    fits = [60_000, True] if len(data) == 60_000 else [too_long, False]
    assert run(scenario) == fits * 2


@on_reactors
@pytest.mark.parametrize("data", [b"hello", bytearray(b"hello")])
def test_a_full_queue_drops(run, data):
    def scenario(reactor, trace):
        plain, other = Plain([]), Connected([])
        with listening(reactor, plain, "first") as port, unix_socket("to") as to:
            results = {port.write(data, "to") for _ in range(2000)}
            trace.append((results, len(waiting(to)) < 2000))
        with connected(reactor, other) as (port, peer):
            results = {port.write(data) for _ in range(2000)}
            trace.append((results, len(waiting(peer)) < 2000))

    assert run(scenario) == [({5, None}, True)] * 2


@on_reactors
@pytest.mark.parametrize("size", [0, 1, 5, 8192, 300_000])
def test_cut_to_the_packet_size(run, size):
    def scenario(reactor, trace):
        plain, other = Plain(trace), Connected(trace)
        with listening(reactor, plain, "first", maxPacketSize=size), unix_socket("to") as to:
            to.sendto(b"hello", "first")
            to.sendto(b"x" * 60_000, "first")
            until_received(reactor, plain, 2)
        with connected(reactor, other, maxPacketSize=size) as (_, peer):
            peer.sendto(b"hello", "port")
            peer.sendto(b"x" * 60_000, "port")
            until_received(reactor, other, 2)

    cut = [b"hello"[:size], b"x" * min(size, 60_000)]
    plain = ["started", *((data, "to") for data in cut), "stopped"]
    assert run(scenario) == [*plain, "started", *cut, "stopped"]


@on_reactors
def test_connected(run):
    def scenario(reactor, trace):
        protocol = Connected(trace)
        with connected(reactor, protocol) as (port, peer):
            trace.append((port.getPeer().name, repr(port).split(" on ")[1]))
            for data in [b"one", b"", bytearray(b"two"), "text", None]:
                trace.append(
                    outcome(port.write, data)[0] if not data else outcome(port.write, data)
                )
            for args in [(), (b"three", "peer")]:
                trace.append(outcome(port.write, *args)[0])
            trace.append(taken(reactor, peer, 3))
            for data in [b"one", b"", b"two"]:
                peer.sendto(data, "port")
            until_received(reactor, protocol, 3)
            peer.close()
            trace.append(port.write(b"refused"))
            for data in [b"late", bytearray(b"late")]:
                trace.append(outcome(port.write, data)[0])

    def outcome(function, *args):
        try:
            return (function(*args),)
        except Exception as error:
            return (type(error).__name__,)

    assert run(scenario)[-8:] == [b"one", b"", b"two", "refused", None, *["OSError"] * 2, "stopped"]


@on_reactors
def test_connecting_to_nothing(run):
    def scenario(reactor, trace):
        reactor.connectUNIXDatagram("nothing", Connected(trace))
        run_turns(reactor)

    assert run(scenario) == [("failed", "FileNotFoundError")]


@on_reactors
@pytest.mark.parametrize("kind", ["plain", "connected"])
@pytest.mark.parametrize(
    "error", [ValueError("mine"), BlockingIOError(11, "again"), OSError(9, "bad")]
)
def test_a_protocol_that_raises(run, kind, error):
    def scenario(reactor, trace):
        def raises(protocol, datagram, *_):
            if datagram == b"one":
                raise error

        if kind == "plain":
            protocol = Plain(trace, received=raises)
            opened = listening(reactor, protocol)
        else:
            protocol = Connected(trace, received=raises)
            opened = connected(reactor, protocol)
        with opened, unix_socket("sender") as sender:
            if kind == "connected":
                sender = opened.gen.gi_frame.f_locals["peer"]
            sender.sendto(b"one", "port")
            sender.sendto(b"two", "port")
            run_until(reactor, lambda: protocol.stopped or protocol.count == 2)

    trace = run(scenario)
    assert (trace[0], trace[-1]) == ("started", "stopped")
    assert "one" in str(trace[1])
    # A connected port takes EAGAIN for what it says, and gives up at another OSError.
    silent = kind == "connected" and isinstance(error, BlockingIOError)
    assert (trace[2][0] == "logged") == (not silent)
    ended = kind == "connected" and isinstance(error, OSError) and not silent
    assert ("two" in str(trace)) == (not ended)


@on_reactors
def test_refused_and_the_protocol_raises(run):
    def scenario(reactor, trace):
        protocol = Connected(trace, refused=fail)
        with connected(reactor, protocol) as (port, peer):
            peer.close()
            trace.append(outcome(port.write, b"refused"))

    assert run(scenario) == ["started", "refused", ("ValueError", "mine"), "stopped"]


@on_reactors
def test_stopping_on_the_way_and_writing_after_it(run):
    def scenario(reactor, trace):
        def stop_once(protocol, *_):
            if protocol.count == 1:
                protocol.transport.stopListening()

        plain = Plain(trace, received=stop_once)
        with listening(reactor, plain, "first") as port, unix_socket("to") as to:
            to.sendto(b"one", "first")
            to.sendto(b"two", "first")
            run_until(reactor, lambda: plain.stopped)
            trace.append((repr(port).split("(")[1], hasattr(port, "socket")))
            for data in [b"late", bytearray(b"late")]:
                trace.append(outcome(port.write, data, "to")[0])

    last = ["stopped", ("not listening)>", False), "AttributeError", "AttributeError"]
    assert run(scenario) == ["started", (b"one", "to"), (b"two", "to"), *last]
