"""Random programs with datagram endpoints.

An endpoint does random things to itself, in its callbacks too, all drawn from its own
seed, and has its own trace: with several of them in a loop, the order between them is no
one's business. Between two rounds the loop runs until nothing more comes.
"""

import asyncio
import contextlib
import random
import select
import socket
import tempfile
from pathlib import Path

from helpers.reported import LogToTrace, described, plain, reported

HOSTS = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}
ROUNDS = 7


class Endpoint(asyncio.DatagramProtocol):
    """An endpoint, and the plain socket that it talks to."""

    def __init__(self, seed, loop, family, folder, connected):
        self.random = random.Random(seed)
        self.loop = loop
        self.trace = []
        self.count = 0
        self.names = {}
        self.depth = 0
        self.left = 0
        self.peer = socket.socket(family, socket.SOCK_DGRAM)
        self.peer.setblocking(False)
        self.family, self.connected = family, connected
        self.peer.bind(self.address_in(folder, "peer"))
        self.to = self.peer.getsockname()
        self.own = socket.socket(family, socket.SOCK_DGRAM)
        self.own.setblocking(False)
        self.own.bind(self.address_in(folder, "own"))
        if connected:
            self.own.connect(self.to)
        self.at = self.own.getsockname()

    def address_in(self, folder, name):
        if self.family == socket.AF_UNIX:
            return str(Path(folder, f"{name}{id(self)}"))
        return (HOSTS[self.family], 0)

    async def make(self):
        await self.loop.create_datagram_endpoint(lambda: self, sock=self.own)

    # What happens

    def happened(self, name, *what):
        self.trace.append((name, *what))
        if self.depth < 2:
            self.depth += 1
            try:
                self.act(2, CALLED)
            finally:
                self.depth -= 1

    def connection_made(self, transport):
        self.transport = transport
        self.happened("made", plain(repr(transport)))

    def datagram_received(self, data, addr):
        self.happened("received", type(data).__name__, data, self.named(addr), type(addr).__name__)

    def error_received(self, exc):
        self.happened("error", *described(exc))

    def connection_lost(self, exc):
        self.happened("lost", exc and described(exc))

    def pause_writing(self):
        self.happened("pause", self.transport.get_write_buffer_size())

    def resume_writing(self):
        self.happened("resume", self.transport.get_write_buffer_size())

    def named(self, address):
        """An address by what it is, not by the port or path that it has this time."""
        known = {str(self.to): "peer", str(self.at): "own"}
        return known.get(str(address), plain(address))

    # What is done

    def act(self, most, actions):
        for _ in range(self.random.randint(0, most)):
            name = self.random.choice(actions)
            try:
                result = getattr(self, name)()
            except Failure:
                raise
            except Exception as error:
                # The name of an address is another each time.
                text = str(error).replace(str(self.to), "peer").replace(str(self.at), "own")
                result = (type(error).__name__, plain(text))
            self.trace.append((name, result))

    def data(self):
        self.count += 1
        size = self.random.choice([1, 1, 10, 100, 1500, 9000])
        return (b"%d " % self.count).ljust(size, b"x")

    def peer_sends(self):
        count = self.random.choice([1, 1, 2, 5, 40])
        for _ in range(count):
            with contextlib.suppress(OSError):
                self.peer.sendto(self.data(), self.at)

    def peer_sends_nothing(self):
        with contextlib.suppress(OSError):
            self.peer.sendto(b"", self.at)

    def peer_reads(self):
        got = []
        with contextlib.suppress(OSError):
            while True:
                data, addr = self.peer.recvfrom(65536)
                got.append((data, self.named(addr)))
        return got

    def peer_closes(self):
        self.peer.close()

    def send(self):
        kind = self.random.choice([bytes, bytes, bytes, bytearray, memoryview])
        data = kind(self.data())
        self.transport.sendto(data, *self.random.choice(self.addresses()))
        if kind is bytearray:
            data[:] = b"?" * len(data)

    def send_many(self):
        data = self.data()
        for _ in range(self.random.choice([3, 30, 400])):
            self.transport.sendto(data, *self.addresses()[0])
        return self.transport.get_write_buffer_size()

    def addresses(self):
        if self.connected:
            return [(), (), (), (None,), (self.to,)]
        return [(self.to,), (self.to,), (self.to,), (), (None,)]

    def send_odd(self):
        address = self.random.choice([(), (None,), (self.to,), ("nowhere",), (("::2", 5, 1),)])
        data = self.random.choice(
            [b"", bytearray(), memoryview(b""), "text", 5, None, memoryview(b"abcdef")[::2], b"ok"]
        )
        return self.transport.sendto(data, *address)

    def send_to_odd(self):
        host = HOSTS.get(self.family, "")
        odd = [
            (host, -1),
            (host, 70000),
            (host, "1"),
            (host,),
            (host, True),
            [host, 1],
            (b"127.0.0.1", 1),
            (5, 5),
            "nowhere",
            b"\0",
            5,
        ]
        if self.family == socket.AF_INET6:
            odd += [(host, 1, 1 << 20), (host, 1, 0, -1), (host, 1, 0, 0, 0), ("127.0.0.1", 1)]
        return self.transport.sendto(b"odd", self.random.choice(odd))

    def send_too_large(self):
        return self.transport.sendto(b"x" * 70_000, *self.addresses()[0])

    def soon(self):
        self.loop.call_soon(self.trace.append, f"soon {self.count}")

    def pause(self):
        return self.transport.pause_reading()

    def resume(self):
        return self.transport.resume_reading()

    def close(self):
        return self.transport.close()

    def abort(self):
        return self.transport.abort()

    def limit(self):
        high = self.random.choice([0, 100, 5000, None])
        return self.transport.set_write_buffer_limits(high)

    def limits(self):
        return self.transport.get_write_buffer_limits()

    def size(self):
        return self.transport.get_write_buffer_size()

    def cut(self):
        self.transport.max_size = self.random.choice([1, 5, 2000, 256 * 1024])

    def show(self):
        return plain(repr(self.transport))

    def ask(self):
        transport = self.transport
        about = [transport.get_extra_info(name) for name in ("socket", "sockname", "peername")]
        return (
            type(about[0]).__name__,
            self.named(about[1]),
            self.named(about[2]),
            transport.get_extra_info("pipe", "none"),
            transport.is_closing(),
            transport.is_reading(),
            transport.get_protocol() is self,
        )

    def look(self):
        transport = self.transport
        names = ("_closing", "_conn_lost", "_buffer_size", "_protocol_paused", "_address")
        return (
            *(self.named(getattr(transport, name)) for name in names),
            [(data, self.named(addr)) for data, addr in transport._buffer],
        )

    def fail(self):
        raise Failure(f"after {self.count}")

    def is_idle(self):
        """Whether nothing more comes by itself."""
        reads = self.own.fileno() >= 0 and not self.transport.is_closing()
        with contextlib.suppress(NotImplementedError):  # Python 3.10 can't pause
            reads = reads and self.transport.is_reading()
        # What waits to be sent goes in the next iterations, or fails in each.
        left, self.left = self.left, len(self.transport._buffer)
        return left == self.left and not (reads and select.select([self.own], [], [], 0)[0])


