"""Whether anything has leaked."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

# Seconds. A run that is shorter has hardly warmed up.
SHORTEST = 300
# Beside a twentieth of it: how much more there may be in the last quarter than in the second.
# The heap is never quite the same, and how many connections there are changes from one second to
# the next; a leak of an hour is more than that.
ALLOWED = {"memory": 4 << 20, "blocks": 20_000, "descriptors": 20, "threads": 4}


def growth(values: Sequence[float]) -> float:
    """How much more the last quarter has than the second; the first one warms up."""
    quarter = len(values) // 4
    if not quarter:
        return 0.0
    return median(values[-quarter:]) - median(values[quarter : 2 * quarter])


def per_hour(values: Sequence[float], seconds: Sequence[float]) -> float:
    """The slope, by least squares, after the first quarter."""
    quarter = len(values) // 4
    x, y = seconds[quarter:], values[quarter:]
    if len(x) < 2:
        return 0.0
    middle, level = sum(x) / len(x), sum(y) / len(y)
    across = sum((it - middle) ** 2 for it in x)
    along = sum((one - middle) * (other - level) for one, other in zip(x, y, strict=True))
    return along / across * 3600 if across else 0.0


def leaks(samples: dict[str, list[float]]) -> list[str]:
    """What has grown by more than is allowed."""
    found: list[str] = []
    if not samples or samples["second"][-1] < SHORTEST:
        return found
    for name, allowed in ALLOWED.items():
        values = samples.get(name, [])
        more = growth(values)
        if values and more > allowed + median(values) / 20:
            found.append(f"{name}: {more:+,.0f} since the second quarter")
    return found
