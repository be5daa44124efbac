"""Programs that do random things to a loop, all drawn from a seed."""

import random

from helpers.scenarios import outcome
from helpers.seeded import seeds

SEEDS = seeds(150)
TURNS = 12


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
