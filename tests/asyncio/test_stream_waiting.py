"""Writes that have to wait for the socket: in which context the protocol is told of room,
what is written behind them and can't be sent, a socket object that doesn't give its number."""

import contextvars
import inspect
import random
import socket
import sys
from asyncio import selector_events

import pytest

from helpers.scenarios import outcome, turns
from helpers.transports import (
    KINDS,
    Peer,
    Plain,
    connected,
    events,
    on_transports,
    run_until,
)

on_kinds = pytest.mark.parametrize("kind", KINDS)
BIG = b"x" * 300_000
# Some versions from Python 3.12 on let a protocol write lines without end.
WRITELINES = selector_events._SelectorSocketTransport.writelines
LINES_PAUSE = sys.version_info < (3, 12) or "_maybe_pause" in inspect.getsource(WRITELINES)
variable = contextvars.ContextVar("variable", default="none")


def in_context(value, function, *args):
    context = contextvars.copy_context()
    context.run(variable.set, value)
    return context.run(function, *args)


def read_all(loop, peer, transport):
    """Reads what there is until our end has sent everything."""
    got = b""
    while transport.get_write_buffer_size():
        got += peer.received()
        turns(loop)
    return got + peer.received()


class Unseen:
    """The number of our end, by which nobody asks the transport for it: that would make it
    send everything at once from then on."""

    def __init__(self, transport):
        self.transport = transport

    def fileno(self):
        return self.transport._sock_fd


def peer_of(sock, transport):
    peer = Peer.__new__(Peer)
    peer.sock, peer.family, peer.own = sock, sock.family, Unseen(transport)
    return peer


class Sees(Plain):
    """Notes the context that its methods are called in."""

    def called(self, method, *details):
        super().called(method, variable.get(), *details)


@on_transports
@on_kinds
@pytest.mark.parametrize("how", ["write", "mutable", "writelines", "small ones", "held"])
def test_the_context_that_resume_writing_sees(run, kind, how):
    if how == "writelines" and not LINES_PAUSE:
        pytest.skip("stock's writelines() doesn't pause the protocol in this version")

    def scenario(loop, trace):
        protocol = Sees(trace)

        def write():
            transport = protocol.transport
            if how == "held":
                # So little that it is held back for the end of the iteration.
                in_context("held", transport.write, bytes(30_000))
            elif how == "small ones":
                for number in range(100):
                    in_context("first" if number == 0 else "later", transport.write, b"x" * 1000)
            elif how == "writelines":
                in_context("lines", transport.writelines, [BIG, BIG])
            else:
                data = bytearray(BIG) if how == "mutable" else BIG
                in_context(how, transport.write, data)
                in_context("behind it", transport.write, data)

        with connected(loop, protocol, kind, buffers=8192) as sock:
            if how != "held":
                protocol.transport.set_write_buffer_limits(high=0)
            peer = peer_of(sock, protocol.transport)
            peer.clog()
            in_context("runs", loop.call_soon, write)
            turns(loop)
            if how == "held":
                # Only with this the protocol is told to pause.
                loop.call_soon(in_context, "behind it", protocol.transport.write, BIG)
                turns(loop)
            trace.append(len(read_all(loop, peer, protocol.transport)))

    trace = run(scenario)
    wanted = {"small ones": "first", "writelines": "lines"}.get(how, how)
    assert events(trace, "resume_writing")[0] == (wanted,)


@on_transports
@on_kinds
def test_the_context_of_what_is_written_when_something_comes(run, kind):
    """It is the one in which the protocol was told."""

    def scenario(loop, trace):
        def answer(protocol):
            variable.set("when it came")
            protocol.transport.write(bytes(30_000))

        protocol = Sees(trace, data_received=answer)
        with connected(loop, protocol, kind, buffers=8192) as sock:
            peer = peer_of(sock, protocol.transport)
            peer.clog()
            peer.send(b"question")
            turns(loop, 2)
            loop.call_soon(in_context, "later", protocol.transport.write, BIG)
            turns(loop)
            trace.append(len(read_all(loop, peer, protocol.transport)))

    trace = run(scenario)
    assert events(trace, "pause_writing") == [("later",)]
    assert events(trace, "resume_writing") == [("when it came",)]
    assert trace[-1] == 30_000 + len(BIG)


@on_transports
@on_kinds
def test_the_context_of_a_close_that_waits(run, kind):
    """The end comes where the last byte went, in the context of the write that waited."""

    def scenario(loop, trace):
        protocol = Sees(trace)
        with connected(loop, protocol, kind, buffers=8192) as sock:
            peer = peer_of(sock, protocol.transport)
            peer.clog()
            in_context("runs", loop.call_soon, in_context, "writer", protocol.transport.write, BIG)
            turns(loop)
            in_context("closer", protocol.transport.close)
            got = b""
            while not protocol.lost:
                more = peer.received()
                got += more if isinstance(more, bytes) else more[0]
                turns(loop)
            trace.append(protocol.transport.is_closing())

    trace = run(scenario)
    assert events(trace, "connection_lost") == [("writer", None)]


