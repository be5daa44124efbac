"""Random programs of asyncio's TLS about how much is under way: sizes up to hundreds of
thousands, paused readers, water marks, and TLS that starts in mid-stream.

Both ends are of one loop. So that a program is the same each time, the kernel holds little
between them, and what is written is either less than any mark or more than all
together; a step goes on until nothing moves any more.
"""

import socket
import sys

from helpers.certificates import ssl_contexts
from helpers.random_tls import End, TLSProgram
from helpers.scenarios import turns
from helpers.transports import queued

BEGINNINGS = ["tls", "started at once", "started in mid-stream"]
if sys.version_info >= (3, 11):
    BEGINNINGS.append("in another TLS")

# Less than any mark of the transport's own, and more than a reader that is paused and all
# between hold: a TLS end keeps 256 KiB until it reads no more, besides what it has just read.
FEW = 50_000
# Between what the transport waits with and what a paused reader takes.
SOME = 190_000
MUCH = 1_500_000
# More than the high-water mark of TLS.
MORE = 600_000

PATTERN = bytes(range(251)) * 12_000


class FlowEnd(End):
    """Writes on in the pattern from where it has come to."""

    other = None
    aborted = paused = False

    def piece(self, size):
        start = len(self.written) % 251
        return PATTERN[start : start + size]

    @property
    def outstanding(self):
        return len(self.written) - len(self.other.came)

    def may_write(self, size):
        """Whether it is certain which of the marks that passes, if it is little."""
        under_way = self.outstanding
        if SOME <= under_way < MUCH:
            return not self.other.paused or under_way + size < SOME + FEW
        return under_way + size < FEW or under_way >= MUCH

    def step(self):
        if self.other.aborted:
            # How much had got away is a matter of how it was cut in pieces.
            self.noted = len(self.came)
        super().step()


class FlowProgram(TLSProgram):
    ACTIONS = (
        *("write", "write", "write", "write", "write", "write", "write_some", "write_much"),
        *("writelines", "writelines", "writelines", "pause", "pause", "resume", "look"),
        *("flood", "eof", "close", "abort", "pause", "resume", "resume", "limits", "look", "soon"),
        *("other_protocol", "write_wrong"),
    )

    def __init__(self, seed, loop, trace):
        super().__init__(seed, loop, trace)
        self.left, self.right = FlowEnd(self, "left"), FlowEnd(self, "right")
        self.left.other, self.right.other = self.right, self.left
        self.beginning = self.random.choice(BEGINNINGS)

    def run(self):
        loop = self.loop
        sockets = socket.socketpair()
        for sock in sockets:
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 30_000)
        first, second = self.left.protocol(), self.right.protocol()
        first.hooks.clear()
        second.hooks.clear()
        self.sockets = sockets
        self.left.transport, self.right.transport = loop.run_until_complete(
            self.connect(sockets, first, second)
        )
        self.trace.append(("begun", self.beginning))
        loop.set_exception_handler(self.reported)
        for end in (self.left, self.right):
            end.transport.set_protocol(end.protocol())
        for _ in range(self.steps):
            end = self.random.choice([self.left, self.right])
            for _ in range(self.random.randint(1, 8)):
                self.act(end)
            self.settle()
            self.left.step()
            self.right.step()
        self.finish()

    steps = 14

    def finish(self):
        self.done = True
        for end in (self.left, self.right):
            end.transport.abort()
        self.settle()
        turns(self.loop, 3)
        for end, other in [(self.left, self.right), (self.right, self.left)]:
            assert end.written.startswith(other.came), (end.name, "another byte")
            self.trace += [(end.name, *event) for event in end.trace]
        self.trace += sorted(self.reports)

    async def connect(self, sockets, first, second):
        loop = self.loop
        server_side, client_side = ssl_contexts()
        at_once = self.beginning in ("tls", "in another TLS")
        serving = loop.create_task(
            loop.connect_accepted_socket(
                lambda: first, sockets[0], ssl=server_side if at_once else None
            )
        )
        right, _ = await loop.create_connection(
            lambda: second,
            sock=sockets[1],
            ssl=client_side if at_once else None,
            server_hostname="test" if at_once else None,
        )
        left, _ = await serving
        if self.beginning == "tls":
            return left, right
        if self.beginning != "started at once":
            self.left.transport, self.right.transport = left, right
            for end in (self.left, self.right):
                data = end.piece(self.random.choice([10, 10_000, 300_000]))
                end.tried("write", data)
            while self.left.outstanding or self.right.outstanding:
                await turn(loop)
        starting = loop.create_task(loop.start_tls(left, first, server_side, server_side=True))
        right = await loop.start_tls(right, second, client_side, server_hostname="test")
        return await starting, right

    def moved(self):
        ends = self.left, self.right
        return [(len(end.came), len(end.trace)) for end in ends] + [
            sock.fileno() != -1 and queued(sock.fileno()) for sock in self.sockets
        ]

    def settle(self):
        before = None
        while before != (before := self.moved()):
            super().settle()

    def abort(self, end):
        end.aborted = True
        super().abort(end)

    def pause(self, end):
        end.paused = True
        super().pause(end)

    def resume(self, end):
        end.paused = False
        super().resume(end)

    def word(self, size=None):
        raise NotImplementedError

    def write(self, end):
        size = self.random.choice([0, 1, self.random.randint(1, 300), 2000])
        if end.may_write(size):
            end.tried("write", self.random.choice([bytes, bytearray, memoryview])(end.piece(size)))

    def write_some(self, end):
        """What no transport takes at once, and the other end at last."""
        if not end.outstanding:
            end.tried("write", end.piece(SOME))

    def write_much(self, end):
        if not end.outstanding and not end.other.paused:
            end.tried("write", end.piece(self.random.randint(SOME, 300_000)))

    def flood(self, end):
        if not end.outstanding:
            end.tried("write", end.piece(MUCH))
            end.tried("write", end.piece(MORE))

    def writelines(self, end):
        sizes = [self.random.choice([0, 1, 100, 2000]) for _ in range(self.random.randint(0, 4))]
        if end.may_write(sum(sizes)):
            whole = end.piece(sum(sizes))
            lines, at = [], 0
            for size in sizes:
                lines.append(whole[at : at + size])
                at += size
            end.tried("writelines", lines)

    def limits(self, end):
        high = self.random.choice([None, 0, 1, 1000, -1])
        end.tried("set_write_buffer_limits", high, self.random.choice([None, 0, 1]))


async def turn(loop):
    waiter = loop.create_future()
    loop.call_soon(waiter.set_result, None)
    await waiter
