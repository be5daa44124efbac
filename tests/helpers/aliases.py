"""What the tests of Tornado's modules under our name share: programs that import them,
and modules that are added to Tornado."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from helpers.programs import with_path

# Modules that a test adds to Tornado, by the name of the file.
ADDED = {
    "slow.py": "import time\nruns = []\ntime.sleep(0.3)\nruns.append(__name__)\n",
    "failing.py": "import tornado4.log\nraise RuntimeError('mine')\n",
    "needy.py": "import nowhere_to_be_found\n",
    "circular.py": """
        import sys
        early = "early"
        import tornado4.circular as again
        import tornado.circular as real
        from tornado4.circular import early as seen
        same = again is real is sys.modules[__name__]
        """,
}


def run(code: str, *arguments: str, path: Path | None = None, fails: bool = False) -> str:
    """Run a program in which any warning is an error; return what it says."""
    command = [sys.executable, "-W", "error", *(arguments or ["-c", textwrap.dedent(code)])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=with_path(path))
    assert (done.returncode != 0) is fails, done.stderr
    return done.stderr if fails else done.stdout


@pytest.fixture
def added(tmp_path: Path) -> str:
    """Return the statement that adds `ADDED` to Tornado, in a program of `run`."""
    for name, code in ADDED.items():
        (tmp_path / name).write_text(textwrap.dedent(code))
    return f"import sys, tornado; tornado.__path__.append({str(tmp_path)!r})"
