"""What `make` says, and that its output fits the narrowest terminals in use."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
MAKEFILE = (ROOT / "Makefile").read_text()
WIDTH = 80


def test_help_lists_all_that_is_to_be_made() -> None:
    said = subprocess.run(
        ["make", "--no-print-directory", "help"], capture_output=True, text=True, cwd=ROOT
    ).stdout.splitlines()
    listed = [re.match(r"  make ([\w-]+) +\S", line) for line in said]
    assert all(listed)
    names = {found[1] for found in listed if found}
    assert names == {
        name
        for line in re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
        for name in line.split()
    }
    assert [line for line in said if len(line) > WIDTH] == []


def test_make_demo_says_what_it_does_instead_of_showing_commands() -> None:
    for target in ("$(BIN)/pip", "$(WHEEL)/built", "$(VENV)/installed", "demo"):
        (recipe,) = re.findall(
            rf"^{re.escape(target)}:[^\n]*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE
        )
        commands = re.sub(r"\\\n\s*", " ", recipe).splitlines()
        assert [command for command in commands if not command.startswith("\t@")] == []
