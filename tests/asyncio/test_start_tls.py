"""asyncio's connections that become TLS in their midst, as stock has it."""

import asyncio

import pytest

from helpers.certificates import ssl_contexts
from helpers.scenarios import outcome
from helpers.servers import outcome_of, pair
from helpers.transports import Buffered, Plain, on_transports


@on_transports
@pytest.mark.parametrize("made", [Plain, Buffered])
@pytest.mark.parametrize("size", [10, 1_000_000])
@pytest.mark.parametrize("early", [False, True])
def test_start_tls(run, made, size, early):
    """Both ends begin TLS on a connection that has carried data, and data goes both ways."""

    def scenario(loop, trace):
        async def main():
            server_side, client_side = ssl_contexts()
            first, second = made([]), made([])
            server, left, right = await pair(loop, first, second)
            left.write(b"plain")
            right.write(b"plain too")
            while len(first.data) < 9 or len(second.data) < 5:
                await asyncio.sleep(0)
            first.data = second.data = b""
            starting = loop.create_task(loop.start_tls(left, first, server_side, server_side=True))
            if not early:
                await asyncio.sleep(0.01)
            other = await loop.start_tls(right, second, client_side, server_hostname="test")
            own = await starting
            trace.append([first.transport is left, second.transport is right])
            data = bytes(range(256)) * (size // 256) + b"."
            own.write(data)
            other.write(data[::-1])
            while len(first.data) < len(data) or len(second.data) < len(data):
                await asyncio.sleep(0)
            trace.append((first.data == data[::-1], second.data == data))
            trace.append(other.get_extra_info("ssl_object").version())
            trace.append(other.get_extra_info("peercert")["subject"])
            trace.append(other.get_extra_info("sockname") == own.get_extra_info("peername"))
            trace.append(outcome(other.write_eof))
            own.close()
            while not (first.lost and second.lost):
                await asyncio.sleep(0)
            trace.append([event for event in second.trace if event[0] != "data"])
            server.close()
            await server.wait_closed()

        loop.run_until_complete(main())

    trace = run(scenario)
    assert trace[:3] == [[True, True], (True, True), "TLSv1.3"]
    assert trace[-1][0] == ("connection_made",)
    assert trace[-1][-1] == ("connection_lost", None)


@on_transports
@pytest.mark.parametrize("side", ["server", "client"])
def test_start_tls_with_whom_it_fails(run, side):
    def scenario(loop, trace):
        async def main():
            server_side, client_side = ssl_contexts()
            first, second = Plain([]), Plain([])
            server, left, right = await pair(loop, first, second)
            if side == "server":
                starting = loop.start_tls(left, first, server_side, server_side=True)
                right.write(b"this is no TLS at all, and long enough to be seen")
            else:
                starting = loop.start_tls(right, second, client_side, server_hostname="test")
                left.write(b"this is no TLS at all, and long enough to be seen")
            result = await outcome_of(starting)
            trace.append(result[0])
            await asyncio.sleep(0.02)
            trace.append((left.is_closing(), right.is_closing()))
            left.abort()
            right.abort()
            server.close()
            await asyncio.sleep(0.02)

        loop.run_until_complete(main())

    trace = run(scenario)
    assert trace == ["SSLError", (True, True)]


@on_transports
@pytest.mark.parametrize("what", ["closed", "wrong context", "not compatible", "timeout"])
def test_start_tls_where_it_cannot_be(run, what):
    def scenario(loop, trace):
        async def main():
            server_side, _client_side = ssl_contexts()
            first, second = Plain([]), Plain([])
            server, left, right = await pair(loop, first, second)
            if what == "closed":
                left.close()
                await asyncio.sleep(0.01)
                starting = loop.start_tls(left, first, server_side, server_side=True)
            elif what == "wrong context":
                starting = loop.start_tls(left, first, None)
            elif what == "not compatible":
                starting = loop.start_tls(asyncio.Transport(), first, server_side)
            else:
                starting = loop.start_tls(
                    left, first, server_side, server_side=True, ssl_handshake_timeout=0.05
                )
            # On one that is closed it may wait for ever.
            limit = 0.5 if what == "closed" else 60
            result = await outcome_of(asyncio.wait_for(starting, limit))
            trace.append(result[0] if isinstance(result, tuple) else type(result).__name__)
            left.abort()
            right.abort()
            server.close()
            await asyncio.sleep(0.01)

        loop.run_until_complete(main())

    names = {"closed": None, "timeout": "ConnectionAbortedError"}
    trace = run(scenario)
    if what != "closed":
        assert trace == [names.get(what, "TypeError")]
