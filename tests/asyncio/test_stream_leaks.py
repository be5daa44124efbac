"""Connections of asyncio leave nothing behind, and nothing that belongs to another."""

import asyncio
import collections
import contextlib
import gc
import random
import resource
import socket
import struct
import weakref

import pytest

from helpers.loops import stock_asyncio, tornado4_asyncio
from helpers.scenarios import open_fds, resident_size, turns
from helpers.transports import Peer, Plain, connected, ours_transports, run_until

LINGER = struct.pack("ii", 1, 0)


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
    sock.close()


# Of objects: caches fill, of classes for instance. One for each connection that takes the
# same step would be twice as many.
FEW = 200

# The transports of those that are served.
OPEN = set()


class Serving(asyncio.Protocol):
    """What a server does to a client that ends at the step it asks for."""

    made = lost = 0

    def connection_made(self, transport):
        type(self).made += 1
        OPEN.add(transport)
        self.transport = transport

    def data_received(self, data):
        kind = data[:1]
        if kind == b"e":
            self.transport.write(data)
        elif kind == b"m":
            self.transport.write(b"x" * 300_000)
        elif kind == b"c":
            self.transport.write(data)
            self.transport.close()
        elif kind == b"a":
            self.transport.write(b"x" * 300_000)
            self.transport.abort()
        elif kind == b"p":
            self.transport.pause_reading()
        elif kind == b"i":
            repr(self.transport), self.transport.get_extra_info("socket").getsockname()
        elif kind == b"r":
            raise ValueError("mine")

    def eof_received(self):
        return False

    def connection_lost(self, error):
        type(self).lost += 1
        OPEN.remove(self.transport)


class ServingBuffered(asyncio.BufferedProtocol):
    """The same, with a buffer of its own."""

    connection_made = Serving.connection_made
    eof_received = Serving.eof_received
    connection_lost = Serving.connection_lost
    made = lost = 0

    def get_buffer(self, hint):
        self.buffer = bytearray(100)
        return self.buffer

    def buffer_updated(self, count):
        Serving.data_received(self, bytes(self.buffer[:count]))


# What a client does before it goes.
STEPS = [b"", b"e", b"m", b"c", b"a", b"p", b"i", b"r"]


