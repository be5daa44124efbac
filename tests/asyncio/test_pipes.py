"""Pipe transports on ours and on stock, case by case."""

import asyncio
import gc
import os
import pty
import socket
import sys
import tty
import warnings
import weakref

import pytest

import tornado4
from helpers.reported import plain, reported
from helpers.scenarios import turns
from helpers.transports import run_until

both = pytest.mark.parametrize(
    "make", [asyncio.SelectorEventLoop, tornado4.new_event_loop], ids=["stock", "tornado4"]
)
is_native = pytest.mark.parametrize("make", [tornado4.new_event_loop], ids=["tornado4"])


@pytest.fixture
def loop(make):
    loop = make()
    yield loop
    loop.close()


class Traced(asyncio.Protocol):
    def __init__(self):
        self.trace = []

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.trace.append(data)

    def eof_received(self):
        self.trace.append("eof")

    def connection_lost(self, exc):
        self.trace.append(("lost", type(exc).__name__))

    @property
    def data(self):
        return b"".join(entry for entry in self.trace if isinstance(entry, bytes))


LOST = ("lost", "NoneType")


def reading(loop, file, protocol=Traced):
    return loop.run_until_complete(loop.connect_read_pipe(protocol, file))


def writing(loop, file, protocol=Traced):
    return loop.run_until_complete(loop.connect_write_pipe(protocol, file))


@pytest.fixture
def pipe():
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb", 0) as reader, os.fdopen(writer, "wb", 0) as writer:
        yield reader, writer


@pytest.fixture
def terminal():
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    with os.fdopen(ours, "r+b", 0) as ours, os.fdopen(theirs, "r+b", 0) as theirs:
        yield ours, theirs


@both
def test_they_are_what_asyncio_promises(loop, pipe):
    reader, _ = reading(loop, pipe[0])
    writer, _ = writing(loop, pipe[1])
    assert isinstance(reader, asyncio.ReadTransport)
    assert isinstance(writer, asyncio.WriteTransport)
    assert isinstance(reader, asyncio.unix_events._UnixReadPipeTransport)
    assert isinstance(writer, asyncio.unix_events._UnixWritePipeTransport)
    assert (reader.get_extra_info("pipe"), writer.get_extra_info("pipe")) == pipe
    assert plain(repr(reader)) == "<_UnixReadPipeTransport fd=N polling>"
    assert plain(repr(writer)) == "<_UnixWritePipeTransport fd=N idle bufsize=0>"
    reader.close()
    writer.close()
    turns(loop, 3)


@is_native
def test_they_are_native(loop, pipe):
    reader, _ = reading(loop, pipe[0])
    writer, _ = writing(loop, pipe[1])
    assert isinstance(reader, tornado4._core.ReadPipe)
    assert isinstance(writer, tornado4._core.WritePipe)
    reader.close()
    writer.close()
    turns(loop, 3)


@both
@pytest.mark.parametrize("connect", [reading, writing])
def test_a_regular_file_is_refused(loop, tmp_path, connect):
    with open(tmp_path / "file", "w+b", 0) as file:
        with pytest.raises(ValueError, match=r"Pipe transport is (only )?for"):
            connect(loop, file)
        assert not file.closed


@both
def test_much_data_goes_through_in_order(loop, pipe):
    """In pieces, through a pipe that is full most of the time, with one end paused."""
    reader, protocol = reading(loop, pipe[0])
    writer, written = writing(loop, pipe[1])
    pieces = [bytes([number % 251]) * (number * 37 % 5000) for number in range(1000)]
    for index, piece in enumerate(pieces):
        mutable = bytearray(piece)
        writer.write(memoryview(mutable) if index % 3 else piece if index % 2 else mutable)
        mutable[:] = b"?" * len(mutable)
    reader.pause_reading()
    writer.close()
    turns(loop, 20)
    reader.resume_reading()
    run_until(loop, lambda: LOST in protocol.trace)
    assert protocol.data == b"".join(pieces)
    assert protocol.trace[-2:] == ["eof", LOST]
    assert written.trace == [LOST]


@both
def test_an_idle_writer_notices_that_the_reader_has_gone(loop, pipe):
    writer, protocol = writing(loop, pipe[1])
    pipe[0].close()
    run_until(loop, lambda: protocol.trace)
    assert protocol.trace == [LOST]
    assert writer.is_closing()


@both
def test_a_writer_that_has_data_loses_it_with_an_error(loop, pipe):
    writer, protocol = writing(loop, pipe[1])
    writer.write(bytes(1 << 20))
    turns(loop, 3)
    pipe[0].close()
    run_until(loop, lambda: protocol.trace)
    assert protocol.trace == [("lost", "BrokenPipeError")]
    assert writer.get_write_buffer_size() == 0


