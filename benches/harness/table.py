"""What came out, for a terminal."""

from __future__ import annotations

from collections.abc import Mapping

from . import words
from .results import Result
from .rows import BYTES, CPU, WALL

HEADING = (
    "For each peer: what an operation costs (its median, and how far the quartiles are apart),\n"
    "how many are done in a second, latencies, and how much of the time the load generator\n"
    'didn\'t wait ("!": it is the limit). Then how many times as good ours is: the median of the\n'
    "rounds' ratios, and their quartiles. It is of what the first column has: CPU time,\n"
    "the time that passes, or memory."
)
FULL = 0.9
WHAT = {CPU: "CPU time", WALL: "time", BYTES: "memory"}


def table(result: Result, wanted: Mapping[str, float]) -> str:
    """All that there is to say about a row."""
    row = result.row
    unit = f"{row['unit']}/s" if row["unit"] else ""
    lines = [
        "",
        result.name if result.name.endswith(row["title"]) else f"{result.name}: {row['title']}",
        f"  {'':<22}{WHAT[row['by']]:>10}{'':>5}{unit:>15}{'p50':>9}{'p99':>9}{'load':>6}  "
        "ours to it",
    ]
    for peer in result.peers:
        why = result.failed.get(peer) or result.missing.get(peer)
        if why is not None:
            kind = "failed: " if peer in result.failed else ""
            lines.append(f"  {peer:<22}  {kind}{why}")
        elif (cost := result.cost(peer)) is not None:
            lines.append(_line(result, peer, cost.percent, wanted))
    if (used := result.transport(result.ours)) is not None:
        lines.append(f"  {result.ours}: {used}")
    return "\n".join(lines)


def _line(result: Result, peer: str, percent: float, wanted: Mapping[str, float]) -> str:
    busy = result.busy(peer)
    share = "" if busy is None else f"{100 * busy:.0f}%" + ("!" if busy > FULL else "")
    rate = "" if result.row["by"] == BYTES else words.rate(result.rate(peer))
    latencies = [words.microseconds(result.latency(peer, name)) for name in ("p50", "p99")]
    line = f"  {peer:<22}{words.cost(result, peer):>10}{percent:>4.0f}%{rate:>15}"
    line += "".join(f"{it:>9}" for it in latencies) + f"{share:>6}  {words.compared(result, peer)}"
    if peer in wanted and (ratio := result.ratio(peer)) is not None:
        verdict = "met" if ratio.median >= wanted[peer] else "missed"
        if ratio.low < wanted[peer] < ratio.high:
            verdict = "too close to call"
        line += f"; {wanted[peer]:.2f}x is wanted: {verdict}"
    if lost := result.lost(peer):
        line += f"; {lost} datagrams lost"
    return line.rstrip()
