"""The addresses of connections and datagrams, as the socket module has them."""

import asyncio
import contextlib
import socket

import pytest

import tornado4

both = pytest.mark.parametrize(
    "make", [asyncio.SelectorEventLoop, tornado4.new_event_loop], ids=["stock", "tornado4"]
)


def link_local():
    """An address with a scope, if there is one here."""
    with contextlib.suppress(OSError), open("/proc/net/if_inet6") as interfaces:
        for line in interfaces:
            packed, index, *_ = line.split()
            if packed.startswith("fe80"):
                host = socket.inet_ntop(socket.AF_INET6, bytes.fromhex(packed))
                return (host, 0, 0, int(index, 16))
    return None


ADDRESSES = {
    "ipv4": (socket.AF_INET, ("127.0.0.1", 0)),
    "ipv6": (socket.AF_INET6, ("::1", 0, 0, 0)),
    "mapped": (socket.AF_INET6, ("::ffff:127.0.0.1", 0, 0, 0)),
    "scoped": (socket.AF_INET6, link_local()),
}


@pytest.fixture(params=ADDRESSES)
def bound(request):
    family, address = ADDRESSES[request.param]
    if address is None:
        pytest.skip("no interface has a link-local address")

    def make(kind):
        sock = socket.socket(family, kind)
        sock.setblocking(False)
        sock.bind(address)
        return sock

    return make


@both
def test_of_a_connection(make, bound):
    async def connect():
        loop = asyncio.get_running_loop()
        made = loop.create_future()

        class Asking(asyncio.Protocol):
            def connection_made(self, transport):
                made.set_result(transport)

        with bound(socket.SOCK_STREAM) as client, bound(socket.SOCK_STREAM) as listening:
            server = await loop.create_server(Asking, sock=listening)
            await loop.sock_connect(client, listening.getsockname())
            transport = await made
            shown = [transport.get_extra_info(name) for name in ("sockname", "peername")]
            assert shown == [client.getpeername(), client.getsockname()]
            transport.abort()
            server.close()

    loop = make()
    with contextlib.closing(loop):
        loop.run_until_complete(connect())


@both
def test_of_a_datagram(make, bound):
    async def exchange():
        loop = asyncio.get_running_loop()
        got = loop.create_future()

        class Asking(asyncio.DatagramProtocol):
            def datagram_received(self, data, addr):
                got.set_result((data, addr))

        own = bound(socket.SOCK_DGRAM)
        with bound(socket.SOCK_DGRAM) as peer:
            transport, _ = await loop.create_datagram_endpoint(Asking, sock=own)
            await loop.sock_connect(peer, own.getsockname())
            peer.send(b"there")
            assert await got == (b"there", peer.getsockname())
            assert transport.get_extra_info("sockname") == peer.getpeername()
            transport.sendto(b"back", peer.getsockname())
            assert await asyncio.wait_for(loop.sock_recv(peer, 10), 60) == b"back"
            transport.close()

    loop = make()
    with contextlib.closing(loop):
        loop.run_until_complete(exchange())