@both
def test_a_terminal_has_no_end_while_it_is_open(loop, terminal):
    ours, theirs = terminal
    reader, protocol = reading(loop, theirs)
    writer, _ = writing(loop, ours)
    writer.write(b"to the terminal")
    run_until(loop, lambda: protocol.data == b"to the terminal")
    assert LOST not in protocol.trace
    reader.close()
    writer.close()
    turns(loop, 3)


@both
def test_a_terminal_that_hangs_up_ends_with_an_error(loop, terminal):
    """Reading from its other end gives EIO, which asyncio takes for an end in order."""
    ours, theirs = terminal
    contexts = []
    loop.set_exception_handler(lambda loop, context: contexts.append(context))
    _, protocol = reading(loop, ours)
    theirs.close()
    run_until(loop, lambda: protocol.trace)
    assert protocol.trace == [("lost", "OSError")]
    assert contexts == []


@both
def test_an_exception_of_the_protocol_is_reported(loop, pipe):
    class Failing(Traced):
        def data_received(self, data):
            super().data_received(data)
            raise ValueError("of the protocol")

    contexts = []
    loop.set_exception_handler(lambda loop, context: contexts.append(reported(context)))
    reader, protocol = reading(loop, pipe[0], Failing)
    pipe[1].write(b"1")
    run_until(loop, lambda: contexts)
    pipe[1].write(b"2")
    run_until(loop, lambda: len(contexts) == 2)
    name = "_UnixReadPipeTransport._read_ready()"
    context = {
        "message": f"Exception in callback {name}",
        "exception": ("ValueError", "of the protocol"),
        "handle": f"<Handle {name}>",
    }
    assert contexts == 2 * [("reported", context, False)]
    assert protocol.trace == [b"1", b"2"]
    reader.close()
    turns(loop, 3)


@both
def test_an_error_of_the_system_is_reported(loop):
    """A descriptor that is closed behind the transport's back."""
    first, second = socket.socketpair()
    contexts = []
    loop.set_exception_handler(lambda loop, context: contexts.append(reported(context)))
    with first, second:
        reader, protocol = reading(loop, first)
        loop._remove_reader(first.fileno())
        first.close()
        reader._read_ready()
        turns(loop, 3)
    assert protocol.trace == [("lost", "OSError")]
    context = {
        "message": "Fatal read error on pipe transport",
        "exception": ("OSError", "[Errno 9] Bad file descriptor"),
        "transport": "<_UnixReadPipeTransport fd=N idle>",
        "protocol": plain(protocol),
    }
    assert contexts == [("reported", context, False)]


@both
@pytest.mark.parametrize("end", [0, 1])
def test_an_unclosed_one_warns_and_closes_its_pipe(loop, pipe, end):
    transport, _ = (reading if end == 0 else writing)(loop, pipe[end])
    gc.collect()  # what other tests have left
    # As if the loop had gone with it.
    loop._remove_reader(pipe[end].fileno())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        shown = plain(repr(transport))
        del transport, _
        gc.collect()
    assert [plain(warning.message) for warning in caught] == [f"unclosed transport {shown}"]
    assert pipe[end].closed


@both
def test_closed_ones_go_with_their_protocols(loop, pipe):
    made = [reading(loop, pipe[0]), writing(loop, pipe[1])]
    gone = [weakref.ref(one) for pair in made for one in pair]
    for transport, _ in made:
        transport.close()
    turns(loop, 3)
    del made, transport, _
    gc.collect()
    assert [ref() for ref in gone] == 4 * [None]


@both
def test_methods_may_be_replaced_on_a_transport(loop, pipe):
    writer, _ = writing(loop, pipe[1])
    written = []
    writer.write = written.append
    writer.write(b"x")
    writer.writelines([b"y", b"z"])
    del writer.write
    writer.write(b"through")
    assert written == [b"x", b"yz"]
    assert pipe[0].read(100) == b"through"
    writer.close()
    turns(loop, 3)


@both
def test_a_childs_streams(loop):
    """All three of them, megabytes each way, to the end and its exit status."""
    code = (
        "import sys; data = sys.stdin.buffer.read(); sys.stderr.write('heard'); "
        "sys.stdout.buffer.write(data[::-1]); sys.exit(len(data) % 256)"
    )

    async def talk():
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, stdin=-1, stdout=-1, stderr=-1
        )
        told = await child.communicate(bytes(range(256)) * 10_000 + b"end")
        return (*told, child.returncode)

    if sys.version_info < (3, 12):
        asyncio.set_event_loop(loop)
        asyncio.get_child_watcher().attach_loop(loop)
    try:
        out, err, status = loop.run_until_complete(talk())
    finally:
        asyncio.set_event_loop(None)
    assert out == (bytes(range(256)) * 10_000 + b"end")[::-1]
    assert (err, status) == (b"heard", 3)
