"""Descriptors that are closed, hung up or none at all: as stock asyncio has it."""

import asyncio
import os
import socket
import struct
import tempfile

import pytest

from helpers.loops import on_asyncio
from helpers.scenarios import closed_number, outcome, pipe, socket_pair, turns


class Fileno:
    def __init__(self, answer):
        self.answer = answer

    def fileno(self):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Opened(Fileno):
    def __init__(self, path):
        super().__init__(os.open(path, os.O_RDONLY))

    def close(self):
        os.close(self.answer)


def closed_socket():
    with socket.socket() as sock:
        return sock


BAD = {
    "closed number": (closed_number, "OSError", False),
    "closed socket": (closed_socket, "ValueError", "ValueError"),
    "negative": (lambda: -1, "ValueError", "ValueError"),
    "beyond the limit": (lambda: 2**30, "OSError", False),
    "beyond an int": (lambda: 2**40, "OverflowError", False),
    "regular file": (tempfile.TemporaryFile, "PermissionError", False),
    "directory": (lambda: Opened("/"), "PermissionError", False),
    "null device": (lambda: Opened(os.devnull), "PermissionError", False),
    "None": (lambda: None, "ValueError", "ValueError"),
    "text": (lambda: "0", "ValueError", "ValueError"),
    "float": (lambda: 0.0, "ValueError", "ValueError"),
    "no fileno": (object, "ValueError", "ValueError"),
    "fileno is text": (lambda: Fileno("none"), "ValueError", "ValueError"),
    "fileno is -1": (lambda: Fileno(-1), "ValueError", "ValueError"),
    "fileno raises": (lambda: Fileno(ValueError("mine")), "ValueError", "ValueError"),
    "fileno fails": (lambda: Fileno(KeyError("mine")), "KeyError", "KeyError"),
}


def kind(result):
    return result[0] if isinstance(result, tuple) else result


@on_asyncio
@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_watched(run, name):
    make, added, removed = BAD[name]

    def scenario(loop, trace):
        fd = make()
        for add, remove in [
            (loop.add_reader, loop.remove_reader),
            (loop.add_writer, loop.remove_writer),
        ]:
            # Twice, since a first failure must leave nothing behind.
            trace.append(kind(outcome(add, fd, trace.append, "called")))
            trace.append(kind(outcome(add, fd, trace.append, "called")))
            trace.append(kind(outcome(remove, fd)))
        turns(loop, 2)
        if hasattr(fd, "close"):
            fd.close()

    assert run(scenario) == [added, added, removed] * 2


@on_asyncio
def test_the_messages(run):
    def scenario(loop, trace):
        number = closed_number()
        for fd in [-1, "0", number]:
            trace.append(outcome(loop.add_reader, fd, print))

    assert run(scenario) == [
        ("ValueError", "Invalid file descriptor: -1"),
        ("ValueError", "Invalid file object: '0'"),
        ("OSError", "[Errno 9] Bad file descriptor"),
    ]


@on_asyncio
def test_removing_what_was_never_added(run):
    def scenario(loop, trace):
        with socket_pair() as (left, _):
            trace.append(loop.remove_reader(left))
            trace.append(loop.remove_writer(left.fileno()))
            loop.add_reader(left, print)
            trace.append(loop.remove_writer(left))
            trace.append(loop.remove_reader(left.fileno()))
            loop.add_writer(left.fileno(), print)
            trace.append(loop.remove_reader(left))
            trace.append(loop.remove_writer(left))

    assert run(scenario) == [False, False, False, True, False, True]


@on_asyncio
def test_on_a_closed_loop(run):
    def scenario(loop, trace):
        with socket_pair() as (left, right):
            loop.add_reader(left, trace.append, "called")
            right.send(b"x")
            loop.close()
            trace.append(outcome(loop.add_reader, left, print))
            trace.append(outcome(loop.add_writer, left, print))
            trace.append(outcome(loop.remove_reader, left))
            trace.append(outcome(loop.remove_writer, left))

    closed = ("RuntimeError", "Event loop is closed")
    assert run(scenario) == [closed, closed, False, False]


@on_asyncio
def test_a_transports_descriptor_is_refused(run):
    def scenario(loop, trace):
        with socket_pair() as (left, _):

            async def main():
                transport, _ = await loop.create_connection(asyncio.Protocol, sock=left)
                for call in [loop.add_reader, loop.add_writer]:
                    trace.append(outcome(call, left, print)[0])
                for call in [loop.remove_reader, loop.remove_writer]:
                    trace.append(outcome(call, left.fileno())[0])
                transport.abort()

            loop.run_until_complete(main())

    assert run(scenario) == ["RuntimeError"] * 4


@on_asyncio
def test_a_callback_that_cannot_be_called(run):
    def scenario(loop, trace):
        with pipe() as (r, w):
            os.write(w, b"x")
            loop.add_reader(r, None)
            turns(loop)
            trace.append(loop.remove_reader(r))

    assert run(scenario) == [
        ("reported", "TypeError", "'NoneType' object is not callable"),
        True,
    ]


def watch_both(loop, fd, trace):
    loop.add_reader(fd, trace.append, "read")
    loop.add_writer(fd, trace.append, "write")
    turns(loop, 2)
    loop.remove_reader(fd)
    trace.append("writer only")
    turns(loop)
    loop.remove_writer(fd)
    loop.add_reader(fd, trace.append, "read")
    trace.append("reader only")
    turns(loop)
    loop.remove_reader(fd)


BOTH = ["read", "write"]
HANGUP_WAKES_BOTH = [*BOTH, *BOTH, "writer only", "write", "reader only", "read"]


@on_asyncio
@pytest.mark.parametrize("end", ["read end", "write end"])
@pytest.mark.parametrize("data", [b"", b"x"])
def test_a_pipe_whose_other_end_is_closed(run, end, data):
    def scenario(loop, trace):
        with pipe() as (r, w):
            os.write(w, data)
            if end == "read end":
                os.close(w)
                watch_both(loop, r, trace)
            else:
                os.close(r)
                watch_both(loop, w, trace)

    assert run(scenario) == HANGUP_WAKES_BOTH


@on_asyncio
@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_socket_whose_peer_is_gone(run, how):
    def scenario(loop, trace):
        with (
            socket.create_server(("127.0.0.1", 0)) as server,
            socket.create_connection(server.getsockname()) as client,
        ):
            client.setblocking(False)
            peer, _ = server.accept()
            if how == "reset":
                linger = struct.pack("ii", 1, 0)
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            peer.close()
            watch_both(loop, client, trace)

    assert run(scenario) == HANGUP_WAKES_BOTH


@on_asyncio
def test_a_refused_connection_wakes_the_writer(run):
    def scenario(loop, trace):
        with socket.socket() as unused, socket.socket() as sock:
            unused.bind(("127.0.0.1", 0))  # bound and not listening: it refuses
            sock.setblocking(False)
            sock.connect_ex(unused.getsockname())

            def connected():
                trace.append(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0)
                loop.remove_writer(sock)
                loop.stop()

            loop.add_writer(sock, connected)
            loop.run_forever()

    assert run(scenario) == [True]
