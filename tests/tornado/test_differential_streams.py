"""Random programs on both ends of Tornado's streams, with pauses, closes and resets.

Every byte that was sent is read, in order, on every loop, and every operation ends as on
the stock loop. How much one read gives is up to the system, so reads that may be partial
are repeated until they add up.
"""

import asyncio
import contextlib
import fcntl
import functools
import os
import random
import socket
import ssl
import struct
import tempfile
import termios
import zlib

import pytest
from OpenSSL import crypto
from tornado.iostream import IOStream, PipeIOStream, StreamClosedError

from helpers.certificates import certificate
from helpers.loops import LIMIT, on_io_loops

SEEDS = range(40)
MOST = 200_000
SIZED = ("bytes", "into", "partial", "partial_into")
HOWS = ("shutdown", "close", "reset")
ENDS = {"pipe": ["close"], "unix": HOWS[:2], "tcp": HOWS, "tls": HOWS[1:]}
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, for no time

on_kinds = pytest.mark.parametrize("kind", ["pipe", "unix", "tcp", "tls"])
on_sockets = pytest.mark.parametrize("kind", ["unix", "tcp"])


def sockets(kind, rng):
    if kind == "unix":
        return socket.socketpair()
    with socket.create_server(("127.0.0.1", 0)) as server:
        small = rng.random() < 0.3
        if small:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 5000)
        client = socket.create_connection(server.getsockname())
        if small:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 5000)
        return client, server.accept()[0]


