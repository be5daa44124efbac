"""Row after row, with a bar that tells how far it is."""

from __future__ import annotations

from .context import Context
from .processes import cpus
from .progress import Progress
from .results import Results
from .rounds import Turns
from .rows import Row
from .table import table


def measure_rows(
    context: Context, rows: list[Row], rounds: int, results: Results, tell: bool = True
) -> None:
    """Measure the rows, and add each to the results, and print it, as it is known."""
    if len(set(cpus())) == 1:
        print("There is one CPU only: a server shares it with its load.", flush=True)
    costs = {row.name: row.work.seconds(context) for row in rows}
    expected = sum(
        costs[row.name] * len(row.peers) * min(rounds, row.rounds or rounds) for row in rows
    )
    progress = Progress(expected)
    face = None
    for row in rows:
        if row.face != face:
            # Their loops are of no use any more.
            context.close_workers()
            face = row.face
        cost = costs[row.name]

        def say(text: str, done: float, cost: float = cost) -> None:
            progress.add(text, done * cost)

        result = Turns(context, row, say).measure(rounds)
        results.rows.append(result)
        progress.clear()
        if tell:
            print(table(result, row.wanted), flush=True)
