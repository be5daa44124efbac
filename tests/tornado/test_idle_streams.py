"""Tornado's streams that wait for nothing while their peer ends."""

import asyncio
import os
import socket
import struct
import sys

import pytest
from tornado.iostream import IOStream, PipeIOStream, StreamClosedError
from tornado.process import Subprocess

from helpers.loops import LIMIT, on_io_loops


async def lines_of(stream, every, seconds, while_open=False):
    """Count the lines of a stream, with a pause after so many."""
    count = 0
    while not (while_open and stream.closed()):
        try:
            await stream.read_until(b"\n")
        except StreamClosedError:
            break
        count += 1
        if count % every == 0:
            await asyncio.sleep(seconds)
    return count


@on_io_loops
@pytest.mark.parametrize(("every", "seconds"), [(1, 0), (500, 0.1), (10, 0.003)])
def test_the_lines_of_a_child(run, every, seconds):
    program = "for i in range(2000): print(i, 'x' * 50)"

    def scenario(io_loop, trace):
        async def main():
            child = Subprocess([sys.executable, "-c", program], stdout=Subprocess.STREAM)
            trace.append(await lines_of(child.stdout, every, seconds))
            child.proc.wait()

        io_loop.run_sync(main, timeout=LIMIT)

    assert run(scenario) == [2000]


@on_io_loops
@pytest.mark.parametrize("kind", ["pipe", "unix"])
def test_lines_in_the_buffer_of_a_stream_that_is_open_as_long_as_it_has_some(run, kind):
    def scenario(io_loop, trace):
        async def main():
            if kind == "pipe":
                r, w = os.pipe()
                stream = PipeIOStream(r)
            else:
                left, right = socket.socketpair()
                w, stream = left.detach(), IOStream(right)
            reading = asyncio.ensure_future(lines_of(stream, 1, 0.005, while_open=True))
            await asyncio.sleep(0.01)
            os.write(w, b"line\n" * 20)
            await asyncio.sleep(0.01)
            os.close(w)
            trace.append(await reading)
            stream.close()

        io_loop.run_sync(main, timeout=LIMIT)

    assert run(scenario) == [20]


@on_io_loops
def test_what_came_before_a_reset(run):
    size = 150_000

    def scenario(io_loop, trace):
        async def main():
            with socket.create_server(("127.0.0.1", 0)) as server:
                peer = socket.create_connection(server.getsockname())
                stream = IOStream(server.accept()[0])
            reading = stream.read_until(b"\n")
            await asyncio.sleep(0.01)
            peer.sendall(b"\n" + bytes(size))
            # It reads what one read gives, and waits for no more.
            await reading
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            peer.close()
            await asyncio.sleep(0.01)
            trace.append(len(await stream.read_until_close()))

        io_loop.run_sync(main, timeout=LIMIT)

    assert run(scenario) == [size]
