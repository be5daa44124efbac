"""The table, and the same as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from comparison.environment import environment

from .rounds import Result

HEADING = (
    "Each peer: median of the rounds and interquartile range; microseconds of CPU time\n"
    "for each operation; how much of the time the load generator didn't wait; ours to it,\n"
    "median of the rounds' ratios and their quartiles. Absolute figures say little on a\n"
    "shared machine."
)
FULL = 0.9


def table(result: Result) -> str:
    """All that there is to say about a row."""
    row = result.row
    wanted = {each.peer: each for each in row.wanted}
    sign = "<=" if row.of_memory else ">="
    lines = [
        "",
        f"{row.face}: {row.title}",
        f"  {'':<20}{row.unit:>14}{'':>6}{'us':>7}{'load':>7}   {'ours to it':<22}wanted",
    ]
    for peer in row.peers:
        if peer in result.failed:
            lines.append(f"  {peer:<20}failed: {result.failed[peer]}")
            continue
        if peer not in result.values:
            lines.append(f"  {peer:<20}{'-':>14}")
            continue
        value, ratio = result.values[peer], result.ratios.get(peer)
        worked, busy = result.worked(peer), result.busy(peer)
        spread = 100 * (value.high - value.low) / value.median
        share = "" if busy is None else f"{100 * busy:.0f}%" + ("!" if busy > FULL else "")
        time = "" if worked is None else f"{worked * 1e6:.1f}"
        line = f"  {peer:<20}{value.median:>14,.0f}{spread:>5.0f}%{time:>7}{share:>7}   "
        if ratio is not None:
            line += f"{ratio.median:.2f}x ({ratio.low:.2f} to {ratio.high:.2f})".ljust(22)
        if peer in wanted:
            line += f"{sign} {wanted[peer].ratio:.2f}x: {result.verdict(wanted[peer])}"
        if result.lost(peer):
            line += f"  {result.lost(peer)} datagrams lost"
        lines.append(line.rstrip())
    if row.ours in result.values:
        lines.append(f"  our transports: {result.transport(row.ours)}")
    return "\n".join(lines)


def as_json(results: list[Result]) -> dict[str, Any]:
    """Everything that was measured, and on what."""
    return {"on": environment(), "rows": [_entry(result) for result in results]}


def _entry(result: Result) -> dict[str, Any]:
    row = result.row
    return {
        "face": row.face,
        "name": row.name,
        "title": row.title,
        "unit": row.unit,
        "values": {peer: it._asdict() for peer, it in result.values.items()},
        "ratios": {peer: it._asdict() for peer, it in result.ratios.items()},
        "wanted": [asdict(each) | {"verdict": result.verdict(each)} for each in row.wanted],
        "samples": {
            peer: [asdict(sample) for sample in samples] for peer, samples in result.samples.items()
        },
        "failed": result.failed,
    }
