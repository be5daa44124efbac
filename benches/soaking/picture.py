"""The curves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from harness.svg import MARGIN, WIDTH, Picture

LEFT, RIGHT, HEIGHT, GAP, TOP = 84, 96, 84, 34, 70
POINTS = 240

# Each panel: its title, the names of its curves, how a value is said.
Panel = tuple[str, dict[str, tuple[str, str]], Callable[[float], str]]


def mib(value: float) -> str:
    return f"{value / (1 << 20):.0f} MiB"


def ms(value: float) -> str:
    return f"{value:.2g} s" if value >= 1 else f"{value * 1e3:.3g} ms"


def count(value: float) -> str:
    return f"{value:,.0f}"


PANELS: list[Panel] = [
    ("memory (RSS)", {"memory": ("RSS", "ours")}, mib),
    ("objects of Python's allocator", {"blocks": ("blocks", "ours")}, count),
    ("descriptors", {"descriptors": ("open", "ours")}, count),
    ("threads", {"threads": ("threads", "ours")}, count),
    (
        "lag: how long an iteration's work takes, each second's quantiles",
        {"lag_p50": ("p50", "ours"), "lag_p99": ("p99", "uvloop")},
        ms,
    ),
    (
        "how late a timer is, each second's quantiles",
        {"late_p50": ("p50", "ours"), "late_p99": ("p99", "uvloop")},
        ms,
    ),
    ("visits in a second", {"visits": ("visits", "ours")}, count),
]


def drawn(result: dict[str, Any]) -> str:
    """Draw all curves of a run, one panel above the other."""
    samples: dict[str, list[float]] = result["samples"]
    minutes = samples["second"][-1] / 60
    heading = f"All faces together for {minutes:.0f} minutes, on {result['loop']}"
    picture = Picture(heading)
    picture.text(MARGIN, 28, heading, size=17, bold=True)
    said = f"{result['visits']:,} visits, {result['bytes'] / 1e9:.2f} GB that came back; "
    said += f"{len(result['wrong'])} were wrong. Of every few seconds the highest value is drawn."
    picture.text(MARGIN, 48, said, "faint", 12)
    y = float(TOP)
    for title, curves, say in PANELS:
        if all(name in samples for name in curves):
            panel(picture, y, title, {name: samples[name] for name in curves}, curves, say)
            y += HEIGHT + GAP
    for part in range(5):
        x = LEFT + part / 4 * (WIDTH - LEFT - RIGHT)
        at = f"{minutes * part / 4:.3g} min"
        picture.text(x, y - GAP + 30, at, "faint", 11, "middle")
    return picture.drawn(y + 8)


def panel(
    picture: Picture,
    top: float,
    title: str,
    samples: dict[str, list[float]],
    curves: dict[str, tuple[str, str]],
    say: Callable[[float], str],
) -> None:
    picture.text(LEFT, top, title, size=12, bold=True)
    top += 8
    thinned = {name: thin(values) for name, values in samples.items()}
    most = max(max(values) for values in thinned.values()) * 1.05 or 1.0
    for value in (0.0, most):
        y = top + HEIGHT * (1 - value / most)
        picture.line([(LEFT, y), (WIDTH - RIGHT, y)], "line")
        picture.text(LEFT - 6, y + 4, say(value), "faint", 11, "end")
    taken: list[float] = []
    for name, values in thinned.items():
        said, kind = curves[name]
        across = (WIDTH - LEFT - RIGHT) / max(len(values) - 1, 1)
        points = [(LEFT + n * across, top + HEIGHT * (1 - v / most)) for n, v in enumerate(values)]
        picture.line(points, kind, 1.5)
        y = points[-1][1] + 4
        while any(abs(y - other) < 13 for other in taken):
            y -= 13
        taken.append(y)
        picture.text(WIDTH - RIGHT + 6, y, f"{said} {say(values[-1])}", "text", 11)


def thin(values: Sequence[float]) -> list[float]:
    """At most so many points; each is the most of those that it stands for."""
    step = max(-(-len(values) // POINTS), 1)
    return [max(values[start : start + step]) for start in range(0, len(values), step)]
