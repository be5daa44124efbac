"""Writing through Twisted's TLS: what is kept, when it is sent, and what is refused."""

import pytest
from twisted.protocols.tls import _AggregateSmallWrites

from helpers.loops import on_reactors
from helpers.scenarios import outcome, run_turns
from helpers.streams import PATTERN, run_until, until_lost
from helpers.tls_secured import Shaken, comes, secured, wants_todays_writing

pytestmark = wants_todays_writing

MUCH = _AggregateSmallWrites.MAX_BUFFER_SIZE


class Adding:
    """Not bytes, but what comes of adding bytes to it is."""

    def __init__(self, data):
        self.data = data

    def __add__(self, other):
        return self.data + other

    def __len__(self):
        return len(self.data)


class Bytes(bytes):
    pass


@on_reactors
@pytest.mark.parametrize("when", ["made", "shaken", "later"])
@pytest.mark.parametrize(
    "data",
    ["text", None, 1, 1.5, [b"list"], memoryview(b"view"), object()],
    ids=type,
)
def test_what_is_refused(run, data, when):
    def write(protocol):
        for method in (protocol.transport.write, protocol.transport.writeSequence):
            protocol.trace.append(outcome(method, data))
        protocol.transport.write(b"good")

    def scenario(reactor, trace):
        hooks = {} if when == "later" else {when: write}
        server = Shaken([], **hooks)
        with secured(reactor, server) as peer:
            if when == "later":
                write(server)
            trace.append(comes(reactor, peer, 4))
            server.transport.abortConnection()
            until_lost(reactor, server)
        trace.extend(told for told in server.trace if "object at" not in str(told))

    assert run(scenario)[0].endswith(b"good")


@on_reactors
@pytest.mark.parametrize("size", [0, 5, MUCH + 1])
@pytest.mark.parametrize("kind", [bytes, bytearray, Bytes, Adding])
def test_what_is_taken(run, kind, size):
    def scenario(reactor, trace):
        server = Shaken([])
        with secured(reactor, server) as peer:
            data = kind(PATTERN[:size])
            trace.append(outcome(server.transport.write, data))
            if kind is bytearray:
                data[:] = b"changed"
            server.transport.write(b"end")
            trace.append(comes(reactor, peer, size + 3) == PATTERN[:size] + b"end")
            server.transport.abortConnection()
            until_lost(reactor, server)

    assert run(scenario) == [None, True]


@on_reactors
@pytest.mark.parametrize("pieces", [[], [b""], [b"one", b"", b"two"], [b"x" * MUCH, b"y" * MUCH]])
def test_sequences(run, pieces):
    def scenario(reactor, trace):
        server = Shaken([])
        with secured(reactor, server) as peer:
            server.transport.writeSequence(pieces)
            server.transport.writeSequence(iter(pieces))
            server.transport.write(b"end")
            data = b"".join(pieces) * 2 + b"end"
            trace.append(comes(reactor, peer, len(data)) == data)
            trace.append(outcome(server.transport.writeSequence, [b"one", "two"]))
            trace.append(outcome(server.transport.writeSequence, None))
            server.transport.abortConnection()
            until_lost(reactor, server)

    assert run(scenario)[0] is True


def sizes():
    """Around what is kept, and around a record."""
    return [n + d for n in (1 << 14, MUCH, MUCH + (1 << 14)) for d in (-1, 0, 1)]


