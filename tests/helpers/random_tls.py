"""Programs that do random things to both ends of a TLS connection between asyncio's
transports, all drawn from a seed."""

import random

from helpers.certificates import ssl_contexts
from helpers.scenarios import outcome, turns
from helpers.transports import Buffered, Plain, described, normalized, run_until

STEPS = 14

# The methods in which a protocol does something, or raises.
WHERE = ["eof_received", "pause_writing", "resume_writing", "connection_lost"]

# Enough for whatever was begun to come to its end, however many turns a record takes.
SETTLED = 25


class End:
    """One end: its protocols, its transport, and what happened to it."""

    def __init__(self, program, name):
        self.program = program
        self.name = name
        self.trace = []
        self.written = self.came = b""
        self.noted = 0

    def protocol(self):
        made = self.program.random.choice([Plain, Plain, Buffered])(self.trace)
        # In how many pieces, and between which other calls, is nobody's affair.
        made.received = self.received
        # In how many pieces data comes, and at which end first, is nobody's affair: so
        # nothing is drawn within a callback.
        raises = None
        if self.program.random.random() < self.program.raising:
            raises = self.program.random.choice(WHERE)
        for method in WHERE:
            made.hooks[method] = lambda protocol, method=method: self.within(method, raises)
        return made

    def received(self, data):
        self.came += data

    def step(self):
        """Note what has come since the last step."""
        if len(self.came) > self.noted:
            self.trace.append(("data", self.came[self.noted :]))
        self.noted = len(self.came)
        self.trace.append(("step",))

    def within(self, method, raises):
        program = self.program
        if program.done:
            return None
        if method == raises:
            raise ValueError(method)
        return method == "eof_received"

    def tried(self, method, *args):
        before = self.written
        if method in ("write", "writelines"):
            self.written += b"".join(args[0]) if method == "writelines" else args[0]
        result = outcome(getattr(self.transport, method), *args)
        if result is not None:
            self.written = before
            self.trace.append((method, result))


class TLSProgram:
    """Between the steps, one of the two ends does something."""

    ACTIONS = (
        *("write", "write", "write", "write_much", "writelines", "write_wrong", "eof"),
        *("close", "abort", "pause", "resume", "resume", "limits", "look", "look"),
        *("other_protocol", "soon"),
    )

    def __init__(self, seed, loop, trace):
        self.random = random.Random(seed)
        self.loop = loop
        self.trace = trace
        self.count = 0
        self.fatal = self.random.choice([0.02, 0.2])
        self.raising = self.random.choice([0.0, 0.5])
        self.left, self.right = End(self, "left"), End(self, "right")
        self.reports = []
        self.done = False

    def run(self):
        loop = self.loop
        first, second = self.left.protocol(), self.right.protocol()
        for context in (first, second):
            context.hooks.clear()
        server_side, client_side = ssl_contexts()
        server = loop.run_until_complete(
            loop.create_server(lambda: first, "127.0.0.1", 0, ssl=server_side)
        )
        self.right.transport, _ = loop.run_until_complete(
            loop.create_connection(
                lambda: second,
                *server.sockets[0].getsockname(),
                ssl=client_side,
                server_hostname="test",
            )
        )
        run_until(loop, lambda: first.transport)
        self.left.transport = first.transport
        loop.set_exception_handler(self.reported)
        for end in (self.left, self.right):
            end.transport.set_protocol(end.protocol())
        for _ in range(STEPS):
            end = self.random.choice([self.left, self.right])
            for _ in range(self.random.randint(1, 3)):
                self.act(end)
            self.settle()
            self.left.step()
            self.right.step()
        self.done = True
        for end in (self.left, self.right):
            end.transport.abort()
        self.settle()
        server.close()
        turns(loop, 3)
        for end, other in [(self.left, self.right), (self.right, self.left)]:
            assert end.written.startswith(other.came)
            self.trace += [(end.name, *event) for event in end.trace]
        # Of which end first is a matter of chance.
        self.trace += sorted(self.reports)

    def settle(self):
        try:
            turns(self.loop, SETTLED)
        except (SystemExit, KeyboardInterrupt) as error:
            self.left.trace.append(("let out", described(error)))

    def reported(self, loop, context):
        report = normalized(context["message"]), described(context["exception"])
        self.reports.append(("loop", "reported", *report))

    def act(self, end):
        self.count += 1
        action = self.random.choice(self.ACTIONS)
        if action in ("close", "abort") and self.random.random() > self.fatal:
            return
        getattr(self, action)(end)

    def word(self, size=None):
        size = self.random.choice([0, 10, 20_000]) if size is None else size
        return b"<%d:%s>" % (self.count, b"x" * size)

    def write(self, end):
        data = bytearray(self.word())
        end.tried("write", data)

    def write_much(self, end):
        end.tried("write", self.word(100_000))

    def writelines(self, end):
        end.tried("writelines", [self.word() for _ in range(self.random.randint(0, 4))])

    def write_wrong(self, end):
        end.trace.append(("write", outcome(end.transport.write, "text")))

    def eof(self, end):
        end.tried("write_eof")

    def close(self, end):
        end.tried("close")

    def abort(self, end):
        end.tried("abort")

    def pause(self, end):
        end.tried("pause_reading")

    def resume(self, end):
        end.tried("resume_reading")

    def limits(self, end):
        high = self.random.choice([None, 0, 1, 1000, 50_000, -1])
        end.tried("set_write_buffer_limits", high, self.random.choice([None, 0, 1]))

    def look(self, end):
        for name in (
            *("is_closing", "is_reading", "get_write_buffer_limits"),
            *("can_write_eof", "get_write_buffer_size"),
        ):
            result = outcome(getattr(end.transport, name))
            # How much the kernel takes is its own affair.
            end.trace.append((name, result and type(result).__name__ if "size" in name else result))

    def other_protocol(self, end):
        end.tried("set_protocol", end.protocol())

    def soon(self, end):
        self.loop.call_soon(end.trace.append, ("soon", self.count))
