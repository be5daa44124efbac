"""Transports of a reactor that a foreign loop drives: written from anywhere, sent at once."""

import asyncio
import contextlib
import socket
import threading

import pytest

from helpers.foreign_hosts import factory, host, reactor  # noqa: F401
from helpers.streams import Handing, Traced


async def connection(reactor, loop, protocol):  # noqa: F811
    """A connection to a server of the reactor, which the loop itself reads and writes."""
    port = reactor.listenTCP(0, Handing(protocol), interface="127.0.0.1")
    sock = socket.socket()
    sock.setblocking(False)
    await loop.sock_connect(sock, ("127.0.0.1", port.getHost().port))
    while protocol.transport is None:
        await asyncio.sleep(0)
    port.stopListening()
    return sock


def run(reactor, loop, scenario, **hooks):  # noqa: F811
    trace = []
    protocol = Traced(trace, **hooks)

    async def main():
        with contextlib.closing(await connection(reactor, loop, protocol)) as sock:
            await asyncio.wait_for(scenario(loop, sock, protocol), 30)

    loop.run_until_complete(main())
    return trace


def test_there_and_back(reactor, host):  # noqa: F811
    async def scenario(loop, sock, protocol):
        for _ in range(3):
            protocol.data = b""
            await loop.sock_sendall(sock, b"hello")
            assert await loop.sock_recv(sock, 100) == b"hello"
        sock.close()
        while not protocol.lost:
            await asyncio.sleep(0)

    trace = run(reactor, host, scenario, data=lambda self: self.transport.write(self.data))
    assert trace == ["made", ("lost", "ConnectionDone")]


@pytest.mark.parametrize("how", ["task", "call_soon", "call_later", "threadsafe", "reader"])
def test_written_by_the_host_s_own_callback(reactor, host, how):  # noqa: F811
    async def scenario(loop, sock, protocol):
        write = protocol.transport.write
        if how == "task":
            write(b"hello")
        elif how == "call_soon":
            loop.call_soon(write, b"hello")
        elif how == "call_later":
            loop.call_later(0.01, write, b"hello")
        elif how == "threadsafe":
            threading.Thread(target=loop.call_soon_threadsafe, args=(write, b"hello")).start()
        else:
            left, right = socket.socketpair()
            loop.add_reader(left, lambda: (write(left.recv(100)), loop.remove_reader(left)))
            right.send(b"hello")
        # Nothing else wakes the reactor up.
        assert await loop.sock_recv(sock, 100) == b"hello"
        if how == "reader":
            left.close()
            right.close()

    assert run(reactor, host, scenario)[:1] == ["made"]


def test_much_is_written_by_the_host_s_own_callback(reactor, host):  # noqa: F811
    much = bytes(range(256)) * 10_000

    async def scenario(loop, sock, protocol):
        for start in range(0, len(much), 100_000):
            protocol.transport.write(much[start : start + 100_000])
        protocol.transport.loseConnection()
        data = bytearray()
        while piece := await loop.sock_recv(sock, 65536):
            data += piece
        assert data == much
        while not protocol.lost:
            await asyncio.sleep(0)

    assert run(reactor, host, scenario) == ["made", ("lost", "ConnectionDone")]


def test_written_before_the_host_runs(reactor, host):  # noqa: F811
    trace = []
    protocol = Traced(trace)
    sock = host.run_until_complete(connection(reactor, host, protocol))
    protocol.transport.write(b"hello")
    assert host.run_until_complete(host.sock_recv(sock, 100)) == b"hello"
    sock.close()


@pytest.mark.parametrize("how", ["loseConnection", "abortConnection"])
def test_ended_by_the_host_s_own_callback(reactor, host, how):  # noqa: F811
    async def scenario(loop, sock, protocol):
        getattr(protocol.transport, how)()
        with contextlib.suppress(ConnectionResetError):
            assert await loop.sock_recv(sock, 100) == b""
        while not protocol.lost:
            await asyncio.sleep(0)

    why = "ConnectionDone" if how == "loseConnection" else "ConnectionAborted"
    assert run(reactor, host, scenario) == ["made", ("lost", why)]


def test_closing_the_host_with_something_unsent(reactor, host):  # noqa: F811
    protocol = Traced([])
    sock = host.run_until_complete(connection(reactor, host, protocol))
    protocol.transport.write(b"never sent")
    reactor.disconnectAll()
    assert protocol.lost
    sock.close()
