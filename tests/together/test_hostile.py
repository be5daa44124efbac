"""A seeded fuzz of every class and method, with hostile arguments; see `helpers.hostile`.

`TORNADO4_SEED=7 pytest tests/together/test_hostile.py` runs a long one with that seed and the
ones that follow.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
SEED = os.environ.get("TORNADO4_SEED")


def run(seed: int, steps: int) -> None:
    command = [sys.executable, "-m", "helpers.hostile", str(seed), str(steps)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, cwd=TESTS)
    assert done.returncode == 0, (seed, done.returncode, done.stderr[-3000:])
    assert "panicked" not in done.stderr, (seed, done.stderr[-3000:])
    assert done.stdout.endswith("ended well\n"), seed


@pytest.mark.parametrize("seed", range(3))
def test_hostile_arguments(seed):
    run(seed, 1500)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(30))
def test_many_hostile_arguments(number):
    run(int(SEED or 1000) + number, 5000)
