"""Rounds: all peers in turns, so that a noisy moment meets them alike."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from .context import Context
from .results import Result
from .rows import Failed, Missing, Round, Row

Tell = Callable[[str, float], None]


class Turns:
    """One row's measurement. Who fails is left out from then on, and that is told."""

    def __init__(self, context: Context, row: Row, tell: Tell) -> None:
        self._context = context
        self._row = row
        self._tell = tell
        self._order = list(row.peers)
        self._took = 0
        self.result = Result(row.described(), list(row.peers))

    def measure(self, rounds: int) -> Result:
        """Have each peer do so many rounds."""
        rounds = min(rounds, self._row.rounds or rounds)
        left = rounds
        while left > 0 and self._order:
            some = min(left, self._context.options.fresh)
            with ExitStack() as stack:
                self._measure(self._opened(stack, rounds), some, rounds)
            left -= some
        return self.result

    def _opened(self, stack: ExitStack, rounds: int) -> dict[str, Round]:
        opened = {}
        for peer in list(self._order):
            self._say(peer, rounds, 0.0)
            try:
                work = self._row.work.open(self._context, self._row, peer)
                opened[peer] = stack.enter_context(work)
            except Failed as problem:
                self._without(peer, problem, rounds)
        return opened

    def _measure(self, opened: dict[str, Round], count: int, rounds: int) -> None:
        for _ in range(count):
            for peer in list(self._order):
                self._say(peer, rounds, 1.0)
                try:
                    self.result.add(peer, opened[peer]())
                except Failed as problem:
                    self._without(peer, problem, rounds)
            self._took += 1
            # Nobody always comes first, or after the same one.
            self._order = self._order[1:] + self._order[:1]
            if self._took % 2 == 0:
                self._order.reverse()

    def _without(self, peer: str, problem: Failed, rounds: int) -> None:
        self._order.remove(peer)
        self.result.drop(peer, str(problem), missing=isinstance(problem, Missing))
        self._tell(f"{self._row.name}: {peer} is out", float(rounds - self._took))

    def _say(self, peer: str, rounds: int, done: float) -> None:
        self._tell(f"{self._row.name} {self._took + 1}/{rounds} {peer}", done)
