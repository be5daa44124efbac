"""Row after row, with a bar that tells how far it is."""

from __future__ import annotations

import time

from .context import Context
from .processes import cpus
from .progress import Progress
from .results import Results
from .rounds import Turns
from .rows import Row
from .table import table

# From so many seconds on the pace says something.
EARLY = 20.0
# As few rounds as there may be of a row when time is short.
FEWEST = 3


class Budget:
    """How many rounds there is time for. Without a limit: as many as are asked for.

    How fast it goes is seen from the second row on; the first one builds programs.
    """

    def __init__(self, seconds: float | None, expected: float) -> None:
        self._seconds = seconds
        self._expected = expected
        self._done = self._first = self._first_took = 0.0
        self._began = time.monotonic()

    def rounds(self, wanted: int) -> int:
        """Tell how many rounds of the next row to do, of so many."""
        took = time.monotonic() - self._began
        since = took - self._first_took
        if self._seconds is None or since < EARLY or self._done <= self._first:
            return wanted
        pace = since / (self._done - self._first)
        needed = pace * (self._expected - self._done)
        left = self._seconds - took
        if needed <= left:
            return wanted
        return max(min(wanted, FEWEST), int(wanted * max(left, 0.0) / needed))

    def done(self, expected: float) -> None:
        """Take note that a row is done which was expected to take so long."""
        if not self._done:
            self._first, self._first_took = expected, time.monotonic() - self._began
        self._done += expected


def measure_rows(
    context: Context,
    rows: list[Row],
    rounds: int,
    results: Results,
    seconds: float | None = None,
) -> None:
    """Measure the rows, and add each to the results, and print it, as it is known.

    There are fewer rounds where otherwise all would take more than so many seconds.
    """
    if len(set(cpus())) == 1:
        print("There is one CPU only: a server shares it with its load.", flush=True)
    costs = {row.name: row.work.seconds(context) for row in rows}
    wanted = {row.name: min(rounds, row.rounds or rounds) for row in rows}
    expected = {row.name: costs[row.name] * len(row.peers) * wanted[row.name] for row in rows}
    progress = Progress(sum(expected.values()))
    budget = Budget(seconds, sum(expected.values()))
    face = None
    for row in rows:
        if row.face != face:
            # Their loops are of no use any more.
            context.close_workers()
            face = row.face
        count = budget.rounds(wanted[row.name])
        # What is left out counts as done.
        cost = costs[row.name] * wanted[row.name] / count

        def say(text: str, done: float, cost: float = cost) -> None:
            progress.add(text, done * cost)

        result = Turns(context, row, say).measure(count)
        budget.done(expected[row.name])
        results.rows.append(result)
        progress.clear()
        print(table(result, row.wanted), flush=True)
