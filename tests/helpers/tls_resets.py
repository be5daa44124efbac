"""Foreign ends of TLS connections that go at a certain step: mostly by a reset, whatever is
under way. They are generators, which yield while the loop that is tested shall run."""

import contextlib
import functools
import gc
import itertools
import random
import socket
import ssl
import time

from helpers.authorities import HOST, client, server
from helpers.loops import LIMIT
from helpers.scenarios import open_fds, resident_size
from helpers.tls_peers import reset

# In which flight of its handshake an end goes, and how much of it is sent before.
IN_HANDSHAKE = [(0, 0.0), (0, 0.5), (0, 1.0), (1, 0.0), (1, 0.5), (1, 1.0)]
# What it does after the handshake, before it goes.
AFTER = [
    *("nothing", "half a record", "data", "data and answer", "much", "closed by the other"),
    *("aborted by the other", "close_notify", "close_notify and answer", "garbage", "in order"),
]
STEPS = [*IN_HANDSHAKE, *AFTER]

# What an end asks the application of the other one for.
WORDS = {"much": b"m", "closed by the other": b"c", "aborted by the other": b"a"}
LARGE = b"x" * 300_000

# What must not be left, of either library and what is around it.
KINDS = {
    *("SSLObject", "_SSLSocket", "SSLProtocol", "_SSLProtocolTransport", "MemoryBIO"),
    *("BufferingTLSTransport", "TLSMemoryBIOProtocol", "Connection", "_AggregateSmallWrites"),
    *("SocketTransport", "_SelectorSocketTransport", "Server", "Client", "Serving", "Asking"),
}


@functools.cache
def contexts(server_side):
    return [
        server(version=version) if server_side else client(version=version)
        for version in ("1.2", "1.3")
    ]


class End:
    """A nonblocking socket with the standard library's TLS."""

    def __init__(self, sock, step, number, server_side):
        self.sock = sock
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.step = step
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = contexts(server_side)[number % 2].wrap_bio(
            self.incoming, self.outgoing, server_side, None if server_side else HOST
        )

    def put(self, data):
        """Send, as far as it is taken at once; a small thing is."""
        with contextlib.suppress(OSError):
            self.sock.send(data)

    def take(self):
        """Wait for what comes; whether it was anything."""
        deadline = time.monotonic() + LIMIT
        while time.monotonic() < deadline:
            try:
                data = self.sock.recv(65_536)
            except BlockingIOError:
                yield
                continue
            except OSError:
                return False
            self.incoming.write(data)
            return bool(data)
        raise AssertionError(f"{self.step}: nothing came")

    def until(self, method, *args):
        """Call until it has what it needs; None where the connection has ended."""
        while True:
            try:
                return method(*args)
            except ssl.SSLWantReadError:
                self.put(self.outgoing.read())
                if not (yield from self.take()):
                    return None
            except ssl.SSLError:
                return None

    def life(self):
        try:
            yield from self.steps()
        finally:
            if self.step == "in order":
                self.sock.close()
            else:
                reset(self.sock)

    def steps(self):
        if self.step in IN_HANDSHAKE:
            yield from self.part_of_handshake(*self.step)
        else:
            yield from self.until(self.tls.do_handshake)
            self.put(self.outgoing.read())
            yield from self.after()

    def part_of_handshake(self, last, part):
        for flight in itertools.count():
            with contextlib.suppress(ssl.SSLWantReadError):
                self.tls.do_handshake()
            data = self.outgoing.read()
            if flight == last or not data:
                self.put(data[: int(len(data) * part)])
                return
            self.put(data)
            if not (yield from self.take()):
                return

    def say(self, data):
        self.tls.write(data)
        return self.outgoing.read()

    def after(self):
        step = self.step
        if step == "half a record":
            self.put(self.say(b"e")[:-5])
        elif step == "garbage":
            self.put(b"no record of TLS, and never was")
            yield from self.take()
        elif step in ("data", "data and answer", "in order"):
            self.put(self.say(b"e"))
            if step != "data":
                yield from self.until(self.tls.read, 100)
        elif step in WORDS:
            self.put(self.say(WORDS[step]))
            yield from self.until(self.tls.read, 100)
        if step in ("close_notify", "close_notify and answer", "in order"):
            with contextlib.suppress(ssl.SSLError):
                self.tls.unwrap()
            self.put(self.outgoing.read())
            if step != "close_notify":
                yield from self.until(self.tls.unwrap)


def connecting(address, step, number):
    """A client's life, before it is accepted."""
    sock = socket.socket()
    sock.setblocking(False)
    sock.connect_ex(address)
    yield from End(sock, step, number, False).life()


def accepted(listening, step, number):
    """A server's end's, which takes one connection."""
    while True:
        try:
            sock, _ = listening.accept()
            break
        except BlockingIOError:
            yield
    sock.setblocking(False)
    yield from End(sock, step, number, True).life()


def live(lives, turn):
    """All of them at the same time, each a step, while `turn` runs the loop."""
    lives = list(lives)
    while lives:
        left = []
        for life in lives:
            with contextlib.suppress(StopIteration):
                next(life)
                left.append(life)
        lives = left
        turn()


def steps(count, seed):
    """So many, each as often, in any order."""
    chosen = [STEPS[number % len(STEPS)] for number in range(count)]
    random.Random(seed).shuffle(chosen)
    return chosen


def left_over():
    """What there is of descriptors, and of objects of TLS."""
    gc.collect()
    objects = sum(type(thing).__name__ in KINDS for thing in gc.get_objects())
    return len(open_fds()), objects


def grown(rounds, count):
    """By how much memory grows in the second half of so many rounds. A round is given how
    many connections it shall have; nothing else may be left by any."""
    rounds(count // 6)
    before = left_over()
    rounds(count // 3)
    half = resident_size()
    rounds(count - count // 6 - count // 3)
    size = resident_size() - half
    assert left_over() == before
    return size
