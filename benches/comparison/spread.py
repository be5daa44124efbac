"""What many rounds come to."""

from __future__ import annotations

from statistics import quantiles
from typing import NamedTuple


class Spread(NamedTuple):
    """Three quartiles."""

    low: float
    median: float
    high: float

    @classmethod
    def of(cls, values: list[float]) -> Spread:
        """Find the quartiles of the values."""
        return cls(*quantiles(values, n=4, method="inclusive"))
