"""Data that a read leaves in the kernel, with a reactor that a foreign loop drives."""

import asyncio
import socket

import pytest

from helpers.foreign_hosts import factory, host, reactor  # noqa: F401
from helpers.loops import LIMIT
from helpers.streams import (
    PATTERN,
    Handing,
    Traced,
    TracedHalves,
    sized,
)

DONE = ("lost", "ConnectionDone")


def hosted(reactor, host, protocol, scenario):  # noqa: F811
    """Runs a coroutine with the peer of a connection, in the host's own loop."""

    async def until(done):
        while not done():
            await asyncio.sleep(0.001)

    async def main():
        port = reactor.listenTCP(0, Handing(protocol), interface="127.0.0.1")
        with socket.socket() as peer:
            peer.setblocking(False)
            await host.sock_connect(peer, ("127.0.0.1", port.getHost().port))
            await until(lambda: protocol.transport)
            port.stopListening()
            await asyncio.wait_for(scenario(peer, until), LIMIT)

    host.run_until_complete(main())


@pytest.mark.parametrize(("size", "count"), [(1, 50), (10, 200), (65_536, len(PATTERN))])
@pytest.mark.parametrize("kind", [Traced, TracedHalves])
def test_a_guest_s_data(reactor, host, size, count, kind):  # noqa: F811
    async def scenario(peer, until):
        await host.sock_sendall(peer, PATTERN[:count])
        await until(lambda: len(protocol.data) == count)
        # Once more, with a larger buffer and then nothing that would wake anybody.
        protocol.transport.pauseProducing()
        sending = asyncio.ensure_future(host.sock_sendall(peer, PATTERN[:count]))
        await asyncio.sleep(0.01)
        protocol.transport.resumeProducing()
        await sending
        peer.shutdown(socket.SHUT_WR)
        await until(lambda: len(protocol.trace) == 2)

    protocol = kind([], made=sized(size))
    hosted(reactor, host, protocol, scenario)
    assert protocol.data == PATTERN[:count] * 2
    assert protocol.trace == ["made", DONE if kind is Traced else "read lost"]


@pytest.mark.parametrize("size", [3, 65_536])
def test_a_guest_s_urgent_data(reactor, host, size):  # noqa: F811
    async def scenario(peer, until):
        peer.send(b"before ")
        peer.send(b"!", socket.MSG_OOB)
        peer.send(b"after")
        await until(lambda: len(protocol.data) >= 12)

    protocol = Traced([], made=sized(size))
    hosted(reactor, host, protocol, scenario)
    assert protocol.data == b"before after"


@pytest.mark.parametrize("size", [3, 65_536])
def test_a_guest_s_data_comes_in_another_run_of_the_host(reactor, host, size):  # noqa: F811
    protocol = Traced([], made=sized(size), data=lambda _: host.stop())
    port = reactor.listenTCP(0, Handing(protocol), interface="127.0.0.1")
    with socket.create_connection(("127.0.0.1", port.getHost().port)) as peer:
        peer.send(PATTERN[:10])
        while len(protocol.data) < 10:
            host.run_forever()
        assert protocol.data == PATTERN[:10]
        port.stopListening()
