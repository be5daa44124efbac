"""Random programs: whatever is done in whatever order, ours does what stock does.

Each program does random things to a loop, some of them within its callbacks, all
drawn from its seed. The two traces must be equal to the last call.
"""

import random

from descriptors import drain
from loops import on_asyncio, on_reactors
from scenarios import outcome, socket_pairs, turns

SEEDS = range(150)
TURNS = 12
PAIRS = 4


class Program:
    """Does what `ACTIONS` names, also within what it has scheduled."""

    ACTIONS = ()

    def __init__(self, seed, trace):
        self.random = random.Random(seed)
        self.trace = trace
        self.count = 0

    def act(self, most):
        for _ in range(self.random.randint(0, most)):
            self.count += 1
            getattr(self, self.random.choice(self.ACTIONS))()

    def called(self, name):
        self.trace.append(name)
        self.act(2)


def kinds_seen(run, program):
    """Runs a program from each seed; returns the kinds of events in the traces."""
    seen = set()
    for seed in SEEDS:
        trace = run(lambda *args, seed=seed: program(seed, *args).run())
        assert trace.count("turn") == TURNS
        seen.update(str(event).split()[0] for event in trace)
    return seen


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


class CallsProgram(Program):
    """Delayed calls that are due or far away, and calls from threads."""

    ACTIONS = (
        *("later", "later", "due", "due", "from_thread", "fail"),
        *("cancel", "reset", "reset", "delay", "list_them", "is_active"),
    )

    def __init__(self, seed, reactor, trace):
        super().__init__(seed, trace)
        self.reactor = reactor
        self.calls = []
        self.within = False

    def run(self):
        for _ in range(TURNS):
            self.within = False
            self.act(5)
            self.within = True
            self.trace.append("turn")
            self.reactor.iterate()
        for call in self.reactor.getDelayedCalls():
            call.cancel()

    def seconds(self):
        # Never the same twice. Within a turn far into the future: whether a call that
        # becomes due only then still belongs to this turn, nobody is promised.
        far = self.random.randrange(1, 90) * 10 + self.count * 0.01
        return far + 10_000 if self.within else self.random.choice([-far, far])

    def later(self):
        call = self.reactor.callLater(0, self.called, f"later {self.count}")
        self.calls.append(call)

    def due(self):
        call = self.reactor.callLater(1000, self.called, f"due {self.count}")
        call.reset(-abs(self.seconds()) if not self.within else 0)
        self.calls.append(call)

    def from_thread(self):
        self.reactor.callFromThread(self.trace.append, f"thread {self.count}")

    def fail(self):
        self.calls.append(self.reactor.callLater(0, int, f"fail {self.count}"))

    def cancel(self):
        self.on_some("cancel")

    def reset(self):
        self.on_some("reset", self.seconds())

    def delay(self):
        self.on_some("delay", self.seconds())

    def on_some(self, method, *args):
        if self.calls:
            call = self.random.choice(self.calls)
            self.trace.append((method, outcome(getattr(call, method), *args)))

    def list_them(self):
        waiting = self.reactor.getDelayedCalls()
        self.trace.append(("list", [call in waiting for call in self.calls]))

    def is_active(self):
        self.trace.append(("active", [bool(call.active()) for call in self.calls]))


@on_reactors
def test_delayed_calls(run):
    results = {f"('{name}'," for name in ["cancel", "reset", "delay", "list", "active"]}
    others = {"turn", "later", "due", "thread", "('logged',"}
    assert kinds_seen(run, CallsProgram) == others | results
