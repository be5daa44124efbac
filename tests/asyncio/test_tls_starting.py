"""TLS that starts in the midst of a connection of asyncio, over a stream or over another TLS,
and what is under way then: as stock has it."""

import asyncio
import random
import sys

import pytest

from helpers import authorities
from helpers.authorities import HOST, on_versions
from helpers.scenarios import outcome
from helpers.servers import pair
from helpers.tls_asyncio import TLSBuffered, TLSPlain, told_of
from helpers.transports import on_transports

needs_tls_in_tls = pytest.mark.skipif(
    sys.version_info < (3, 11), reason="TLS over TLS is new in asyncio in 3.11"
)


async def starting(loop, left, right, version=None, ours=None):
    """TLS on both ends, the left one a server."""
    server = authorities.server(version=version)
    begun = loop.create_task(loop.start_tls(left.transport, left, server, server_side=True))
    own = await loop.start_tls(
        right.transport, right, ours or authorities.client(), server_hostname=HOST
    )
    left.transport, right.transport = await begun, own


async def came(*pairs):
    while not all(len(end.data) >= size for end, size in pairs):
        await asyncio.sleep(0)


async def lost(*ends):
    while not all(end.lost for end in ends):
        await asyncio.sleep(0)


async def exchanged(first, second, size):
    """Whether so much gets through in both directions at the same time."""
    data = random.Random(size).randbytes(size)
    first.data = second.data = b""
    first.transport.write(data)
    second.transport.write(data[::-1])
    await came((first, size), (second, size))
    return first.data == data[::-1], second.data == data


@needs_tls_in_tls
@on_transports
@on_versions
@pytest.mark.parametrize("made", [TLSPlain, TLSBuffered])
@pytest.mark.parametrize("closes", ["first", "second", "aborts"])
def test_tls_in_tls(run, made, closes, version):
    def scenario(loop, trace):
        async def main():
            first, second = made([]), made([])
            server, first.transport, second.transport = await pair(loop, first, second)
            for depth in range(3):
                await starting(loop, first, second, version)
                for size in (10, 200_000):
                    trace.append((depth, await exchanged(first, second, size)))
            own = second.transport.get_extra_info("ssl_object")
            trace.append((own.version(), own.getpeercert()["subject"]))
            end = first if closes == "first" else second
            (end.transport.abort if closes == "aborts" else end.transport.close)()
            await lost(first, second)
            for one in (first, second):
                trace.append([event for event in one.trace if event[0] != "data"])
            server.close()

        loop.run_until_complete(main())

    trace = run(scenario)
    assert trace[:6] == [(depth, (True, True)) for depth in range(3) for _ in range(2)]


@on_transports
@on_versions
@pytest.mark.parametrize("kind", ["wrong name", "expired", "unknown"])
def test_a_certificate_that_is_refused(run, kind, version):
    def scenario(loop, trace):
        async def main():
            first, second = TLSPlain([]), TLSPlain([])
            server, left, right = await pair(loop, first, second)
            begun = loop.create_task(
                told_of(loop.start_tls(left, first, authorities.server(kind), server_side=True))
            )
            context = authorities.client(version=version)
            trace.append(
                await told_of(loop.start_tls(right, second, context, server_hostname=HOST))
            )
            result = await begun
            trace.append(result if isinstance(result, tuple) else type(result).__name__)
            trace.append((left.is_closing(), right.is_closing()))
            for end in (first, second):
                trace.append(end.trace)
            left.abort()
            right.abort()
            server.close()
            await asyncio.sleep(0.01)

        loop.run_until_complete(main())

    assert run(scenario)[0][0] == "SSLCertVerificationError"


@on_transports
@pytest.mark.parametrize("reading", ["paused", "waiting"])
def test_what_had_come_before(run, reading):
    """Words in the clear that nobody has read, before the first of TLS."""

    def scenario(loop, trace):
        async def main():
            first, second = TLSPlain([]), TLSPlain([])
            server, left, right = await pair(loop, first, second)
            if reading == "paused":
                left.pause_reading()
            right.write(b"in the clear")
            await asyncio.sleep(0.01)
            begun = loop.create_task(
                told_of(loop.start_tls(left, first, authorities.server(), server_side=True))
            )
            other = loop.create_task(
                told_of(loop.start_tls(right, second, authorities.client(), server_hostname=HOST))
            )
            for task in (begun, other):
                result = await task
                trace.append(result if isinstance(result, tuple) else type(result).__name__)
            trace.append(first.data)
            for transport in (left, right):
                transport.abort()
            server.close()
            await asyncio.sleep(0.01)

        loop.run_until_complete(main())

    trace = run(scenario)
    # Either they were read before, or they are taken for TLS, which they aren't.
    assert (trace[2] == b"in the clear") == (trace[0] == "_SSLProtocolTransport")


@pytest.mark.skipif(sys.version_info < (3, 11), reason="StreamWriter.start_tls is new in 3.11")
@on_transports
@on_versions
@pytest.mark.parametrize("lines", [1, 200])
def test_streams(run, lines, version):
    def scenario(loop, trace):
        rng = random.Random(lines)
        words = [rng.randbytes(rng.randint(0, 3000)).hex().encode() for _ in range(lines)]

        async def serve(reader, writer):
            trace.append(("server", await reader.readline()))
            writer.write(b"GO\n")
            await writer.drain()
            await writer.start_tls(authorities.server(version=version))
            while line := await reader.readline():
                writer.write(line[::-1].strip() + b"\n")
                await writer.drain()
            writer.close()

        async def main():
            server = await asyncio.start_server(serve, "127.0.0.1", 0)
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"STARTTLS\n")
            trace.append(("client", await reader.readline()))
            await writer.start_tls(authorities.client(), server_hostname=HOST)
            for word in words:
                writer.write(word + b"\n")
                await writer.drain()
                trace.append(await reader.readline() == word[::-1] + b"\n")
            trace.append(writer.get_extra_info("ssl_object").version())
            trace.append(outcome(writer.can_write_eof))
            writer.close()
            trace.append(await told_of(writer.wait_closed()))
            server.close()
            await asyncio.sleep(0.01)

        loop.run_until_complete(main())

    trace = run(scenario)
    assert trace[2 : 2 + lines] == [True] * lines
    assert trace[-1] is None


@on_transports
@pytest.mark.parametrize("when", ["at once", "in its midst"])
def test_start_tls_that_is_cancelled(run, when):
    def scenario(loop, trace):
        async def main():
            first, second = TLSPlain([]), TLSPlain([])
            server, left, right = await pair(loop, first, second)
            begun = loop.create_task(
                loop.start_tls(right, second, authorities.client(), server_hostname=HOST)
            )
            await asyncio.sleep(0 if when == "at once" else 0.01)
            begun.cancel()
            trace.append((await told_of(begun))[0])
            await asyncio.sleep(0.01)
            trace.append((right.is_closing(), second.trace))
            for transport in (left, right):
                transport.abort()
            server.close()
            await asyncio.sleep(0.01)

        loop.run_until_complete(main())

    assert run(scenario)[0] == "CancelledError"
