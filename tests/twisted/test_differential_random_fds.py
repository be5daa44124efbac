"""Random programs on watched descriptors: EPollReactor's calls in its order."""

import random

from helpers.descriptors import Watched, drain
from helpers.loops import on_reactors
from helpers.scenarios import socket_pairs
from helpers.seeded import seeds

SEEDS = seeds(150)
TURNS = 12
PAIRS = 4


class Program:
    """Its descriptors do random things when they are told to read and write.

    There they remove nothing but themselves: EPollReactor still calls what another
    one removed in the same turn, and the writing of what removed itself in doRead.
    """

    ACTIONS = ("add_reader", "add_writer", "fill", "list_them")
    OUTSIDE = ("remove_reader", "remove_writer")

    def __init__(self, seed, reactor, trace):
        self.random = random.Random(seed)
        self.reactor = reactor
        self.trace = trace

    def run(self):
        with socket_pairs(PAIRS) as self.pairs:
            self.all = [
                Watched(self.trace, f"{number}", left.fileno())
                for number, (left, _) in enumerate(self.pairs)
            ]
            for watched in self.all:
                watched.read = lambda watched=watched: self.reads(watched)
                watched.write = lambda watched=watched: self.writes(watched)
            for _ in range(TURNS):
                self.act(self.ACTIONS + self.OUTSIDE, 5)
                self.trace.append("turn")
                self.reactor.iterate()
            for watched in self.all:
                self.reactor.removeReader(watched)
                self.reactor.removeWriter(watched)

    def act(self, actions, most):
        for _ in range(self.random.randint(0, most)):
            getattr(self, self.random.choice(actions))(self.random.choice(self.all))

    def reads(self, watched):
        if self.random.random() < 0.6:
            drain(watched.fd)
        if self.random.random() < 0.3:
            self.remove_reader(watched)
        self.act(self.ACTIONS, 2)

    def writes(self, watched):
        if self.random.random() < 0.6:
            self.remove_writer(watched)
        if self.random.random() < 0.3:
            self.remove_reader(watched)
        self.act(self.ACTIONS, 2)

    def add_reader(self, watched):
        self.reactor.addReader(watched)

    def add_writer(self, watched):
        self.reactor.addWriter(watched)

    def remove_reader(self, watched):
        self.reactor.removeReader(watched)

    def remove_writer(self, watched):
        self.reactor.removeWriter(watched)

    def fill(self, watched):
        self.pairs[self.all.index(watched)][1].send(b"x")

    def list_them(self, _):
        readers, writers = self.reactor.getReaders(), self.reactor.getWriters()
        self.trace.append(("reading", [watched in readers for watched in self.all]))
        self.trace.append(("writing", [watched in writers for watched in self.all]))


@on_reactors
def test_watched_descriptors(run):
    seen = set()
    for seed in SEEDS:
        trace = run(lambda *args, seed=seed: Program(seed, *args).run())
        assert trace.count("turn") == TURNS
        seen.update(str(event[1:]) for event in trace)
    assert {"('doRead',)", "('doWrite',)"} < seen
