"""Two revisions, built and measured in turns: what is slower on the one than on the other."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tarfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

from .catalogue import ROWS, chosen
from .changes import paired, report
from .command import add_choice
from .context import Context, Options
from .environment import environment
from .instructions import compare_instructions
from .measure import measure_rows
from .processes import BENCHES
from .results import Results
from .rows import OURS, Failed, Row

ROOT = BENCHES.parent
BUILDS = ROOT / "target" / "guard"
BASE, HEAD = "base", "head"
# Enough that a change of a few percent is sure; with servers as new as can be, because where
# a process has its memory makes some percent of difference for as long as it lives.
ROUNDS, FRESH, SECONDS = 12, 2, 0.25
# Calls are measured in no time, so all of them are; of the others the telling ones.
GROUPS = ("calls", "tasks", "timers", "threads", "descriptors")


def main(arguments: list[str]) -> None:
    """Compare two revisions."""
    parser = argparse.ArgumentParser(
        prog="run.py guard",
        description="Build two revisions, and measure them in turns. The status is 1 if the "
        "second one is slower in something, beyond the noise.",
    )
    parser.add_argument("base", help="a revision that git knows")
    parser.add_argument("head", help='another one, or "." for the files as they are')
    add_choice(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what came out there")
    parser.add_argument(
        "--instructions",
        action="store_true",
        help="count those of the core's benchmarks as well, by valgrind, or only them with "
        "--only core",
    )
    asked = parser.parse_args(arguments)
    counted_only = asked.only == ["core"]
    slower = False
    if not counted_only:
        slower = measure(asked)
    if asked.instructions or counted_only:
        slower |= compare_instructions(tree(asked.base), tree(asked.head), BUILDS / "cargo")
    if slower:
        sys.exit(1)


def measure(asked: argparse.Namespace) -> bool:
    """Measure both. Whether the second one is slower in something."""
    rows = [between(row) for row in of(asked.only) if row.ours == OURS]
    builds = {BASE: built(asked.base), HEAD: built(asked.head)}
    options = Options(asked.seconds or SECONDS, asked.patience, FRESH)
    rounds = asked.rounds or ROUNDS
    results = Results(environment(), {"rounds": rounds, "seconds": options.seconds})
    with Context(options, builds) as context:
        try:
            measure_rows(context, rows, rounds, results)
        finally:
            if asked.json is not None and results.rows:
                results.save(asked.json)
    changes, unknown, broken = [], [], []
    for result in results:
        change = paired(result, BASE, HEAD)
        if HEAD in result.failed and BASE not in result.failed:
            broken.append(f"{result.name}: {result.failed[HEAD]}")
        elif change is None:
            unknown.append(result.name)
        else:
            changes.append(change)
    return report(changes, unknown, broken)


def of(words: list[str]) -> list[Row]:
    """Choose the rows."""
    if words:
        return chosen(words)
    return [row for row in ROWS if (row.quick or row.group in GROUPS) and row.rounds is None]


def between(row: Row) -> Row:
    """Have the row compare the two."""
    return replace(row, peers=(BASE, HEAD), ours=HEAD, wanted={}, rounds=None)


def commit(revision: str) -> str:
    """Tell the revision's whole name."""
    return git("rev-parse", "--verify", f"{revision}^{{commit}}").decode().strip()


def git(*words: str) -> bytes:
    """Ask git.

    :raises ValueError: It doesn't know.
    """
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        raise ValueError(f"git {' '.join(words)}: {done.stderr.decode().strip()}")
    return done.stdout


def tree(revision: str) -> Path:
    """Have the revision's files in a folder."""
    if revision == ".":
        return ROOT
    folder = BUILDS / commit(revision) / "tree"
    if not folder.exists():
        folder.mkdir(parents=True)
        with tarfile.open(fileobj=BytesIO(git("archive", commit(revision)))) as archive:
            if sys.version_info >= (3, 12):
                archive.extractall(folder, filter="data")
            else:
                archive.extractall(folder)
    return folder


def built(revision: str) -> Path:
    """Build the revision as its users get it, into a folder to import it from."""
    source = tree(revision)
    folder = BUILDS / ("now" if revision == "." else commit(revision))
    wheels, packages = (
        folder / "wheel",
        folder / f"python{sys.version_info[0]}.{sys.version_info[1]}",
    )
    if revision != "." and packages.exists():
        return packages
    print(f"building {revision}", flush=True)
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(wheels), str(source)],
        env=os.environ | {"CARGO_TARGET_DIR": str(BUILDS / "cargo")},
        check=False,
    )
    found = sorted(wheels.glob("*.whl"), key=lambda path: path.stat().st_mtime)
    if done.returncode or not found:
        raise Failed(f"{revision} wasn't built; see above")
    with ZipFile(found[-1]) as wheel:
        wheel.extractall(packages)
    return packages
