"""Programs that make mistakes, and what is said of them."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from helpers.programs import with_path

# What is added to an error of asyncio's is shown from Python 3.11 on.
NOTES = pytest.mark.skipif(sys.version_info < (3, 11), reason="exceptions have no notes yet")


def told(tmp_path: Path, code: str, *options: str, fails: bool | None = None) -> str:
    """Run a program, which is a file, and return what it says on standard error."""
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(code).lstrip())
    done = subprocess.run(
        [sys.executable, *options, program],
        capture_output=True,
        text=True,
        timeout=60,
        env=with_path(tmp_path),
    )
    if fails is not None:
        assert (done.returncode != 0) is fails, done.stderr
    return done.stderr


# Shows the error that a call gives, as a traceback's end shows it.
ERRORS = """
import traceback
def error_of(call):
    try:
        call()
    except Exception as error:
        print("> " + "".join(traceback.format_exception_only(error)).strip().replace("\\n", " | "))
    else:
        print("> nothing")
"""


def errors(tmp_path: Path, code: str, calls: list[str]) -> dict[str, str]:
    """Run a program that makes calls, at "{calls}", and return the error of each."""
    making = "; ".join(f"error_of(lambda: {call})" for call in calls)
    program = ERRORS + textwrap.dedent(code).replace("{calls}", making)
    (tmp_path / "calls.py").write_text(program)
    command = [sys.executable, "-Werror::RuntimeWarning", tmp_path / "calls.py"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line[2:] for line in done.stdout.splitlines() if line.startswith("> ")]
    return dict(zip(calls, lines, strict=True))


def last(said: str) -> str:
    return said.strip().splitlines()[-1]


def warnings_in(said: str) -> list[str]:
    return [line for line in said.splitlines() if "Warning: " in line]