class Failure(Exception):
    """Of a protocol's method."""


ALWAYS = [
    *(3 * ["peer_sends", "send", "peer_reads"]),
    *("send_many", "send_odd", "send_to_odd", "send_too_large", "peer_sends_nothing", "limit"),
    *("limits", "size", "cut", "show", "ask", "look", "pause", "resume", "resume"),
]
CALLED = [*ALWAYS, "soon", "soon", "soon", "fail", "close", "abort"]
OUTSIDE = [*ALWAYS, *(4 * ["peer_sends"]), "resume"]
LAST = ["peer_closes", "close", "abort", "send", "peer_sends", "resume"]


def until_idle(loop, endpoints):
    """Runs the loop until nothing more comes."""
    while True:
        loop.call_later(0.001, loop.stop)
        loop.run_forever()
        if not loop._ready and all(endpoint.is_idle() for endpoint in endpoints):
            return


def run(loop, seed):
    """Runs a program; returns each endpoint's trace and the loop's."""
    chance = random.Random(seed)
    told = []
    loop.set_exception_handler(lambda loop, context: told.append(reported(context)))
    loop.set_debug(chance.random() < 0.1)
    loop.slow_callback_duration = 60
    with tempfile.TemporaryDirectory() as folder, LogToTrace(told):
        families = [*HOSTS, *HOSTS, socket.AF_UNIX]
        endpoints = [
            Endpoint(
                seed * 10 + index, loop, chance.choice(families), folder, chance.random() < 0.5
            )
            for index in range(chance.choice([1, 1, 3]))
        ]
        try:
            for endpoint in endpoints:
                loop.run_until_complete(endpoint.make())
            for turn in range(ROUNDS):
                for endpoint in endpoints:
                    endpoint.trace.append("round")
                    with contextlib.suppress(Failure):
                        endpoint.act(5, OUTSIDE if turn < ROUNDS - 2 else OUTSIDE + LAST)
                until_idle(loop, endpoints)
                for endpoint in endpoints:
                    endpoint.trace.append(("peer", endpoint.peer_reads()))
        finally:
            for endpoint in endpoints:
                endpoint.depth = 9
                endpoint.transport.abort()
                endpoint.peer.close()
            loop.set_debug(False)
            loop.call_soon(loop.stop)
            loop.run_forever()
            loop.call_soon(loop.stop)
            loop.run_forever()
    told.sort(key=str)
    return [*(endpoint.trace for endpoint in endpoints), told]
