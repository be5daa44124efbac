"""The documentation's page and its pictures, made of a file of results."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import plots, words
from .page_words import GROUPS, GROWTH, HEAD, PROVISIONAL, TAIL
from .peers import title
from .processes import BENCHES
from .results import Result, Results
from .rows import BYTES

ROOT = BENCHES.parent
PUBLISHED = BENCHES / "results" / "published.json"
PAGE = Path("docs") / "benchmarks.md"
PLOTS = Path("docs") / "plots"

COLUMNS = ("p50", "p99", "p999")
# Fewer have no quartiles.
ENOUGH_ROUNDS = 5


def main(arguments: list[str]) -> None:
    """Make the page and the pictures, or check that they are what they would be."""
    parser = argparse.ArgumentParser(
        prog="run.py plot", description="Make docs/benchmarks.md and docs/plots of results."
    )
    parser.add_argument("results", type=Path, nargs="?", default=PUBLISHED)
    parser.add_argument("--check", action="store_true", help="only tell whether they are that")
    parser.add_argument("--into", type=Path, default=ROOT, help="the folder that has docs")
    asked = parser.parse_args(arguments)
    files = made(Results.load(asked.results))
    if not asked.check:
        write_files(files, asked.into)
        return
    there = {path.relative_to(asked.into) for path in (asked.into / PLOTS).glob("*.svg")}
    wrong = [str(path) for path in there - set(files)]
    for path, text in files.items():
        file = asked.into / path
        if not file.exists() or file.read_text() != text:
            wrong.append(str(path))
    if wrong:
        sys.exit(f"run.py plot makes another {', '.join(sorted(wrong))}")


def publish(results: Results) -> None:
    """Keep the results, and make the documentation of them."""
    PUBLISHED.parent.mkdir(exist_ok=True)
    results.save(PUBLISHED)
    # As somebody else reads them.
    write_files(made(Results.load(PUBLISHED)), ROOT)


def write_files(files: dict[Path, str], into: Path) -> None:
    """Write them, in the place of those that were there."""
    folder = into / PLOTS
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.svg"):
        old.unlink()
    for path, text in files.items():
        (into / path).write_text(text)


def made(results: Results) -> dict[Path, str]:
    """Make the text of each file."""
    files: dict[Path, str] = {}
    rows = {result.name: result for result in results if result.measured}
    files[PLOTS / "readme.svg"] = plots.front(rows, _machine_in_short(results))
    parts = [HEAD.format(**_facts(results))]
    for group, (heading, text) in GROUPS.items():
        its = [it for it in rows.values() if it.row["group"] == group and not it.row["curve"]]
        if not its:
            continue
        name = PLOTS / f"{group}.svg"
        files[name] = plots.bars(heading, its)
        parts.append(f"## {heading}\n\n{text}\n\n{_image(name, heading)}\n\n{_table(its)}")
    parts.append(
        "## Growth\n\nBelow each picture: the CPU time of an operation. Both axes are "
        "logarithmic: a straight\nline down is a cost that grows as a power."
    )
    for curve, (heading, along) in GROWTH.items():
        its = [it for it in rows.values() if (it.row["curve"] or [""])[0] == curve]
        if its:
            name = PLOTS / f"growth-{curve}.svg"
            files[name] = plots.growth(heading, along, its)
            parts.append(f"{_image(name, heading)}\n\n{_growth_table(along, its)}")
    parts.append(_out(results))
    parts.append(TAIL)
    files[PAGE] = "\n\n".join(part for part in parts if part) + "\n"
    return files


def _image(name: Path, heading: str) -> str:
    return f"![{heading}]({name.relative_to(PAGE.parent)})"


def _table(results: list[Result]) -> str:
    """Write a line for each peer of each row."""
    of_memory = all(result.row["by"] == BYTES for result in results)
    if of_memory:
        lines = ["| | memory | ours to it |", "|---|--:|:--|"]
    else:
        lines = [
            "| | CPU time | a second | p50 | p99 | p99.9 | ours to it |",
            "|---|--:|--:|--:|--:|--:|:--|",
        ]
    empty = "" if of_memory else " | | | |"
    for result in results:
        lines.append(f"| **{_named(result)}** | |{empty} |")
        lines += [_line(result, peer, of_memory) for peer in result.measured]
    return "\n".join(lines)


def _growth_table(along: str, results: list[Result]) -> str:
    """Write a line for each peer, with what an operation costs it at each point."""
    points = " | ".join(f"{result.row['curve'][1]:,}" for result in results)
    lines = [f"| {along} | {points} |", "|---|" + "--:|" * len(results)]
    for peer in results[0].peers:
        costs = " | ".join(words.cost(result, peer) for result in results)
        lines.append(f"| {title(results[0].row['face'], peer)} | {costs} |")
    return "\n".join(lines)


def _named(result: Result) -> str:
    by = ", compared by the time that passes" if result.row["by"] == "wall" else ""
    return f"{result.row['title']}{by} (`{result.name}`)"


def _line(result: Result, peer: str, of_memory: bool) -> str:
    name = title(result.row["face"], peer)
    compared = words.compared(result, peer)
    if of_memory:
        return f"| {name} | {words.cost(result, peer)} | {compared} |"
    cpu = result.cost(peer, "cpu")
    cells = ["" if cpu is None else f"{words.duration(cpu.median)} ±{cpu.percent / 2:.0f} %"]
    busy = result.busy(peer)
    limit = "!" if busy is not None and busy > 0.9 else ""
    cells.append(words.rate(result.rate(peer)) + limit)
    cells += [words.microseconds(result.latency(peer, name)) for name in COLUMNS]
    return f"| {name} | {' | '.join(cells)} | {compared} |"


def _out(results: Results) -> str:
    """Tell who couldn't do what."""
    lines = []
    for result in results:
        for kind, its in (("failed", result.failed), ("wasn't there", result.missing)):
            lines += [f"* {peer} {kind} in `{result.name}`: {why}" for peer, why in its.items()]
    return "\n".join(["## Who is missing", "", *lines]) if lines else ""


def _facts(results: Results) -> dict[str, str]:
    on = results.on
    versions = ", ".join(f"{name} {it}" for name, it in on["versions"].items() if it)
    return {
        "day": on["day"],
        "cpu": on["cpu"],
        "cpus": str(on["cpus"]),
        "memory": str(on["memory_gib"]),
        "kernel": on["kernel"],
        "libc": on["libc"],
        "python": on["python"],
        "openssl": on["openssl"],
        "load": str(on["load"]),
        "versions": versions,
        "rounds": str(results.how["rounds"]),
        "seconds": str(results.how["seconds"]),
        "provisional": PROVISIONAL.format(why=why) if (why := _why_provisional(results)) else "",
    }


def _why_provisional(results: Results) -> str:
    """Tell why the figures are no good ones, if they aren't."""
    reasons = []
    if results.on["load"] >= results.on["cpus"]:
        reasons.append("the machine was busy with other work")
    if results.how["rounds"] < ENOUGH_ROUNDS:
        reasons.append(f"there were {results.how['rounds']} rounds only")
    return ", and ".join(reasons)


def _machine_in_short(results: Results) -> str:
    on = results.on
    kind = "provisional medians" if _why_provisional(results) else "medians"
    return f"{on['cpu']}, {on['python']}, {on['kernel'].split('-')[0]}, {on['day']}; {kind}"
