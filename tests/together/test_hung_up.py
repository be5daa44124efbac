"""Descriptors that have hung up and that nobody asks about: no loop spins for them."""

import asyncio
import contextlib
import os
import select
import socket
import struct

import pytest
from twisted.internet.protocol import Factory, Protocol

import tornado4
from helpers.descriptors import Watched
from helpers.loops import as_global, watchdog
from helpers.scenarios import pipe, turns
from tornado4.platform.twisted import TornadoReactor


def is_silent(poll):
    return select.select([poll], [], [], 0) == ([], [], [])


@contextlib.contextmanager
def hung_up():
    """A pipe and a socket whose other ends are closed, with input left."""
    with pipe() as (r, w):
        left, right = socket.socketpair()
        with left:
            os.write(w, b"x")
            right.send(b"x")
            os.close(w)
            right.close()
            yield [r, left.fileno()]


def test_readers_and_writers_that_were_removed():
    loop = tornado4.new_event_loop()
    with hung_up() as fds:
        for fd in fds:
            loop.add_reader(fd, print)
        assert not is_silent(loop._poll_fd())
        for fd in fds:
            loop.remove_reader(fd)
        loop.add_writer(fds[1], print)
        loop.remove_writer(fds[1])
        turns(loop, 2)
        assert is_silent(loop._poll_fd())
    loop.close()


@pytest.mark.parametrize("new_loop", [tornado4.new_event_loop, asyncio.SelectorEventLoop])
def test_twisted_readers_that_were_removed_and_transports_that_pause(new_loop):
    loop = new_loop()
    reactor = TornadoReactor(loop)
    made, lost = [], []

    class Pauses(Protocol):
        def connectionMade(self):
            self.transport.pauseProducing()
            made.append(self)

        def connectionLost(self, reason):
            lost.append(self)

    def reset(peer):
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()

    ends = [reset, socket.socket.close, lambda peer: peer.shutdown(socket.SHUT_WR)]
    factory = Factory.forProtocol(Pauses)
    factory.noisy = False
    with (
        as_global(reactor),
        watchdog(lambda: loop.call_soon_threadsafe(loop.stop)),
        contextlib.ExitStack() as stack,
        hung_up() as fds,
    ):
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        peers = [socket.create_connection(("127.0.0.1", port.getHost().port)) for _ in ends]
        for peer in peers:
            stack.enter_context(peer)
        while len(made) < len(ends):
            reactor.iterate(0.01)
        for peer, end in zip(peers, ends, strict=True):
            peer.send(b"x")
            end(peer)
        for fd in fds:
            watched = Watched([], "watched", fd)
            reactor.addReader(watched)
            reactor.removeReader(watched)
        for _ in range(3):
            reactor.iterate(0)
        assert is_silent(reactor._host.engine._poll_fd())
        assert lost == []
        # Only until somebody asks.
        for protocol in made:
            protocol.transport.resumeProducing()
        while len(lost) < len(ends):
            reactor.iterate(0.01)
        reactor.fireSystemEvent("shutdown")
        reactor.disconnectAll()
    loop.close()
