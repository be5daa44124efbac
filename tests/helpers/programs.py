"""Programs of their own, for what is a matter of the whole process: what is imported,
which reactor is installed."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

# The interpreter of an environment that holds the package and what it requires, and
# nothing else. `make test-bare` makes it.
BARE = os.environ.get("TORNADO4_BARE_PYTHON", "")

in_bare = pytest.mark.skipif(not BARE, reason="only make builds the bare environment")
everywhere = pytest.mark.parametrize(
    "python",
    [pytest.param(sys.executable, id="here"), pytest.param(BARE, id="bare", marks=in_bare)],
)


def output_of(code: str, python: str = sys.executable) -> str:
    """Run a program that must end well, with nothing left open; return what it prints."""
    command = [python, "-W", "error::ResourceWarning", "-c", textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def with_path(path: Path | None) -> dict[str, str]:
    """Return the environment for a program that finds modules in a directory too."""
    paths = [str(path or ""), os.environ.get("PYTHONPATH", "")]
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
