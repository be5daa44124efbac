"""TLS connections of asyncio whose peers go at any step: nothing is left of them."""

import asyncio
import contextlib
import socket

import pytest

from helpers import authorities, tls_resets
from helpers.authorities import HOST
from helpers.loops import stock_asyncio, tornado4_asyncio
from helpers.scenarios import turns
from helpers.tls_asyncio import LOCAL, told_of
from helpers.tls_resets import LARGE

# At a time.
TOGETHER = 34


class Serving(asyncio.Protocol):
    """Does what the first letter asks for."""

    open = 0

    def connection_made(self, transport):
        type(self).open += 1
        self.transport = transport

    def data_received(self, data):
        kind = data[:1]
        self.transport.write(LARGE if kind == b"m" else data)
        if kind == b"c":
            self.transport.close()
        elif kind == b"a":
            self.transport.write(LARGE)
            self.transport.abort()

    def connection_lost(self, error):
        type(self).open -= 1


class ServingBuffered(asyncio.BufferedProtocol):
    """The same, with a buffer of its own."""

    connection_made = Serving.connection_made
    connection_lost = Serving.connection_lost
    open = 0

    def get_buffer(self, hint):
        self.buffer = memoryview(bytearray(100))
        return self.buffer

    def buffer_updated(self, count):
        Serving.data_received(self, bytes(self.buffer[:count]))


def ended(loop, kind):
    """Those that haven't heard of the end yet do so."""
    for _ in range(1000):
        if not kind.open:
            break
        turns(loop, 3)
    assert kind.open == 0
    turns(loop, 5)


def served(loop, kind):
    """Rounds of clients that come to a server of ours."""
    context = authorities.server()

    def rounds(count):
        server = loop.run_until_complete(
            loop.create_server(kind, LOCAL, 0, ssl=context, backlog=TOGETHER)
        )
        address = server.sockets[0].getsockname()
        chosen = tls_resets.steps(count, count)
        for first in range(0, count, TOGETHER):
            some = enumerate(chosen[first : first + TOGETHER])
            lives = [tls_resets.connecting(address, step, number) for number, step in some]
            tls_resets.live(lives, lambda: turns(loop))
        server.close()
        ended(loop, kind)

    return rounds


def connected(loop, kind):
    """Rounds of clients of ours whose servers go."""
    context = authorities.client()

    def rounds(count):
        chosen = tls_resets.steps(count, count)
        with socket.create_server((LOCAL, 0), backlog=TOGETHER) as listening:
            listening.setblocking(False)
            address = listening.getsockname()
            for first in range(0, count, TOGETHER):
                some = chosen[first : first + TOGETHER]
                connecting = [
                    loop.create_task(
                        told_of(
                            loop.create_connection(
                                kind, *address, ssl=context, server_hostname=HOST
                            )
                        )
                    )
                    for _ in some
                ]
                lives = [
                    tls_resets.accepted(listening, step, number) for number, step in enumerate(some)
                ]
                tls_resets.live(lives, lambda: turns(loop))
                loop.run_until_complete(asyncio.wait(connecting))
                connecting.clear()
        ended(loop, kind)

    return rounds


def growth(factory, ends, kind, count):
    loop = factory()
    loop.set_exception_handler(lambda loop, context: None)
    with contextlib.closing(loop):
        return tls_resets.grown(ends(loop, kind), count)


on_ends = pytest.mark.parametrize("ends", [served, connected])


@on_ends
@pytest.mark.parametrize("kind", [Serving, ServingBuffered])
def test_nothing_is_left(ends, kind):
    growth(tornado4_asyncio, ends, kind, 150)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@on_ends
def test_nothing_is_left_of_thousands(ends):
    stock = growth(stock_asyncio, ends, Serving, 3750)
    # What leaks of each connection, however little, is more.
    assert growth(tornado4_asyncio, ends, Serving, 3750) < max(stock, 0) + 4_000_000
