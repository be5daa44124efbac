"""How many instructions the core's benchmarks take: the same each time, however busy it is.

By valgrind. Each benchmark runs once, and what is counted is what criterion would time.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory

from .rows import Failed, Missing

# The function that criterion never inlines, and calls what it times in.
TIMED = "*Bencher*iter*"
PATIENCE = 600
# A change of so little may be where something happens to lie.
MARGIN = 0.005


def compare_instructions(base: Path, head: Path, target: Path) -> bool:
    """Count in both trees, and tell what has changed. Whether anything takes more."""
    try:
        before, after = counted(base, target), counted(head, target)
    except Missing as why:
        print(f"\nno instructions are counted: {why}")
        return False
    print("\ninstructions of the core's benchmarks:")
    more = False
    for name in sorted(before | after):
        old, new = before.get(name), after.get(name)
        if not old or not new:
            print(f"  {name:<52} {'is new' if new else 'is gone'}")
            continue
        change = new / old - 1
        more |= change > MARGIN
        said = f"{change:+.1%}" if abs(change) > MARGIN else "the same"
        print(f"  {name:<52} {old:>12,} {new:>12,}  {said}")
    return more


def counted(tree: Path, target: Path) -> dict[str, int]:
    """Count the instructions of each benchmark of a tree.

    :raises Missing: There is no valgrind here, or no cargo.
    """
    for program in ("valgrind", "cargo"):
        if which(program) is None:
            raise Missing(f"there is no {program}")
    benchmark = _built(tree, target)
    listed = subprocess.run(
        [benchmark, "--bench", "--list"], capture_output=True, text=True, check=True
    )
    names = re.findall(r"^(.*): benchmark$", listed.stdout, re.MULTILINE)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(names, pool.map(lambda name: _count(benchmark, name), names), strict=True))


def _built(tree: Path, target: Path) -> str:
    command = ["cargo", "bench", "--locked", "--no-default-features", "--bench", "core"]
    command += ["--no-run", "--message-format=json-render-diagnostics"]
    done = subprocess.run(
        command,
        cwd=tree,
        env=os.environ | {"CARGO_TARGET_DIR": str(target)},
        stdout=subprocess.PIPE,
        check=False,
    )
    if done.returncode:
        raise Failed("the core's benchmarks weren't built; see what cargo said")
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    return str(next(it["executable"] for it in reversed(messages) if it.get("executable")))


def _count(benchmark: str, name: str) -> int:
    with TemporaryDirectory() as folder:
        command = ["valgrind", "--tool=callgrind", f"--toggle-collect={TIMED}"]
        command += ["--callgrind-out-file=/dev/null", benchmark, "--test", "--exact", name]
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    # Criterion asks another program something first, and the child that is to become that
    # tells how much it collected, too: nothing.
    found = [int(count) for count in re.findall(r"Collected : (\d+)", done.stderr)]
    if done.returncode or not any(found):
        raise Failed(f"{name} failed under valgrind: {done.stderr[-300:]}")
    return max(found)
