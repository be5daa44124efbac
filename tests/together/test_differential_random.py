"""Random programs: whatever is done in whatever order, ours does what stock does.

Each program does random things to a loop, some of them within its callbacks, all
drawn from its seed. The two traces must be equal to the last call.
"""

from helpers.descriptors import drain
from helpers.loops import on_asyncio, on_reactors
from helpers.random_programs import TURNS, CallsProgram, Program, kinds_seen
from helpers.scenarios import socket_pairs, turns

PAIRS = 4


class AsyncioProgram(Program):
    """Handles, timers that are due, readers and writers."""

    ACTIONS = (
        *("soon", "threadsafe", "at", "at", "cancel", "fail", "stop"),
        *("add_reader", "add_writer", "remove_reader", "remove_writer", "fill", "drain"),
    )

    def __init__(self, seed, loop, trace):
        super().__init__(seed, trace)
        self.loop = loop
        self.past = loop.time() - 10
        self.handles = []

    def run(self):
        with socket_pairs(PAIRS) as pairs:
            self.pairs = pairs
            for _ in range(TURNS):
                self.act(5)
                self.trace.append("turn")
                turns(self.loop)
            for left, _ in pairs:
                self.loop.remove_reader(left)
                self.loop.remove_writer(left)

    def soon(self):
        self.handles.append(self.loop.call_soon(self.called, f"soon {self.count}"))

    def threadsafe(self):
        handle = self.loop.call_soon_threadsafe(self.called, f"safe {self.count}")
        self.handles.append(handle)

    def at(self):
        # No two deadlines are equal: stock promises no order of these.
        when = self.past + self.random.randrange(90) * 0.1 + self.count * 1e-6
        handle = self.loop.call_at(when, self.called, f"at {self.count}")
        self.handles.append(handle)

    def cancel(self):
        if self.handles:
            self.random.choice(self.handles).cancel()

    def fail(self):
        self.handles.append(self.loop.call_soon(int, f"fail {self.count}"))

    def stop(self):
        self.loop.stop()

    def left(self):
        return self.random.choice(self.pairs)[0]

    def add_reader(self):
        self.loop.add_reader(self.left(), self.called, f"reader {self.count}")

    def add_writer(self):
        self.loop.add_writer(self.left(), self.called, f"writer {self.count}")

    def remove_reader(self):
        self.trace.append(self.loop.remove_reader(self.left()))

    def remove_writer(self):
        self.trace.append(self.loop.remove_writer(self.left()))

    def fill(self):
        self.random.choice(self.pairs)[1].send(b"x")

    def drain(self):
        drain(self.left().fileno())


@on_asyncio
def test_asyncio(run):
    kinds = {"turn", "soon", "safe", "at", "reader", "writer", "True", "False"}
    assert kinds_seen(run, AsyncioProgram) == kinds | {"('reported',"}


@on_reactors
def test_delayed_calls(run):
    results = {f"('{name}'," for name in ["cancel", "reset", "delay", "list", "active"]}
    others = {"turn", "later", "due", "thread", "('logged',"}
    assert kinds_seen(run, CallsProgram) == others | results
