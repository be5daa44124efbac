"""What is written to a connection: of which type it may be, and what comes of it."""

import array
import sys

import pytest

from helpers.scenarios import outcome, turns
from helpers.transports import (
    KINDS,
    Peer,
    Plain,
    connected,
    on_transports,
    ours_transports,
    run_until,
)

on_kinds = pytest.mark.parametrize("kind", KINDS)

WORD = b"0123456789abcdef" * 4


def changed_bytearray(write):
    data = bytearray(WORD)
    write(data)
    data[:] = b"changed"


def changed_view(write):
    data = bytearray(b"<" + WORD + b">")
    write(memoryview(data)[1:-1])
    data[:] = b"#" * len(data)


def changed_array(write):
    data = array.array("I", WORD)
    write(memoryview(data))
    data[:] = array.array("I", b"#" * len(WORD))


def matrix(write):
    write(memoryview(bytearray(WORD)).cast("B", (8, len(WORD) // 8)))


def fleeting(write):
    write(b"".join([WORD[:10], WORD[10:]]))


def in_parts(write):
    write(WORD[:1])
    write(bytearray())
    write(memoryview(WORD)[1:20])
    write(b"")
    write(bytearray(WORD[20:]))


DATA = [changed_bytearray, changed_view, changed_array, matrix, fleeting, in_parts]

# Stock sends what others have become, keeps views of them, or fails.
STOCK_HOLDS = [fleeting, in_parts]
if sys.version_info < (3, 12):
    STOCK_HOLDS += [changed_bytearray, changed_view]


def check_written(trace, loop, kind, data, clogged, lines):
    protocol = Plain(trace)
    with connected(loop, protocol, kind, buffers=8192) as sock:
        peer = Peer(sock, protocol.transport)
        if clogged:
            peer.clog()
        write = protocol.transport.write
        loop.call_soon(
            data, (lambda part: protocol.transport.writelines([part])) if lines else write
        )
        turns(loop)
        trace.append(protocol.transport.get_write_buffer_size())
        got = b""
        while len(got) < len(WORD):
            got += peer.received()
            turns(loop)
        trace.append(got == WORD)


@on_transports
@on_kinds
@pytest.mark.parametrize(
    ("data", "lines"),
    [*((data, False) for data in DATA), *((data, True) for data in STOCK_HOLDS)],
)
def test_data_of_any_type(run, kind, data, lines):
    def scenario(loop, trace):
        check_written(trace, loop, kind, data, clogged=False, lines=lines)

    assert run(scenario) == [("connection_made",), 0, True]


@on_kinds
@pytest.mark.parametrize("lines", [False, True])
@pytest.mark.parametrize("data", DATA)
def test_data_of_any_type_that_has_to_wait(kind, data, lines):
    def scenario(loop, trace):
        check_written(trace, loop, kind, data, clogged=True, lines=lines)

    assert ours_transports(scenario) == [("connection_made",), len(WORD), True]


@on_transports
@on_kinds
@pytest.mark.parametrize("data", [data for data in DATA if data in STOCK_HOLDS])
def test_data_that_has_to_wait(run, kind, data):
    def scenario(loop, trace):
        check_written(trace, loop, kind, data, clogged=True, lines=False)

    assert run(scenario) == [("connection_made",), len(WORD), True]


@on_transports
@on_kinds
@pytest.mark.parametrize("data", ["text", None, 1, [b"x"], object()], ids=type)
def test_what_may_not_be_written(run, kind, data):
    def scenario(loop, trace):
        protocol = Plain(trace)
        with connected(loop, protocol, kind) as sock:
            trace.append(outcome(protocol.transport.write, data))
            trace.append(outcome(protocol.transport.writelines, [b"lost", data]))
            # From Python 3.12 on, None is no data for stock.
            trace.append(data is None or type(outcome(protocol.transport.writelines, data)))
            turns(loop, 2)
            protocol.transport.write(b"after")
            trace.append(Peer(sock, protocol.transport).received())

    trace = run(scenario)
    name = type(data).__name__
    wanted = "bytes-like object"
    if sys.version_info >= (3, 14):
        wanted = "bytes, bytearray, or memoryview object"
    assert trace[1] == ("TypeError", f"data argument must be a {wanted}, not '{name}'")
    if data is None and sys.version_info >= (3, 14):
        # It is no data in a list, either.
        assert trace[2] is None
    else:
        assert trace[2][0] == "TypeError"
    # What is refused as a whole sends nothing.
    before = b"x" if data == [b"x"] else b""
    if data is None and sys.version_info >= (3, 14):
        before = b"lost"
    assert trace[-1] == before + b"after"


@on_transports
@on_kinds
@pytest.mark.parametrize("clogged", [False, True])
def test_views_with_gaps(run, kind, clogged):
    def scenario(loop, trace):
        protocol = Plain(trace)
        with connected(loop, protocol, kind, buffers=8192) as sock:
            peer = Peer(sock, protocol.transport)
            if clogged:
                peer.clog()
            transport = protocol.transport
            loop.call_soon(lambda: trace.append(outcome(transport.write, memoryview(WORD)[::2])))
            turns(loop, 2)
            trace.append(transport.is_closing())

    trace = run(scenario)
    if not clogged:
        error = ("BufferError", "memoryview: underlying buffer is not C-contiguous")
        assert trace == [
            ("connection_made",),
            (
                "reported",
                [
                    ("exception", error),
                    ("message", "Fatal write error on socket transport"),
                    ("protocol", "Plain"),
                    ("transport", "transport"),
                ],
            ),
            None,
            ("connection_lost", error),
            True,
        ]


@on_transports
@on_kinds
@pytest.mark.parametrize("clogged", [False, True])
def test_write_eof(run, kind, clogged):
    def scenario(loop, trace):
        protocol = Plain(trace)
        with connected(loop, protocol, kind, buffers=8192) as sock:
            peer = Peer(sock, protocol.transport)
            transport = protocol.transport

            def end():
                transport.write(b"one ")
                transport.write(b"two")
                transport.write_eof()
                transport.write_eof()
                for data in (b"x", b"", "text"):
                    trace.append(outcome(transport.write, data))
                trace.append(outcome(transport.writelines, [b"x"]))
                trace.append(outcome(transport.writelines, []))
                trace.append((transport.is_closing(), transport.is_reading()))

            if clogged:
                peer.clog()
            loop.call_soon(end)
            turns(loop)
            got = peer.received()
            while not isinstance(got, tuple):
                turns(loop)
                more = peer.received()
                got = (got + more[0], more[1]) if isinstance(more, tuple) else got + more
            trace.append(got)
            # The other direction goes on.
            peer.send(b"question")
            turns(loop)
            peer.close()
            run_until(loop, lambda: protocol.lost)

    trace = run(scenario)
    refused = ("RuntimeError", "Cannot call write() after write_eof()")
    assert trace[1] == refused
    assert trace[-5:] == [
        (False, True),
        (b"one two", "EOF"),
        ("data", b"question"),
        ("eof_received",),
        ("connection_lost", None),
    ]


@on_transports
@on_kinds
@pytest.mark.parametrize("end", ["close", "abort"])
@pytest.mark.parametrize("times", [1, 4, 5, 10])
def test_writing_after_the_end(run, kind, end, times):
    def scenario(loop, trace):
        protocol = Plain(trace)
        with connected(loop, protocol, kind) as sock:
            peer = Peer(sock, protocol.transport)
            transport = protocol.transport
            transport.write(b"before")
            getattr(transport, end)()
            for _ in range(times):
                trace.append(outcome(transport.write, b"lost"))
                trace.append(outcome(transport.write, bytearray(b"lost")))
            trace.append(outcome(transport.write, "text")[0])
            turns(loop, 2)
            for _ in range(times):
                trace.append(outcome(transport.write, b"lost"))
            trace.append(outcome(transport.write_eof))
            trace.append(peer.received())

    trace = run(scenario)
    assert trace.count(("logged", "socket.send() raised exception.")) == max(0, 3 * times - 4)
    assert trace[-1] == (b"before", "EOF")


@on_transports
@on_kinds
@pytest.mark.parametrize("closing", [False, True])
def test_everything_is_sent_before_the_end(run, kind, closing):
    data = bytes(range(256)) * 20_000

    def scenario(loop, trace):
        def end():
            for start in range(0, len(data), 100_000):
                protocol.transport.write(data[start : start + 100_000])
            if closing:
                protocol.transport.close()
                trace.append((protocol.transport.is_closing(), protocol.lost))
            else:
                protocol.transport.write_eof()

        protocol = Plain(trace)
        with connected(loop, protocol, kind) as sock:
            peer = Peer(sock, protocol.transport)
            loop.call_soon(end)
            turns(loop)
            trace.append(protocol.transport.get_write_buffer_size() > 64 * 1024)
            got, ended = b"", None
            sock.setblocking(True)
            while not ended:
                sock.settimeout(0.01)
                try:
                    more = sock.recv(1 << 20)
                    got, ended = got + more, not more
                except TimeoutError:
                    pass
                turns(loop)
            trace.append(got == data)
            peer.close()
            run_until(loop, lambda: protocol.lost)

    trace = run(scenario)
    assert trace.count(("pause_writing",)) == trace.count(("resume_writing",)) == 1
    if closing:
        assert trace[1:4] == [("pause_writing",), (True, False), True]
        assert trace[-2:] == [("connection_lost", None), True]
    else:
        assert trace[-3:] == [True, ("eof_received",), ("connection_lost", None)]