@on_reactors
@pytest.mark.parametrize("size", sizes())
def test_sizes_around_what_is_kept(run, size):
    def scenario(reactor, trace):
        server = Shaken([])
        with secured(reactor, server) as peer:
            for first in (1, size // 2, size):
                data = PATTERN[:size]
                server.transport.write(data[:first])
                server.transport.write(data[first:])
                peer.data = b""
                trace.append(comes(reactor, peer, size) == data)
            server.transport.abortConnection()
            until_lost(reactor, server)

    assert run(scenario) == [True] * 3


@on_reactors
def test_a_method_that_was_kept_writes_in_order(run):
    # Since before the handshake, when nothing is native yet.
    def keep(protocol):
        protocol.kept = protocol.transport.write

    def scenario(reactor, trace):
        server = Shaken([], made=keep)
        with secured(reactor, server) as peer:
            for name in (b"1", b"2"):
                server.kept(name + b"kept,")
                server.transport.write(name + b"written,")
                server.transport.writeSequence([name, b"sequence,"])
                server.kept(name + b"again,")
                run_turns(reactor)
            expected = b"1kept,1written,1sequence,1again,2kept,2written,2sequence,2again,"
            trace.append(comes(reactor, peer, len(expected)))
            server.transport.loseConnection()
            server.kept(b"late")
            run_until(reactor, lambda: peer.pump() and server.lost)
            server.kept(b"later")
            trace.append(outcome(server.kept, "text"))
            run_turns(reactor)
            trace.append(peer.data)

    expected = b"1kept,1written,1sequence,1again,2kept,2written,2sequence,2again,"
    assert run(scenario)[::2] == [expected, expected]


@on_reactors
@pytest.mark.parametrize("size", [5, MUCH + 1])
def test_before_the_handshake(run, size):
    def write(protocol):
        protocol.transport.write(PATTERN[:size])
        protocol.transport.writeSequence([b"and", b"more"])

    def scenario(reactor, trace):
        server = Shaken([], made=write)
        with secured(reactor, server, shake=False) as peer:
            run_turns(reactor)
            server.transport.write(b".")
            data = PATTERN[:size] + b"andmore."
            trace.append(comes(reactor, peer, len(data)) == data)
            trace.append(server.trace)
            server.transport.abortConnection()
            until_lost(reactor, server)

    assert run(scenario) == [True, ["made", "shaken", ("lost", "ConnectionLost")]]


@on_reactors
@pytest.mark.parametrize("size", [5, MUCH + 1])
def test_when_the_handshake_is_done(run, size):
    def scenario(reactor, trace):
        server = Shaken([], shaken=lambda protocol: protocol.transport.write(PATTERN[:size]))
        with secured(reactor, server) as peer:
            trace.append(comes(reactor, peer, size) == PATTERN[:size])
            server.transport.loseConnection()
            run_until(reactor, lambda: peer.pump() and server.lost)

    assert run(scenario) == [True]


@on_reactors
def test_after_the_end(run):
    def write(protocol):
        protocol.transport.write(b"late")
        protocol.transport.write(b"l" * (MUCH + 1))
        protocol.transport.writeSequence([b"late"])

    def scenario(reactor, trace):
        server = Shaken([], lost=write)
        with secured(reactor, server) as peer:
            server.transport.write(b"good")
            server.transport.loseConnection()
            write(server)
            run_until(reactor, lambda: peer.pump() and server.lost)
            transport = server.transport
            write(server)
            run_turns(reactor)
            trace.append(peer.data)
            trace.append(type(transport._aggregator).__name__)

    assert run(scenario) == [b"good", "_NullAggregator"]


@on_reactors
def test_what_one_callback_writes_comes_together(run):
    # One record, however many writes.
    def scenario(reactor, trace):
        server = Shaken([])
        with secured(reactor, server) as peer:
            pieces = []

            def write():
                for number in range(10):
                    server.transport.write(b"%d" % number)

            def look():
                before = len(peer.data)
                peer.pump()
                if len(peer.data) > before:
                    pieces.append(peer.data[before:])
                return len(peer.data) >= 10

            reactor.callWhenRunning(write)
            run_until(reactor, look)
            trace.append(pieces)
            server.transport.abortConnection()
            until_lost(reactor, server)

    assert run(scenario) == [[b"0123456789"]]


@on_reactors
@pytest.mark.parametrize("how", ["iterate", "before it runs", "in a timer", "in a thread call"])
def test_wherever_it_is_written(run, how):
    def scenario(reactor, trace):
        server = Shaken([])
        with secured(reactor, server) as peer:

            def write():
                server.transport.write(b"hello")

            if how == "iterate":

                def nested():
                    write()
                    for _ in range(1000):
                        reactor.iterate(0.01)
                        peer.pump()
                        if peer.data:
                            break
                    trace.append(peer.data)

                reactor.callWhenRunning(nested)
            elif how == "before it runs":
                write()
            elif how == "in a timer":
                reactor.callLater(0.001, write)
            else:
                reactor.callFromThread(write)
            trace.append(comes(reactor, peer, 5))
            server.transport.abortConnection()
            until_lost(reactor, server)

    assert run(scenario)[-1] == b"hello"


@on_reactors
@pytest.mark.parametrize("size", [5, MUCH, MUCH + 1])
def test_what_is_kept_is_encrypted_when_the_callback_has_returned(run, size):
    # Or at once, if it is much.
    def scenario(reactor, trace):
        server = Shaken([])
        with secured(reactor, server) as peer:

            def write():
                before = len(sent)
                server.transport.write(b"x" * size)
                # In how many pieces is Twisted's affair.
                trace.append(len(sent) > before)

            sent = []
            below = server.transport.transport
            native = below.write

            def send(data):
                sent.append(data)
                native(data)

            below.write = send
            reactor.callWhenRunning(write)
            trace.append(len(comes(reactor, peer, size)))
            trace.append(bool(sent))
            server.transport.abortConnection()
            until_lost(reactor, server)

    at_once, size_, sent = run(scenario)
    assert (bool(at_once), size_, sent) == (size > MUCH, size, True)
