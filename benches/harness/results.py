"""What came out: of one row, and of a whole run, as it is kept in a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from .rows import COSTS, CPU, WALL, Sample
from .spread import Spread, doubt

FORMAT = 1
DIGITS = 4
PERCENTILES = ("p50", "p90", "p99", "p999")


class Result:
    """What was measured of one row; ``row`` is what `Row.described` says."""

    def __init__(self, row: dict[str, Any], peers: list[str]) -> None:
        self.row = row
        self.peers = peers
        self.missing: dict[str, str] = {}
        self.failed: dict[str, str] = {}
        self._taken: dict[str, dict[str, Any]] = {}

    @property
    def name(self) -> str:
        """The row's name."""
        name: str = self.row["name"]
        return name

    @property
    def ours(self) -> str:
        """Who is compared with the others."""
        ours: str = self.row["ours"]
        return ours

    @property
    def measured(self) -> list[str]:
        """All that did it."""
        return [peer for peer in self.peers if peer in self._taken]

    def add(self, peer: str, sample: Sample) -> None:
        """Take note of one round."""
        taken = self._taken.setdefault(peer, {})
        for name in COSTS:
            if (cost := getattr(sample, name)) is not None:
                taken.setdefault(name, []).append(_rounded(cost))
        for name, value in sample.latencies.items():
            taken.setdefault(name, []).append(_rounded(value))
        if sample.busy is not None:
            taken.setdefault("busy", []).append(round(sample.busy, 3))
        taken["lost"] = taken.get("lost", 0) + sample.lost
        if sample.transport:
            taken["transport"] = sample.transport

    def drop(self, peer: str, why: str, *, missing: bool) -> None:
        """Forget a peer that can't do the work, and take note of why."""
        self._taken.pop(peer, None)
        (self.missing if missing else self.failed)[peer] = why

    def cost(self, peer: str, of: str | None = None) -> Spread | None:
        """Tell what an operation costs a peer: what the row is about, or something else."""
        values = self.values(peer, of)
        return Spread.of(values) if values else None

    def values(self, peer: str, of: str | None = None) -> list[float]:
        """Tell that of each round."""
        taken = self._taken.get(peer, {})
        values: list[float] = taken.get(of or self.row["by"], [])
        if not values and of is None and self.row["by"] == CPU:
            # It isn't known of everything.
            values = taken.get(WALL, [])
        return values

    def rate(self, peer: str) -> float | None:
        """Tell how many operations a peer did in a second."""
        taken = self.values(peer, WALL)
        return 1 / median(taken) if taken else None

    def latency(self, peer: str, percentile: str) -> float | None:
        """Tell a percentile of its latencies, in microseconds."""
        values = self.values(peer, percentile)
        return median(values) if values else None

    def busy(self, peer: str) -> float | None:
        """Tell how much of the time the load generator didn't wait; 1 is all of it."""
        values = self.values(peer, "busy")
        return median(values) if values else None

    def lost(self, peer: str) -> int:
        """Tell how many datagrams got lost, in all rounds."""
        lost: int = self._taken.get(peer, {}).get("lost", 0)
        return lost

    def transport(self, peer: str) -> str | None:
        """Tell the class of a peer's transports."""
        kind: str | None = self._taken.get(peer, {}).get("transport")
        return kind

    def ratios(self, one: str, other: str) -> list[float]:
        """Tell how many times as good one was as the other, in each round.

        Round by round: what slows one down for a while slows them all.
        """
        pairs = zip(self.values(one), self.values(other), strict=False)
        return [theirs / own for own, theirs in pairs if own > 0]

    def ratio(self, peer: str) -> Spread | None:
        """Tell how many times as good as a peer ours is, or None."""
        values = self.ratios(self.ours, peer)
        return Spread.of(values) if values and peer != self.ours else None

    def doubt(self, peer: str) -> str | None:
        """Tell why that ratio is no result, if it is none."""
        return None if peer == self.ours else self.doubt_of(self.ours, peer)

    def doubt_of(self, one: str, other: str) -> str | None:
        """Tell the same of any two."""
        ratios = self.ratios(one, other)
        return doubt(Spread.of(ratios), len(ratios)) if ratios else None

    def as_json(self) -> dict[str, Any]:
        """Tell all of it."""
        return self.row | {
            "peers": self.peers,
            "taken": self._taken,
            "missing": self.missing,
            "failed": self.failed,
        }

    @classmethod
    def of_json(cls, entry: dict[str, Any]) -> Result:
        """Make it again."""
        kept = ("peers", "taken", "missing", "failed")
        result = cls({word: it for word, it in entry.items() if word not in kept}, entry["peers"])
        result._taken = entry["taken"]
        result.missing, result.failed = entry["missing"], entry["failed"]
        return result


class Results:
    """A run: ``on`` what it was, ``how`` it was measured, and its rows."""

    def __init__(
        self, on: dict[str, Any], how: dict[str, Any], rows: list[Result] | None = None
    ) -> None:
        self.on = on
        self.how = how
        self.rows = rows or []

    def __iter__(self) -> Iterator[Result]:
        return iter(self.rows)

    def find(self, name: str) -> Result | None:
        """Find the row of that name."""
        return next((row for row in self.rows if row.name == name), None)

    def save(self, path: Path) -> None:
        """Write it, a line for each peer of a row."""
        head = {"format": FORMAT, "on": self.on, "how": self.how}
        lines = json.dumps(head, indent=1)[:-2] + ',\n "rows": [\n'
        lines += ",\n".join(_entry(result.as_json()) for result in self.rows)
        path.write_text(lines + "\n ]\n}\n")

    @classmethod
    def load(cls, path: Path) -> Results:
        """Read it.

        :raises ValueError: It is something else.
        """
        found = json.loads(path.read_text())
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise ValueError(f"{path} isn't what the benchmarks write, or by another version")
        rows = [Result.of_json(entry) for entry in found["rows"]]
        return cls(found["on"], found["how"], rows)


def _entry(row: dict[str, Any]) -> str:
    taken = row.pop("taken")
    head = json.dumps(row)[:-1]
    lines = [f"    {json.dumps(peer)}: {json.dumps(it)}" for peer, it in taken.items()]
    return f'  {head}, "taken": {{\n' + ",\n".join(lines) + "\n  }}"


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
