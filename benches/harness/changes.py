"""Two results, and what became slower between them."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from .results import Result, Results
from .spread import sure_of_median

# What is no slower than this is no change, however sure it is.
MARGIN = 0.03


@dataclass(frozen=True)
class Change:
    """How many times as much an operation of a row costs as before: between what, and about."""

    name: str
    low: float
    about: float
    high: float

    @property
    def slower(self) -> bool:
        """Whether it is, beyond the noise."""
        return self.low > 1 + MARGIN

    @property
    def faster(self) -> bool:
        """Whether it is, beyond the noise."""
        return self.high < 1 / (1 + MARGIN)


def paired(result: Result, base: str, head: str) -> Change | None:
    """Compare two that have taken turns: round by round, by the order of the ratios."""
    ratios = result.ratios(base, head)
    between = sure_of_median(ratios)
    if between is None:
        return None
    return Change(result.name, between[0], median(ratios), between[1])


def apart(old: Result, new: Result) -> Change | None:
    """Compare what was measured at different times: the quartiles must not meet.

    The peers have run both times, and are what they were: by how much their median has
    changed the machine has.
    """
    before, after = old.cost(old.ours), new.cost(new.ours)
    if before is None or after is None or before.low <= 0 or after.low <= 0:
        return None
    drift = _drift(old, new)
    return Change(
        new.name,
        after.low / before.high / drift,
        after.median / before.median / drift,
        after.high / before.low / drift,
    )


def _drift(old: Result, new: Result) -> float:
    changes = []
    for peer in old.peers:
        if peer.startswith(old.ours):
            continue
        before, after = old.cost(peer), new.cost(peer)
        if before is not None and after is not None and before.median > 0:
            changes.append(after.median / before.median)
    return median(changes) if changes else 1.0


def report(changes: list[Change], unknown: list[str], broken: list[str]) -> bool:
    """Tell what became slower and what faster. Whether anything became slower, or broke."""
    slower = sorted((it for it in changes if it.slower), key=lambda it: -it.about)
    faster = sorted((it for it in changes if it.faster), key=lambda it: it.about)
    for heading, its in (("slower, beyond the noise", slower), ("faster", faster)):
        if its:
            print(f"\n{heading}:")
        for it in its:
            between = f"{it.low:.2f} to {it.high:.2f}"
            print(f"  {it.name:<52} {it.about:.2f} times the cost ({between})")
    rest = len(changes) - len(slower) - len(faster)
    print(f"\n{rest} of {len(changes)} rows: no change that is sure and above {MARGIN:.0%}")
    if unknown:
        print(f"not compared: {', '.join(unknown)}")
    for row in broken:
        print(f"doesn't work any more: {row}")
    return bool(slower or broken)


def compare(old: Results, new: Results) -> bool:
    """Compare two runs of the same machine. Whether anything became slower."""
    for what in ("cpu", "python"):
        if old.on[what] != new.on[what]:
            print(f"the {what} is another: {old.on[what]}, {new.on[what]}")
    changes, unknown, broken = [], [], []
    for result in new:
        before = old.find(result.name)
        comparable = before is not None and before.row["by"] == result.row["by"]
        change = apart(before, result) if before is not None and comparable else None
        if result.ours in result.failed and not (before and before.ours in before.failed):
            broken.append(f"{result.name}: {result.failed[result.ours]}")
        elif change is None:
            unknown.append(result.name)
        else:
            changes.append(change)
    return report(changes, unknown, broken)


def main(arguments: list[str]) -> None:
    """Compare two files."""
    parser = argparse.ArgumentParser(
        prog="run.py compare",
        description="Tell what became slower between two results of the same machine. Its status "
        "is 1 if something did.",
    )
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    asked = parser.parse_args(arguments)
    if compare(Results.load(asked.old), Results.load(asked.new)):
        sys.exit(1)