@functools.cache
def contexts():
    """What both sides of a TLS connection are made with."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        key = certificate().privateKey.dump(crypto.FILETYPE_PEM)
        file.write(key + certificate().dumpPEM())
        file.flush()
        server.load_cert_chain(file.name)
    client = ssl.create_default_context(cadata=certificate().dumpPEM().decode())
    client.check_hostname = False
    return server, client


async def streams(kind, rng):
    """A stream that writes and one that reads."""
    if kind == "pipe":
        r, w = os.pipe()
        return PipeIOStream(w), PipeIOStream(r)
    writer, reader = map(IOStream, sockets(kind, rng))
    if kind == "tls":
        server, client = contexts()
        return await asyncio.gather(writer.start_tls(True, server), reader.start_tls(False, client))
    return writer, reader


def content(rng):
    """Lines of random lengths, their whole of a random size, perhaps without a last end."""
    size = rng.choice([0, *(rng.randint(1, most) for most in (100, 10_000, MOST, MOST))])
    data = bytearray(rng.randbytes(size).replace(b"\n", b"."))
    at = 0
    while at < size:
        at += rng.choice([1, rng.randint(1, 80), rng.randint(1, 5000)])
        data[at - 1 : at] = b"\n"[: size - at + 1]
    return bytes(data)


async def pause(rng):
    choice = rng.random()
    if choice < 0.2:
        await asyncio.sleep(rng.choice([0.001, 0.003, 0.01]))
    elif choice < 0.5:
        await asyncio.sleep(0)


async def arrived(sock):
    """Everything that was sent has reached the other side, read or not."""
    while struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, b"1234"))[0]:
        await asyncio.sleep(0.001)


async def send(stream, data, rng):
    """Write in pieces, waiting for some of the writes at once and for all at last."""
    writes = []
    hasty = rng.random() < 0.5
    while data:
        size = rng.choice([1, rng.randint(1, 100), rng.randint(1, 70_000)])
        piece, data = data[:size], data[size:]
        writes.append(stream.write(piece))
        if not hasty:
            await pause(rng)
            if rng.random() < 0.5:
                await writes[-1]
    await asyncio.gather(*writes)


class Reader:
    """Reads from a stream by random operations; `trace` has what came of each."""

    def __init__(self, stream, rng, trace):
        self.stream = stream
        self.rng = rng
        self.trace = trace
        self.data = b""

    async def until(self, _):
        return await self.stream.read_until(b"\n")

    async def regex(self, _):
        return await self.stream.read_until_regex(rb"[\n\x00]")

    async def bytes(self, size):
        return await self.stream.read_bytes(size)

    async def into(self, size):
        buffer = bytearray(size)
        return bytes(buffer[: await self.stream.read_into(buffer)])

    async def partial(self, size):
        while size > 0:
            got = await self.stream.read_bytes(size, partial=True)
            self.data += got
            size -= len(got)
        return b""

    async def partial_into(self, size):
        while size > 0:
            buffer = bytearray(size)
            got = await self.stream.read_into(buffer, partial=True)
            self.data += buffer[:got]
            size -= got
        return b""

    async def until_close(self, _=0):
        return await self.stream.read_until_close()

    async def read(self, name, size):
        before = len(self.data)
        try:
            got = await getattr(self, name)(size)
        except StreamClosedError as error:
            self.trace.append((name, size, type(error.real_error).__name__))
            return False
        self.data += got
        self.trace.append((name, size, len(self.data) - before, zlib.crc32(self.data)))
        return True

    async def read_all(self):
        """Read until the stream says that it is closed; then what it still has."""
        names = ("until", "until", "regex", "until_close", *SIZED)
        weights = (1, 1, 1, 0.3, *[1] * len(SIZED))
        while True:
            await pause(self.rng)
            (name,) = self.rng.choices(names, weights)
            if not await self.read(name, some(self.rng)):
                break
        # No read gets at it after one that has failed for a stream closed before.
        stream = self.stream
        start = getattr(stream, "_read_buffer_pos", 0)
        self.data += stream._read_buffer[start : start + stream._read_buffer_size]

    async def read_exactly(self, size):
        while len(self.data) < size:
            await pause(self.rng)
            piece = min(some(self.rng), size - len(self.data))
            assert await self.read(self.rng.choice(SIZED), piece)


def some(rng):
    return rng.choice([1, rng.randint(1, 200), rng.randint(1, 30_000)])


def end(stream, how):
    if how == "reset":
        stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    if how == "shutdown":
        stream.socket.shutdown(socket.SHUT_WR)
    else:
        stream.close()


@on_kinds
@on_io_loops
def test_one_sends_and_ends_while_the_other_reads(run, kind):
    def scenario(io_loop, trace, seed):
        rng = random.Random(seed)
        how = rng.choice(ENDS[kind])
        data = content(rng)

        async def main():
            writer, stream = await streams(kind, rng)
            # Each has its own, since it is up to the system who goes first.
            reader = Reader(stream, random.Random(seed), trace)

            async def sending():
                await send(writer, data, rng)
                if how == "reset":
                    await arrived(writer.socket)
                end(writer, how)

            with contextlib.closing(writer), contextlib.closing(stream):
                await asyncio.gather(sending(), reader.read_all())
            assert reader.data == data
            trace.append((how, len(data)))

        io_loop.run_sync(main, timeout=LIMIT)

    seen = set()
    for seed in SEEDS:
        trace = run(lambda *args, seed=seed: scenario(*args, seed))
        seen.update(event[0] for event in trace)
    assert {"until", "regex", "until_close", *SIZED} < seen


@on_sockets
@on_io_loops
def test_both_send_and_read_and_one_ends(run, kind):
    def scenario(io_loop, trace, seed):
        rng = random.Random(seed)
        how = rng.choice(HOWS if kind == "tcp" else HOWS[:2])
        sent = [content(rng), content(rng)]

        async def main():
            ends = await streams(kind, rng)
            traces = [], []
            readers = [
                Reader(stream, random.Random(rng.random()), traces[number])
                for number, stream in enumerate(ends)
            ]
            with contextlib.closing(ends[0]), contextlib.closing(ends[1]):
                await asyncio.gather(
                    send(ends[0], sent[0], random.Random(rng.random())),
                    send(ends[1], sent[1], random.Random(rng.random())),
                    readers[0].read_exactly(len(sent[1])),
                    readers[1].read_exactly(len(sent[0])),
                )
                end(ends[0], how)
                await pause(rng)
                await readers[1].read_all()
            assert [reader.data for reader in readers] == sent[::-1]
            trace.extend([*traces[0], *traces[1], how])

        io_loop.run_sync(main, timeout=LIMIT)

    seen = set()
    for seed in SEEDS:
        trace = run(lambda *args, seed=seed: scenario(*args, seed))
        seen.update(trace[-1:])
    assert seen == set(HOWS if kind == "tcp" else HOWS[:2])


@on_sockets
@on_io_loops
def test_one_ends_without_having_read(run, kind):
    # Which resets the connection; what it had sent is read even so.
    def scenario(io_loop, trace, seed):
        rng = random.Random(seed)
        data = content(rng)

        async def main():
            peer, sock = sockets(kind, rng)
            peer.setblocking(False)
            stream = IOStream(sock)
            reader = Reader(stream, random.Random(seed), trace)

            async def sending():
                await asyncio.get_running_loop().sock_sendall(peer, data)
                if kind == "tcp":
                    await arrived(peer)
                peer.close()

            with contextlib.closing(stream):
                await stream.write(b"not read")
                while True:
                    with contextlib.suppress(BlockingIOError):
                        assert peer.recv(100, socket.MSG_PEEK) == b"not read"
                        break
                    await asyncio.sleep(0.001)
                await asyncio.gather(sending(), reader.read_all())
            assert reader.data == data

        io_loop.run_sync(main, timeout=LIMIT)

    reasons = set()
    for seed in SEEDS:
        trace = run(lambda *args, seed=seed: scenario(*args, seed))
        reasons.add(trace[-1][2])
    assert "ConnectionResetError" in reasons


@pytest.mark.parametrize("kind", ["pipe", "unix", "tcp"])
@on_io_loops
def test_a_write_that_the_other_end_never_reads_fails(run, kind):
    def scenario(io_loop, trace, seed):
        rng = random.Random(seed)

        async def main():
            writer, other = await streams(kind, rng)
            with contextlib.closing(writer):
                writing = writer.write(bytes(10_000_000))
                await pause(rng)
                other.close()
                try:
                    await writing
                except StreamClosedError as error:
                    trace.append(type(error.real_error).__name__)
                trace.append(writer.closed())

        io_loop.run_sync(main, timeout=LIMIT)

    for seed in SEEDS:
        reason = "ConnectionResetError" if kind == "tcp" else "BrokenPipeError"
        assert run(lambda *args, seed=seed: scenario(*args, seed)) == [reason, True]
