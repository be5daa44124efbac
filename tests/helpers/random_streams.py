"""Programs that do random things to one end of an asyncio connection, and to its peer,
all drawn from a seed."""

import random
import sys

from helpers.scenarios import outcome, turns
from helpers.transports import Buffered, Peer, Plain, connected, described, queued

# From Python 3.12 on, stock holds what it couldn't send as it was given, and sends what
# has become of it: what its caller may change is not written there while data waits.
COPIES = sys.version_info < (3, 12)
# Its writelines fails then once the connection is lost, and never pauses the protocol.
LINES = sys.version_info < (3, 12)

TURNS = 25

# What stock reports of itself, where a callback for writing was under way as the
# connection was aborted.
STOCKS_OWN = "Data should not be empty"

METHODS = [
    *("data_received", "buffer_updated", "eof_received", "pause_writing", "resume_writing"),
    *("connection_made", "connection_lost"),
]


class StreamProgram:
    """What `ACTIONS` names is done between the loop's turns and within its callbacks."""

    ACTIONS = (
        *("write", "write", "write_again", "write_changed", "write_view", "writelines"),
        *("write_nothing", "write_wrong", "write_eof", "close", "abort", "pause_reading"),
        *("resume_reading", "resume_reading", "limits", "look", "look", "soon", "soon"),
        *("other_protocol", "peer_sends", "peer_sends", "peer_sends", "peer_reads"),
        *("peer_reads", "peer_shuts", "peer_ends", "clog", "clog"),
    )
    # Some are as often as others in a program only where they are let be.
    FINAL = ("write_eof", "close", "abort", "peer_shuts", "peer_ends")

    def __init__(self, seed, kind, loop, trace):
        self.random = random.Random(seed)
        self.kind = kind
        self.loop = loop
        self.trace = trace
        self.count = 0
        self.depth = 0
        loop.set_debug(self.random.random() < 0.2)
        self.within_turn = self.resuming = False
        # What has been written at either end, less than which may never arrive, and
        # what has.
        self.written = self.arrived = b""
        self.sent = self.came = b""
        # How easily a connection ends, and how often a method raises.
        self.fatal = self.random.choice([0.01, 0.02, 0.05, 0.3])
        self.raising = self.random.choice([0.0, 0.0, 0.15])
        self.letting_out = self.random.choice([0.0, 1.0])

    def protocol(self):
        kind = self.random.choice([Plain, Plain, Buffered])
        made = kind(self.trace)
        made.keep = self.keep
        for method in METHODS:
            made.hooks[method] = lambda protocol, method=method: self.within(method)
        return made

    def keep(self, data):
        self.came += data

    def within(self, method):
        if self.done:
            return None
        if method != "connection_made":
            self.resuming = method == "resume_writing"
            self.act(3)
            self.resuming = False
        if method not in ("connection_made", "connection_lost"):
            chance = self.random.random()
            if chance < self.raising:
                raise ValueError(method)
            if chance < self.raising * (1 + self.letting_out):
                raise self.random.choice([SystemExit, KeyboardInterrupt])(method)
        return self.random.random() < 0.5

    def run(self):
        self.done = True
        first = self.protocol()
        # So large that all of a program goes in where nothing is clogged.
        with connected(self.loop, first, self.kind, buffers=200_000) as sock:
            self.transport = first.transport
            self.peer = Peer(sock, self.transport)
            self.done = False
            for _ in range(TURNS):
                self.act(3)
                if self.random.random() < 0.4:
                    self.peer_sends()
                self.turn()
            # What is left goes through, and is the same.
            self.done = True
            for _ in range(4):
                self.peer_reads()
                self.turn()
            self.look()
            assert self.written.startswith(self.arrived)
            assert self.sent.startswith(self.came)
        self.trace[:] = [event for event in self.trace if STOCKS_OWN not in str(event)]

    def turn(self):
        self.trace.append("turn")
        self.within_turn = True
        try:
            turns(self.loop)
        except (SystemExit, KeyboardInterrupt) as error:
            self.trace.append(("let out", described(error)))
            # The turn is made up for: whatever else it had to call is called now. What
            # came since may be seen by that, or in the next turn.
            self.depth = 2
            self.turn()
            self.depth = 0
        self.within_turn = False

    def act(self, most):
        if self.depth == 2:
            return
        self.depth += 1
        for _ in range(self.random.randint(0, most)):
            action = self.random.choice(self.ACTIONS)
            if action in self.FINAL and self.random.random() > self.fatal:
                continue
            if self.resuming and action in ("close", "abort"):
                # Stock tells the protocol twice that the connection is lost.
                continue
            self.count += 1
            getattr(self, action)()
        self.depth -= 1

    def word(self):
        return b"<%d:%s>" % (self.count, b"x" * self.random.choice([0, 1, 5, 700, 3000]))

    def tried(self, method, *args):
        if method in ("write", "writelines", "abort") and self.peer.fd == -1:
            # Stock has more than one way to end a connection, and after some of them
            # fails with an AttributeError here.
            return
        data = b"".join(args[0]) if method == "writelines" else args[0] if args else None
        data = bytes(data) if isinstance(data, (bytes, bytearray, memoryview)) else b""
        before = self.written
        # First, for it may call the protocol, which writes more.
        self.written += data
        try:
            result = outcome(getattr(self.transport, method), *args)
        except (SystemExit, KeyboardInterrupt) as error:
            if self.within_turn:
                raise
            # By pause_writing, which a write outside of the loop has called.
            self.trace.append(("let out of it", described(error)))
            return
        if result is not None:
            self.written = before
            self.trace.append((method, result))

    def write(self):
        self.tried("write", self.word())

    def write_again(self):
        for _ in range(self.random.randint(2, 5)):
            self.tried("write", self.word())

    def write_changed(self):
        data = bytearray(self.word())
        self.tried("write", data)
        if COPIES:
            data[:] = b"changed"

    def write_view(self):
        data = bytearray(self.word())
        self.tried("write", memoryview(data)[1:])
        if COPIES:
            data[-1:] = b"!"

    def writelines(self):
        words = [self.word() for _ in range(self.random.randint(0, 4))]
        if LINES:
            self.tried("writelines", words)

    def write_nothing(self):
        self.tried("write", self.random.choice([b"", bytearray(), memoryview(b"")]))

    def write_wrong(self):
        self.tried("write", self.random.choice(["text", None, 1, [b"x"], object]))

    def write_eof(self):
        self.tried("write_eof")

    def close(self):
        self.tried("close")

    def abort(self):
        self.tried("abort")

    def pause_reading(self):
        self.tried("pause_reading")

    def resume_reading(self):
        self.tried("resume_reading")

    def limits(self):
        high = self.random.choice([None, 0, 1, 1000, 5000, -1])
        low = self.random.choice([None, 0, 1, 1000])
        self.tried("set_write_buffer_limits", high, low)

    def look(self):
        names = self.random.sample(
            [
                *("get_write_buffer_size", "get_write_buffer_limits", "is_closing"),
                *("is_reading", "can_write_eof"),
            ],
            2,
        )
        for name in names:
            self.trace.append((name, outcome(getattr(self.transport, name))))

    def soon(self):
        self.loop.call_soon(self.called_soon, self.count)

    def called_soon(self, number):
        self.trace.append(("soon", number))
        if not self.done:
            self.act(2)

    def other_protocol(self):
        self.transport.set_protocol(self.protocol())

    def peer_sends(self):
        # Less than one read takes: how much that is may differ.
        if self.peer.fd != -1 and queued(self.peer.fd) > 20_000:
            return
        self.on_peer("send", self.word())

    def peer_reads(self):
        self.on_peer("received")

    def peer_shuts(self):
        self.on_peer("shutdown")

    def peer_ends(self):
        self.on_peer(self.random.choice(["close", "reset"]))

    def clog(self):
        # How soon TCP has room again, and for how much, is different each time.
        if self.kind.startswith("unix"):
            self.peer.clog()

    def on_peer(self, method, *args):
        if self.within_turn:
            # When within a turn data reaches the other end is nobody's affair, but by
            # whoever asks it is out.
            self.transport.get_write_buffer_size()
        result = outcome(getattr(self.peer, method), *args)
        self.trace.append(("peer", method, result))
        if method == "received":
            self.arrived += result[0] if isinstance(result, tuple) else result
        if method == "send" and isinstance(result, int):
            self.sent += args[0]
