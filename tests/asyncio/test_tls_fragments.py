"""asyncio's TLS where everything arrives in fragments, down to single bytes: each byte of the
data gets through, and nobody is told anything else than on stock."""

import asyncio
import contextlib
import random

import pytest

from helpers import authorities
from helpers.authorities import HOST, VERSIONS
from helpers.fragments import Fragmenting
from helpers.tls_asyncio import TLSBuffered, TLSPlain, run_until, serving, told_of
from helpers.transports import on_transports

# Around the size of a record, and of what is read at once.
SIZES = [1, 100, 16_383, 16_384, 16_385, 65_537, 300_000]


def pattern(size, seed):
    return random.Random(seed).randbytes(size)


@contextlib.contextmanager
def fragmenting(loop, address, seed, largest, **kwargs):
    rng = random.Random(seed)
    proxy = Fragmenting(loop.call_soon, address, lambda: rng.randint(1, largest), **kwargs)
    try:
        yield proxy
    finally:
        proxy.stop()


@on_transports
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("made", [TLSPlain, TLSBuffered])
def test_byte_by_byte(run, made, version):
    """The handshake, data in both directions, and the end."""

    def scenario(loop, trace):
        first, second = made([]), made([])
        server = authorities.server(version=version)
        with (
            serving(loop, lambda: first, ssl=server) as address,
            fragmenting(loop, address, 0, 1) as proxy,
        ):
            connecting = loop.create_connection(
                lambda: second, *proxy.address, ssl=authorities.client(), server_hostname=HOST
            )
            loop.run_until_complete(connecting)
            run_until(loop, lambda: first.transport)
            for one, other in [(first, second), (second, first)]:
                for size in (1, 2, 700):
                    one.transport.write(pattern(size, size))
                    run_until(loop, lambda other=other, size=size: len(other.data) >= size)
                    trace.append(other.data == pattern(size, size))
                    other.data = b""
            second.transport.close()
            run_until(loop, lambda: first.lost and second.lost)
            trace.append(("fragments", proxy.fragments == proxy.handed_on > 2000))
        trace.extend([first.trace, second.trace])

    trace = run(scenario)
    assert trace[:-2] == [True] * 6 + [("fragments", True)]
    assert trace[-1][-1] == trace[-2][-1] == ("connection_lost", None)


@on_transports
@pytest.mark.parametrize("seed", range(6))
def test_random_fragments(run, seed):
    """Much data both ways at the same time, and a client that pauses now and then."""

    def scenario(loop, trace):
        rng = random.Random(seed)
        kinds = [TLSPlain, TLSBuffered]
        first, second = rng.choice(kinds)([]), rng.choice(kinds)([])
        largest = rng.choice([100, 5000, 20_000, 100_000])
        with (
            serving(loop, lambda: first, ssl=authorities.server()) as address,
            fragmenting(loop, address, seed, largest, bytewise=0) as proxy,
        ):
            connecting = loop.create_connection(
                lambda: second, *proxy.address, ssl=authorities.client(), server_hostname=HOST
            )
            loop.run_until_complete(connecting)
            run_until(loop, lambda: first.transport)
            sent = {first: b"", second: b""}
            for number in range(rng.randint(1, 6)):
                size = rng.choice(SIZES) if largest > 100 else rng.randint(0, 10_000)
                for end in (first, second):
                    data = pattern(size, number)
                    sent[end] += data
                    end.transport.write(data)
                if rng.random() < 0.3:
                    second.transport.pause_reading()
                    loop.call_later(0.002, second.transport.resume_reading)
            total = len(sent[first])
            run_until(loop, lambda: len(first.data) >= total and len(second.data) >= total)
            trace.append((first.data == sent[second], second.data == sent[first]))
            first.transport.close()
            run_until(loop, lambda: first.lost and second.lost)
            assert proxy.handed_on > 2 * total
        # Flow control depends on what the kernel takes.
        for end in (first, second):
            trace.append([event[0] for event in end.trace if "writing" not in event[0]])

    trace = run(scenario)
    assert trace[0] == (True, True)


@on_transports
@pytest.mark.parametrize("bytewise", [0, 6000])
def test_streams(run, bytewise):
    def scenario(loop, trace):
        rng = random.Random(bytewise)
        lines = [rng.randbytes(rng.randint(0, 3000)).replace(b"\n", b".") for _ in range(60)]

        async def answer(reader, writer):
            while line := await reader.readline():
                writer.write(line[::-1])
                await writer.drain()
            writer.close()

        async def ask(address):
            reader, writer = await asyncio.open_connection(
                *address, ssl=authorities.client(), server_hostname=HOST
            )
            for line in lines:
                writer.write(line + b"\n")
                await writer.drain()
                trace.append(await reader.readexactly(len(line) + 1) == b"\n" + line[::-1])
            writer.close()
            trace.append(await told_of(writer.wait_closed()))

        async def main():
            server = await asyncio.start_server(
                answer, "127.0.0.1", 0, ssl=authorities.server(), limit=5000
            )
            address = server.sockets[0].getsockname()
            with fragmenting(loop, address, 1, 700, bytewise=bytewise) as proxy:
                await asyncio.wait_for(ask(proxy.address), 30)
                server.close()
                await server.wait_closed()

        loop.run_until_complete(main())

    assert run(scenario) == [True] * 60 + [None]
