"""Rounds: all hosts in turns, so that a noisy moment meets them alike."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec

from .child import Child
from .spread import Spread
from .work import OURS, PEERS, Work

# Fewer rounds than this give no quartiles worth the name.
FEWEST = 5


class Result:
    """What was measured of one piece of work."""

    def __init__(self, work: Work, seconds: dict[str, list[float]]) -> None:
        self.work = work
        self.rounds = len(seconds[OURS])
        self.nanoseconds = {
            name: Spread.of([taken * 1e9 / work.operations for taken in rounds])
            for name, rounds in seconds.items()
        }
        # Round by round: what slows one host down for a while slows them all.
        self.ratios = {
            name: Spread.of([peer / own for peer, own in zip(rounds, seconds[OURS], strict=True)])
            for name, rounds in seconds.items()
            if name != OURS
        }

    @property
    def best_peer(self) -> str:
        """The fastest of the others."""
        return min(self.ratios, key=lambda name: self.ratios[name].median)

    @property
    def verdict(self) -> str | None:
        """What became of the target; None if there is none.

        It is met or missed only when it lies outside the quartiles: a quarter
        of the rounds on the other side is too close to call.
        """
        target = self.work.target
        if target is None:
            return None
        if target.peer not in self.ratios:
            return "not measured"
        ratio = self.ratios[target.peer]
        if ratio.low <= target.ratio <= ratio.high:
            return "too close to call"
        return "met" if ratio.median > target.ratio else "missed"


@contextmanager
def children(face: str) -> Iterator[dict[str, Child]]:
    """Start a process for each host of a face that is installed here."""
    names = [OURS, *(name for name in PEERS[face] if name != "uvloop" or find_spec(name))]
    started = {name: Child(face, name) for name in names}
    try:
        yield started
    finally:
        for child in started.values():
            child.close()


def measure(work: Work, hosts: dict[str, Child], seconds: float) -> Result:
    """Do rounds of the work on all hosts, for about so many seconds."""
    with ExitStack() as stack:
        rounds = {name: stack.enter_context(child.prepared(work)) for name, child in hosts.items()}
        taken: dict[str, list[float]] = {name: [] for name in rounds}
        order = list(rounds)
        for warm_up in rounds.values():
            warm_up()
        until = time.monotonic() + seconds
        while len(taken[OURS]) < FEWEST or time.monotonic() < until:
            for name in order:
                taken[name].append(rounds[name]())
            # Nobody always comes first, or after the same one.
            order.append(order.pop(0))
            if len(taken[OURS]) % len(order) == 0:
                order.reverse()
    return Result(work, taken)
