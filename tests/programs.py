"""Programs of their own, for what is a matter of the whole process: what is imported,
which reactor is installed."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path


def output_of(code: str) -> str:
    """Run a program that must end well, with nothing left open; return what it prints."""
    command = [sys.executable, "-W", "error::ResourceWarning", "-c", textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def with_path(path: Path | None) -> dict[str, str]:
    """Return the environment for a program that finds modules in a directory too."""
    paths = [str(path or ""), os.environ.get("PYTHONPATH", "")]
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