def serve(loop, kind, count, at_once=50):
    """So many clients come, take a step, and go: by a reset, or by an orderly end."""
    kind.made = kind.lost = 0
    loop.set_exception_handler(lambda loop, context: None)
    server = loop.run_until_complete(loop.create_server(kind, "127.0.0.1", 0, backlog=at_once))
    address = server.sockets[0].getsockname()
    choose = random.Random(count)
    for _ in range(count // at_once):
        clients = []
        for number in range(at_once):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(address)
            step = STEPS[number % len(STEPS)]
            if choose.random() < 0.1:
                reset(client)  # before it is accepted
                continue
            clients.append((client, step))
        turns(loop, choose.randint(0, 3))
        for client, step in clients:
            if step:
                with contextlib.suppress(OSError):
                    client.send(step)
        turns(loop, choose.randint(0, 3))
        for client, _ in clients:
            if choose.random() < 0.5:
                reset(client)
            else:
                client.close()
        turns(loop, 2)
    # Those that paused don't see that their clients are gone.
    while kind.made != kind.lost:
        for transport in list(OPEN):
            transport.abort()
        turns(loop, 3)
    server.close()
    turns(loop, 5)


KINDS = [Serving, ServingBuffered]


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_left(kind):
    loop = tornado4_asyncio()
    serve(loop, kind, 500)
    gc.collect()
    descriptors, objects = len(open_fds()), counted()
    for _ in range(3):
        serve(loop, kind, 1000)
    gc.collect()
    assert kind.made > 500
    assert len(open_fds()) <= descriptors
    assert {name: more for name, more in (counted() - objects).items() if more > FEW} == {}
    loop.close()


def counted():
    return collections.Counter(type(one).__name__ for one in gc.get_objects())


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", KINDS)
def test_a_hundred_thousand_leave_nothing(kind):
    loop = tornado4_asyncio()
    serve(loop, kind, 20_000)
    gc.collect()
    descriptors, objects, size = len(open_fds()), counted(), resident_size()
    serve(loop, kind, 100_000)
    gc.collect()
    assert len(open_fds()) <= descriptors
    assert {name: more for name, more in (counted() - objects).items() if more > FEW} == {}
    # Some bytes each would be ten times as much.
    assert resident_size() - size < 4_000_000
    loop.close()


@pytest.mark.parametrize("way", ["closed", "aborted", "reset", "dropped", "loop closed"])
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_protocol_is_released(way):
    def scenario(loop, trace):
        def forget():
            protocol = Plain(trace)
            refs.append(weakref.ref(protocol))
            # A cycle, as most protocols have one.
            protocol.me = protocol
            stack = contextlib.ExitStack()
            sock = stack.enter_context(connected(loop, protocol))
            if way == "closed":
                protocol.transport.close()
            elif way == "aborted":
                protocol.transport.write(b"x" * 1_000_000)
                protocol.transport.abort()
            elif way == "reset":
                Peer(sock, protocol.transport).reset()
            elif way == "loop closed":
                loop.close()
            if way != "dropped":
                if way != "loop closed":
                    run_until(loop, lambda: protocol.lost)
                refs.append(weakref.ref(protocol.transport))
            stack.close()

        refs = []
        forget()
        gc.collect()
        trace[:] = [ref() for ref in refs]

    assert set(ours_transports(scenario)) == {None}


def test_a_slow_readers_memory_stays_at_the_water_mark():
    """A writer that heeds pause_writing, and a reader that pauses, with much to be sent."""
    loop = tornado4_asyncio()
    total = 200_000_000
    piece = b"x" * 50_000

    class Writer(asyncio.Protocol):
        most = sent = 0
        paused = False

        def connection_made(self, transport):
            self.transport = transport
            self.go_on()

        def go_on(self):
            while not self.paused and self.sent < total:
                self.transport.write(piece)
                self.sent += len(piece)
                self.most = max(self.most, self.transport.get_write_buffer_size())
            if self.sent >= total:
                self.transport.close()

        def pause_writing(self):
            self.paused = True

        def resume_writing(self):
            self.paused = False
            self.go_on()

    class Reader(asyncio.Protocol):
        got = 0
        lost = False

        def connection_made(self, transport):
            self.transport = transport

        def data_received(self, data):
            self.got += len(data)
            self.transport.pause_reading()
            loop.call_later(0.0001, self.transport.resume_reading)

        def connection_lost(self, error):
            self.lost = True

    writer, reader = Writer(), Reader()
    server = loop.run_until_complete(loop.create_server(lambda: reader, "127.0.0.1", 0))
    address = server.sockets[0].getsockname()
    gc.collect()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    loop.run_until_complete(loop.create_connection(lambda: writer, *address))
    run_until(loop, lambda: reader.lost)
    server.close()
    turns(loop, 3)
    loop.close()
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    assert reader.got == total
    # One write over the mark, and nothing behind it.
    assert writer.most <= 64 * 1024 + len(piece)
    assert after - before < 20_000_000


@pytest.mark.parametrize("factory", [stock_asyncio, tornado4_asyncio])
def test_a_descriptor_that_is_used_again_is_another_connections(factory):
    """Connections come and go all the time, so that their numbers are used again at once.

    Each of them says who it is with every word, and hears of nobody else.
    """
    loop = factory()
    loop.set_exception_handler(lambda loop, context: problems.append(context))
    problems = []
    numbers = collections.Counter()
    choose = random.Random(1)

    class Echo(asyncio.Protocol):
        name = None
        rest = b""

        def connection_made(self, transport):
            self.transport = transport
            numbers[transport.get_extra_info("socket").fileno()] += 1

        def data_received(self, data):
            *words, self.rest = (self.rest + data).split(b"\n")
            for word in words:
                name = word.split(b" ")[0]
                if self.name is None:
                    self.name = name
                if name != self.name:
                    problems.append((self.name, word))
                self.transport.write(word + b"\n")
                # In the midst of it all, and with more to come.
                if choose.random() < 0.1:
                    self.transport.abort()
                elif choose.random() < 0.1:
                    self.transport.close()

    async def client(name, address):
        try:
            reader, writer = await asyncio.open_connection(*address)
        except OSError:
            return
        mine = b"%d " % name
        try:
            for number in range(choose.randint(1, 8)):
                for _ in range(choose.randint(1, 3)):
                    writer.write(mine + b"%d\n" % number)
                if choose.random() < 0.2:
                    writer.transport.abort()
                    return
                line = await reader.readline()
                if line and not line.startswith(mine):
                    problems.append((name, line))
                if not line:
                    return
        except OSError:
            pass
        finally:
            writer.close()

    async def main():
        server = await loop.create_server(Echo, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()

        async def some(first):
            for name in range(first, first + 60):
                await client(name, address)

        await asyncio.gather(*(some(1000 * first) for first in range(40)))
        server.close()

    loop.run_until_complete(main())
    turns(loop, 5)
    loop.close()
    assert problems == []
    # They were used again, many times.
    assert max(numbers.values()) > 5
