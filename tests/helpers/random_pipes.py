"""Random programs with the ends of pipes, turn by turn.

An end does random things to itself, in its callbacks too, all drawn from its own seed, and
has its own trace.
"""

import asyncio
import contextlib
import os
import random
import socket
import sys

from helpers.reported import LogToTrace, described, plain, reported

TURNS = 14


class Failure(Exception):
    """Of a protocol's method."""


def pipe():
    reader, writer = os.pipe()
    return os.fdopen(reader, "rb", 0), os.fdopen(writer, "wb", 0)


def sockets():
    return socket.socketpair()


# No terminals: how much of what was written has come is up to a thread of the kernel.
KINDS = [pipe, pipe, sockets]


class End:
    """One end, with a transport; the other end is a plain file."""

    ACTIONS = ()
    # A transport that is closed by `connection_made` and watched all the same after it
    # has stock never report the next descriptor of its number.
    ACTS_WHEN_MADE = False

    def __init__(self, seed, loop):
        self.random = random.Random(seed)
        self.loop = loop
        self.trace = []
        self.count = 0
        self.depth = 0
        self.transport = None

    def happened(self, name, *what):
        self.trace.append((name, *what))
        if self.depth < 2:
            self.depth += 1
            try:
                self.act(2)
            finally:
                self.depth -= 1

    def act(self, most):
        for _ in range(self.random.randint(0, most)):
            name = self.random.choice(self.ACTIONS)
            try:
                result = getattr(self, name)()
            except Failure:
                raise
            except Exception as error:
                result = (type(error).__name__, plain(error))
            self.trace.append((name, result))

    def connection_made(self, transport):
        self.transport = transport
        made = ("made", plain(repr(transport)))
        if self.ACTS_WHEN_MADE:
            self.happened(*made)
        else:
            self.trace.append(made)

    def connection_lost(self, exc):
        self.happened("lost", exc and described(exc))

    def data(self):
        self.count += 1
        size = self.random.choice([1, 10, 1000, 5000, 70_000, 300_000])
        return (b"%d " % self.count).ljust(size, b"x")

    def peer_closes(self):
        self.peer.close()

    def soon(self):
        self.loop.call_soon(self.trace.append, f"soon {self.count}")

    def close(self):
        return self.transport.close()

    def show(self):
        return plain(repr(self.transport))

    def ask(self):
        transport = self.transport
        return (
            transport.get_extra_info("pipe") is self.file,
            transport.get_extra_info("other", "none"),
            transport.is_closing(),
            transport.get_protocol() is self,
            type(transport).__name__,
        )

    def fail(self):
        if self.random.random() < 0.3:
            raise Failure(f"after {self.count}")


class ReadEnd(End, asyncio.Protocol):
    """Reads what the other end is made to write."""

    ACTIONS = (
        *(5 * ("peer_writes",)),
        *("soon", "show", "ask", "pause", "resume", "resume", "is_reading", "limit", "fail"),
        *("close", "peer_closes"),
    )
    ACTS_WHEN_MADE = sys.version_info >= (3, 11)

    async def make(self, kind):
        self.file, self.peer = kind()
        os.set_blocking(self.peer.fileno(), False)
        await self.loop.connect_read_pipe(lambda: self, self.file)

    def data_received(self, data):
        self.happened("data", type(data).__name__, len(data), data[:10], data[-3:])

    def eof_received(self):
        self.happened("eof")

    def peer_writes(self):
        with contextlib.suppress(OSError):
            return os.write(self.peer.fileno(), self.data())

    def pause(self):
        return self.transport.pause_reading()

    def resume(self):
        return self.transport.resume_reading()

    def is_reading(self):
        return self.transport.is_reading()

    def limit(self):
        self.transport.max_size = self.random.choice([1, 100, 256 * 1024])


class WriteEnd(End, asyncio.BaseProtocol):
    """Writes to the other end, which is made to read."""

    ACTIONS = (
        *(4 * ("write", "peer_reads")),
        *("writelines", "odd", "limit", "limits", "size", "look", "soon", "show", "ask", "fail"),
        *("can_write_eof", "write_eof", "close", "abort", "peer_closes"),
    )

    async def make(self, kind):
        self.peer, self.file = kind()
        os.set_blocking(self.peer.fileno(), False)
        await self.loop.connect_write_pipe(lambda: self, self.file)

    def pause_writing(self):
        self.happened("pause", self.transport.get_write_buffer_size())

    def resume_writing(self):
        self.happened("resume", self.transport.get_write_buffer_size())

    def write(self):
        kind = self.random.choice([bytes, bytes, bytes, bytearray, memoryview])
        data = kind(self.data())
        result = self.transport.write(data)
        if kind is bytearray:
            data[:] = b"?" * len(data)
        return result

    def writelines(self):
        return self.transport.writelines([self.data(), bytearray(self.data()), b""])

    def odd(self):
        odd = [b"", bytearray(), memoryview(b""), "text", 5, None, memoryview(b"abcdef")[::2]]
        odd.append(memoryview(bytes(8)).cast("I"))
        return self.transport.write(self.random.choice(odd))

    def peer_reads(self):
        """Reads some, or all that is there."""
        got, limit = [], self.random.choice([1, 5000, 1 << 20])
        with contextlib.suppress(OSError, ValueError):
            while limit > 0:
                data = os.read(self.peer.fileno(), limit)
                if not data:
                    got.append("end")
                    break
                got.append((len(data), data[:10], data[-3:]))
                limit -= len(data)
        return got

    def limit(self):
        high = self.random.choice([0, 100, 5000, None])
        return self.transport.set_write_buffer_limits(high)

    def limits(self):
        return self.transport.get_write_buffer_limits()

    def size(self):
        return self.transport.get_write_buffer_size()

    def look(self):
        transport = self.transport
        names = ("_closing", "_conn_lost", "_protocol_paused")
        return [getattr(transport, name) for name in names] + [bytes(transport._buffer[:10])]

    def can_write_eof(self):
        return self.transport.can_write_eof()

    def write_eof(self):
        return self.transport.write_eof()

    def abort(self):
        return self.transport.abort()


def turn(loop):
    loop.call_soon(loop.stop)
    loop.run_forever()


def run(loop, seed):
    """Runs a program; returns each end's trace and the loop's."""
    chance = random.Random(seed)
    told = []
    loop.set_exception_handler(lambda loop, context: told.append(reported(context)))
    loop.set_debug(chance.random() < 0.1)
    loop.slow_callback_duration = 60
    with LogToTrace(told):
        ends = [
            chance.choice([ReadEnd, WriteEnd])(seed * 10 + index, loop)
            for index in range(chance.choice([1, 1, 3]))
        ]
        try:
            for end in ends:
                # In debug mode asyncio names the descriptor, which may be closed already.
                with contextlib.suppress(ValueError):
                    loop.run_until_complete(end.make(chance.choice(KINDS)))
            for _ in range(TURNS):
                for end in ends:
                    end.trace.append("turn")
                    with contextlib.suppress(Failure):
                        end.act(4)
                turn(loop)
        finally:
            for end in ends:
                end.depth = 9
                end.peer.close()
                if end.transport is not None and end.transport._pipe is not None:
                    end.transport.close()
                    if isinstance(end, WriteEnd):
                        end.transport.abort()
            for _ in range(3):
                turn(loop)
    told.sort(key=str)
    return [*(end.trace for end in ends), told]
