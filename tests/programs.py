"""Programs of their own, for what is a matter of the whole process: what is imported,
which reactor is installed."""

from __future__ import annotations

import subprocess
import sys
import textwrap


def output_of(code: str) -> str:
    """Run a program that must end well, with nothing left open; return what it prints."""
    command = [sys.executable, "-W", "error::ResourceWarning", "-c", textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout
