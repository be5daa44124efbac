"""What `make` shows while it builds: tools/progress.py."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parent.parent.parent / "tools" / "progress.py"
LONG = "x" * 200


def run(code: str, log: Path, *, quiet: str = "10.0") -> subprocess.CompletedProcess[str]:
    """Have it run a Python program; told what time it may be quiet."""
    tool = TOOL.read_text().replace("QUIET = 10.0", f"QUIET = {quiet}")
    command = [sys.executable, "-c", tool, str(log), "Making", sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_what_is_worth_a_line_is_shown_and_the_rest_is_kept(tmp_path: Path) -> None:
    said = ["   Compiling thing v1", "Collecting a (from b)", f"Compiling {LONG}", "noise"]
    log = tmp_path / "new" / "log"
    done = run(f"import sys; print(*{said!r}, sep='\\n'); print('warned', file=sys.stderr)", log)
    assert done.returncode == 0
    title, first, second, third, end = done.stdout.splitlines()
    assert (title, first, second) == ("Making", "  Compiling thing v1", "  Collecting a")
    assert third == f"  Compiling {LONG}"[:76] + "..."
    assert end.startswith("  done in ")
    assert set(log.read_text().splitlines()) == {*said, "warned"}


def test_it_tells_the_time_while_nothing_is_said(tmp_path: Path) -> None:
    done = run("import time; time.sleep(0.5)", tmp_path / "log", quiet="0.1")
    assert done.stdout.splitlines()[1] == "  ... 0 seconds"


@pytest.mark.parametrize("code", ["raise SystemExit(3)", "raise ValueError"])
def test_a_failure_shows_the_end_of_it_all(code: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    done = run(f"for n in range(100): print('line', n, {LONG!r})\n{code}", log)
    assert done.returncode == (3 if "3" in code else 1)
    assert done.stdout.splitlines()[-2:] == ["This failed: Making", f"All that it said: {log}"]
    assert f"line 99 {LONG}" in done.stdout
    assert "line 9 " not in done.stdout
    assert ("ValueError" in done.stdout) == ("ValueError" in code)
