"""Rounds: all peers in turns, so that a noisy moment meets them alike."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

from comparison.spread import Spread

from .measure import Sample, measure
from .peers import Programs
from .processes import Failed
from .rows import Row, Wanted


class Result:
    """What was measured of one row."""

    def __init__(self, row: Row, samples: dict[str, list[Sample]], failed: dict[str, str]) -> None:
        self.row = row
        self.samples = samples
        self.failed = failed
        self.values = {
            peer: Spread.of([sample.value for sample in taken]) for peer, taken in samples.items()
        }
        # Round by round: what slows one peer down for a while slows them all.
        self.ratios = {
            peer: Spread.of(
                [
                    own.value / other.value
                    for own, other in zip(samples[row.ours], taken, strict=True)
                ]
            )
            for peer, taken in samples.items()
            if peer != row.ours and row.ours in samples
        }

    def transport(self, peer: str) -> str | None:
        """Tell the class of the peer's transports."""
        return self.samples[peer][0].transport

    def lost(self, peer: str) -> int:
        """Tell how many datagrams got lost, in all rounds."""
        return sum(sample.lost for sample in self.samples[peer])

    def worked(self, peer: str) -> float | None:
        """Tell for how many seconds the peer worked for each operation."""
        times = [sample.worked for sample in self.samples[peer] if sample.worked is not None]
        return median(times) if times else None

    def busy(self, peer: str) -> float | None:
        """Tell how much of the time the load generator didn't wait; 1 is all of it."""
        shares = [sample.busy for sample in self.samples[peer] if sample.busy is not None]
        return median(shares) if shares else None

    def verdict(self, wanted: Wanted) -> str:
        """Tell what became of it.

        It is met or missed only when it lies outside the quartiles: a quarter of the
        rounds on the other side is too close to call.
        """
        ratio = self.ratios.get(wanted.peer)
        if ratio is None:
            return "not measured"
        if ratio.low < wanted.ratio < ratio.high:
            return "too close to call"
        enough = wanted.ratio <= ratio.median
        if self.row.of_memory:
            enough = ratio.median <= wanted.ratio
        return "met" if enough else "missed"


def measure_row(
    programs: Programs,
    row: Row,
    rounds: int,
    seconds: float,
    progress: Callable[[str], None],
) -> Result:
    """Measure each peer once in each round. Who fails is left out from then on."""
    order = [peer for peer in row.peers if programs.has(row, peer)]
    samples: dict[str, list[Sample]] = {peer: [] for peer in order}
    failed: dict[str, str] = {}
    for number in range(rounds):
        for peer in list(order):
            progress(f"{row.name}, round {number + 1} of {rounds}: {peer}")
            try:
                samples[peer].append(measure(programs, row, peer, seconds))
            except Failed as problem:
                failed[peer] = str(problem)
                order.remove(peer)
                del samples[peer]
        # Nobody always comes first, or after the same one.
        order = order[1:] + order[:1]
        if number % 2:
            order.reverse()
    return Result(row, samples, failed)
