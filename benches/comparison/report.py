"""The table, and the same as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from .environment import environment
from .rounds import Result
from .spread import Spread
from .work import OURS, PEERS

NAME_WIDTH = 37
TIME_WIDTH = 14

HEADING = (
    "Nanoseconds per operation: median and interquartile range. Ratios: how many times\n"
    "as fast we are, median of the rounds. Absolute times say little on a shared machine."
)


def header(face: str) -> str:
    """The first line of a face's table."""
    hosts = "".join(f"{name:>{TIME_WIDTH}}" for name in (OURS, *PEERS[face]))
    return f"\n{face:<{NAME_WIDTH}}{hosts}   {'to the best peer':<17} target"


def row(result: Result) -> str:
    """One line of the table."""
    times = "".join(
        f"{_time(result.nanoseconds.get(name)):>{TIME_WIDTH}}" for name in result.work.hosts
    )
    best = result.best_peer
    ratio = f"{result.ratios[best].median:.2f}x {best}"
    return f"{result.work.name:<{NAME_WIDTH}}{times}   {ratio:<17} {_target(result)}".rstrip()


def _time(spread: Spread | None) -> str:
    if spread is None:
        return "-"
    range_in_percent = 100 * (spread.high - spread.low) / spread.median
    return f"{spread.median:,.0f} {range_in_percent:3.0f}%"


def _target(result: Result) -> str:
    target, verdict = result.work.target, result.verdict
    if target is None or verdict is None:
        return ""
    ratio = result.ratios.get(target.peer)
    found = "" if ratio is None else f"{ratio.median:.2f}x, "
    return f"{target.ratio:.1f}x {target.peer}: {found}{verdict}"


def as_json(results: list[Result]) -> dict[str, Any]:
    """Everything that was measured, and on what."""
    return {"on": environment(), "work": [_entry(result) for result in results]}


def _entry(result: Result) -> dict[str, Any]:
    work = result.work
    entry: dict[str, Any] = {
        "face": work.face,
        "name": work.name,
        "operations": work.operations,
        "rounds": result.rounds,
        "nanoseconds": {name: it._asdict() for name, it in result.nanoseconds.items()},
        "ratios": {name: it._asdict() for name, it in result.ratios.items()},
        "best_peer": result.best_peer,
    }
    if work.target is not None:
        entry["target"] = {**asdict(work.target), "verdict": result.verdict}
    return entry
