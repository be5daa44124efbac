"""Figures as they are told."""

from __future__ import annotations

from .results import Result
from .rows import BYTES
from .spread import Spread

UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


def duration(seconds: float | None) -> str:
    """Tell a time, in three digits."""
    if seconds is None:
        return ""
    size, unit = next((it for it in UNITS if seconds >= it[0]), UNITS[-1])
    return f"{digits(seconds / size)} {unit}"


def microseconds(value: float | None) -> str:
    """Tell a latency."""
    return "" if value is None else duration(value / 1e6)


def digits(value: float) -> str:
    """Tell a number in about three digits."""
    if value >= 100:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def memory(count: float) -> str:
    """Tell so many bytes."""
    for size, unit in ((2**20, "MiB"), (2**10, "KiB")):
        if count >= size:
            return f"{digits(count / size)} {unit}"
    return f"{digits(max(count, 0))} B"


def rate(value: float | None) -> str:
    """Tell how many a second."""
    return "" if value is None else digits(value)


def cost(result: Result, peer: str) -> str:
    """Tell what an operation costs a peer, or what of memory it takes."""
    found = result.cost(peer)
    if found is None:
        return ""
    return memory(found.median) if result.row["by"] == BYTES else duration(found.median)


def times(ratio: Spread) -> str:
    """Tell how many times as good ours is."""
    return f"{ratio.median:.2f}x"


def compared(result: Result, peer: str) -> str:
    """Tell how many times as good as a peer ours is, if that can be said."""
    ratio = result.ratio(peer)
    if ratio is None:
        return ""
    doubt = result.doubt(peer)
    quartiles = f"{ratio.low:.2f} to {ratio.high:.2f}"
    return f"{doubt} ({quartiles})" if doubt else f"{times(ratio)} ({quartiles})"
