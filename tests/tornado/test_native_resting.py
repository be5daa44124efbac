"""A stream that nobody reads from for a while: what the kernel is asked for meanwhile."""

import asyncio
import contextlib
import socket
import sys

import pytest

import tornado4
import tornado4.iostream
from helpers.loops import tornado4_asyncio

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it looks into Linux's /proc")

INPUT = 1


def asked_for(loop, sock):
    """The events that the loop's poll is asked for of a socket."""
    with open(f"/proc/self/fdinfo/{loop._poll_fd()}") as file:
        lines = [line.split() for line in file if line.startswith("tfd:")]
    return {int(line[1]): int(line[3], 16) for line in lines}.get(sock.fileno())


@pytest.fixture
def loop():
    loop = tornado4_asyncio()
    yield loop
    loop.close()


@contextlib.contextmanager
def stream():
    mine, peer = socket.socketpair()
    stream = tornado4.iostream.IOStream(mine)
    try:
        yield stream, peer
    finally:
        stream.close()
        peer.close()


async def turns(count):
    for _ in range(count):
        await asyncio.sleep(0)


async def read_with_a_rest(stream, peer):
    """A read by an event that has brought more than that read wants, and nobody reads on."""
    reading = stream.read_until(b"\n")
    peer.sendall(b"line\nrest")
    assert await reading == b"line\n"


def test_it_is_asked_for_until_the_loop_waits(loop):
    async def main():
        with stream() as (mine, peer):
            await read_with_a_rest(mine, peer)
            await turns(5)
            # Nobody waits for input, but that may change before the loop has nothing to do.
            assert mine._state == 0x18
            assert asked_for(loop, mine.socket) & INPUT
            await asyncio.sleep(0.01)
            assert not asked_for(loop, mine.socket) & INPUT
            reading = mine.read_until(b"\n")
            assert asked_for(loop, mine.socket) & INPUT
            peer.sendall(b"\n")
            assert await reading == b"rest\n"

    loop.run_until_complete(asyncio.wait_for(main(), 20))


def test_who_reads_on_at_once_changes_nothing(loop):
    async def main():
        with stream() as (mine, peer):
            for _ in range(100):
                await read_with_a_rest(mine, peer)
                assert await mine.read_bytes(4) == b"rest"
                reading = mine.read_until(b"\n")
                assert asked_for(loop, mine.socket) & INPUT
                await turns(2)
                peer.sendall(b"\n")
                assert await reading == b"\n"

    loop.run_until_complete(asyncio.wait_for(main(), 20))


@pytest.mark.parametrize("busy", [True, False])
def test_input_that_nobody_reads_keeps_no_loop_busy(loop, busy):
    async def main():
        with stream() as (mine, peer):
            await read_with_a_rest(mine, peer)
            if busy:
                await turns(2)
            peer.sendall(b"more")
            if busy:
                await turns(5)
                # It was reported, and isn't any more.
                assert not asked_for(loop, mine.socket) & INPUT
            measured = tornado4.metrics(loop)
            before = measured.read().turns
            for _ in range(5):
                peer.sendall(b"more")
                await asyncio.sleep(0.02)
            assert measured.read().turns - before < 60
            assert await mine.read_bytes(8) == b"restmore"

    loop.run_until_complete(asyncio.wait_for(main(), 20))


@pytest.mark.parametrize("waits", [True, False])
@pytest.mark.parametrize("late", [True, False])
def test_its_end_is_seen_by_whom_it_concerns(loop, waits, late):
    """As stock: not as long as something is in the buffer."""

    async def main():
        with stream() as (mine, peer):
            ended = asyncio.Event()
            await read_with_a_rest(mine, peer)
            if late:
                assert await mine.read_bytes(4) == b"rest"
            mine.set_close_callback(ended.set)
            await (asyncio.sleep(0.01) if waits else turns(3))
            peer.close()
            await asyncio.sleep(0.01)
            assert ended.is_set() == late
            if not late:
                assert await mine.read_bytes(4) == b"rest"
                # Now it looks whether there is an end.
            await asyncio.wait_for(ended.wait(), 10)
            assert mine.closed()

    loop.run_until_complete(asyncio.wait_for(main(), 20))


def test_one_that_rests_may_be_closed_and_another_one_gets_its_number(loop):
    async def main():
        for _ in range(20):
            with stream() as (mine, peer):
                await read_with_a_rest(mine, peer)
                number = mine.socket.fileno()
                mine.close()
                with stream() as (other, its_peer):
                    assert other.socket.fileno() == number
                    reading = other.read_until(b"\n")
                    assert asked_for(loop, other.socket) & INPUT
                    its_peer.sendall(b"line\n")
                    assert await reading == b"line\n"

    loop.run_until_complete(asyncio.wait_for(main(), 20))


def test_who_watches_the_number_of_one_that_was_closed_is_told(loop):
    """Closed without the stream knowing, by whoever has its socket."""

    async def main():
        with stream() as (mine, peer):
            await read_with_a_rest(mine, peer)
            number = mine.socket.fileno()
            mine.socket.close()
            one, two = socket.socketpair()
            with one, two:
                assert one.fileno() == number
                told = asyncio.Event()
                loop.add_reader(one, told.set)
                two.sendall(b"x")
                await asyncio.wait_for(told.wait(), 10)
                loop.remove_reader(one)

    loop.run_until_complete(asyncio.wait_for(main(), 20))