@on_transports
@on_kinds
@pytest.mark.parametrize("seed", range(12))
def test_contexts_of_random_writes(run, kind, seed):
    """Each write that finds nothing waiting brings its own context."""

    def scenario(loop, trace):
        chosen = random.Random(seed)
        protocol = Sees(trace)
        with connected(loop, protocol, kind, buffers=8192) as sock:
            transport = protocol.transport
            transport.set_write_buffer_limits(high=chosen.choice([0, 1000, 100_000]))
            peer = peer_of(sock, transport)
            for number in range(12):
                # How soon TCP has room again is different each time.
                if chosen.random() < 0.5 and kind.startswith("unix"):
                    peer.clog()
                lines = chosen.random() < 0.3 and LINES_PAUSE
                size = chosen.choice([1, 1000, 70_000, 300_000])
                data = bytes(size)
                write, data = (
                    (transport.writelines, [data[:1], data[1:]])
                    if lines and size > 1
                    else (transport.write, data)
                )
                loop.call_soon(in_context, number, write, data)
                turns(loop)
                if chosen.random() < 0.6:
                    read_all(loop, peer, transport)
                    trace.append("read")
            read_all(loop, peer, transport)

    run(scenario)


GAPS = memoryview(b"0123456789")[::2]
REFUSED = ("BufferError", "memoryview: underlying buffer is not C-contiguous")
LATER = sys.version_info >= (3, 12)


@on_transports
@on_kinds
@pytest.mark.parametrize("end", [None, "close", "write_eof"])
def test_views_with_gaps_behind_what_waits(run, kind, end):
    def scenario(loop, trace):
        protocol = Plain(trace)
        with connected(loop, protocol, kind, buffers=8192) as sock:
            transport = protocol.transport
            peer = Peer(sock, transport)
            peer.clog()

            def write():
                transport.write(b"before")
                trace.append(outcome(transport.write, GAPS))
                trace.append(transport.get_write_buffer_size())
                trace.append(outcome(transport.write, b"behind"))
                trace.append(transport.is_closing())
                if end:
                    getattr(transport, end)()

            loop.call_soon(write)
            turns(loop, 3)
            trace.append(transport.is_closing())
            got = b""
            for _ in range(20):
                more = peer.received()
                got += more if isinstance(more, bytes) else more[0]
                turns(loop)
            trace.append(("got", got))
            trace.append(transport.is_closing())

    trace = run(scenario)
    if LATER:
        assert trace[1:5] == [None, len(b"before") + len(GAPS), None, False]
        assert ("connection_lost", REFUSED) in trace
    else:
        error = ("TypeError", "can't set bytearray slice from memoryview")
        assert trace[1:5] == [error, len(b"before"), None, False]
        assert ("got", b"beforebehind") in trace


@on_transports
@on_kinds
@pytest.mark.parametrize("lines", [False, True])
def test_views_with_gaps_behind_what_goes_out(run, kind, lines):
    """What was written before in the same callback is sent."""

    def scenario(loop, trace):
        protocol = Plain(trace)
        with connected(loop, protocol, kind) as sock:
            transport = protocol.transport
            peer = Peer(sock, transport)

            def write():
                transport.write(b"before")
                if lines:
                    trace.append(outcome(transport.writelines, [b"along", GAPS, b"x"]))
                else:
                    trace.append(outcome(transport.write, GAPS))
                trace.append(transport.is_closing())
                trace.append(outcome(transport.write, b"after"))

            loop.call_soon(write)
            turns(loop, 3)
            trace.append(peer.received())

    trace = run(scenario)
    if lines and not LATER:
        assert trace[-1] == b"beforeafter"
    else:
        assert trace[-1] == (b"before", "EOF")
        assert ("connection_lost", REFUSED) in trace


class Silent(socket.socket):
    """One that soon doesn't say its number any more, as a wrapper that was closed."""

    is_silent = False

    def fileno(self):
        if self.is_silent:
            raise ValueError("no number")
        return super().fileno()


def with_silent(loop, protocol):
    own, peer = socket.socketpair()
    sock = Silent(fileno=own.detach())
    sock.setblocking(False)
    peer.setblocking(False)
    loop.run_until_complete(loop.connect_accepted_socket(lambda: protocol, sock))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    return sock, peer


def stays_idle(loop, trace):
    """Whether the loop has nothing to tell for a while."""
    before = len(trace)
    loop.call_later(0.05, loop.stop)
    loop.run_forever()
    return len(trace) == before


@on_transports
@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("lines", [False, True])
def test_a_socket_object_that_does_not_give_its_number(run, waits, lines):
    """Sending and receiving never ask for that."""

    def scenario(loop, trace):
        protocol = Plain(trace)
        sock, peer = with_silent(loop, protocol)
        with sock, peer:
            transport = protocol.transport
            data = BIG if waits else b"few"
            if waits:
                loop.call_soon(transport.write, BIG)
                turns(loop)
            sock.is_silent = True
            write = (
                (lambda: transport.writelines([data])) if lines else (lambda: transport.write(data))
            )
            loop.call_soon(lambda: trace.append(outcome(write)))
            turns(loop, 2)
            trace.append(stays_idle(loop, trace))
            got = 0
            wanted = len(data) * (2 if waits else 1)
            while got < wanted:
                got += len(peer.recv(1 << 20))
                turns(loop)
            trace.append(("got", got))
            peer.send(b"question")
            run_until(loop, lambda: protocol.data)
            transport.write(bytearray(b"answer"))
            trace.append(peer.recv(100))
            transport.write_eof()
            trace.append(peer.recv(100))
            sock.is_silent = False
            transport.close()
            run_until(loop, lambda: protocol.lost)

    trace = run(scenario)
    assert [event for event in trace if event != ("pause_writing",)][:3] == [
        ("connection_made",),
        None,
        True,
    ]
    assert ("data", b"question") in trace
    assert not events(trace, "reported")
    assert trace[-3:] == [b"answer", b"", ("connection_lost", None)]
