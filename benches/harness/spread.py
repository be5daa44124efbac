"""What many rounds come to."""

from __future__ import annotations

from statistics import median, quantiles
from typing import NamedTuple

# With fewer values than this a quartile is a guess: the extremes stand in for it.
FEWEST = 5
# Where the upper quartile is so many times the lower one, the median says little.
NOISY = 1.5


class Spread(NamedTuple):
    """A median, and the quartiles around it."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, values: list[float]) -> Spread:
        """Find them."""
        if len(values) < FEWEST:
            return cls(min(values), median(values), max(values))
        return cls(*quantiles(values, n=4, method="inclusive"))

    @property
    def percent(self) -> float:
        """How far the quartiles are apart, in percent of the median."""
        return 100 * (self.high - self.low) / self.median if self.median else 0.0


NOT_YET = "one round isn't enough"
CLOSE = "too close to call"
TOO_NOISY = "too noisy to say"


def doubt(ratio: Spread, rounds: int) -> str | None:
    """Tell why a ratio is no result, if it is none.

    A quarter of the rounds on the other side of 1 is too close to call.
    """
    if rounds < 2:
        return NOT_YET
    if ratio.high > NOISY * ratio.low:
        return TOO_NOISY
    if ratio.low <= 1 <= ratio.high:
        return CLOSE
    return None


def sure_of_median(values: list[float]) -> tuple[float, float] | None:
    """Find between what the true median is, with at least 95 % certainty.

    By the order of the values alone, whatever their distribution is; None where there
    are too few of them for any such statement (fewer than 6).
    """
    ordered, outside, ways = sorted(values), 0.0, 1.0
    all_ways = 2.0 ** len(values)
    found = None
    for place in range(len(values) // 2):
        # The chance that the true median is below the value at this place, or above that
        # at the same place from the end.
        outside += 2 * ways / all_ways
        if outside > 0.05:
            break
        found = (ordered[place], ordered[-1 - place])
        ways = ways * (len(values) - place) / (place + 1)
    return found
