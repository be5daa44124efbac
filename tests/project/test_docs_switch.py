"""What docs/install-switch.md and docs/metrics.md say is what happens."""

from __future__ import annotations

import operator
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tornado4._metrics import Measured

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGE = DOCS / "install-switch.md"
SECONDS = re.compile(r"\d+\.\d(?= s\b)")


@pytest.mark.parametrize("page", ["install-switch.md", "metrics.md"])
def test_the_program_prints_what_the_page_says(page: str) -> None:
    text = (DOCS / page).read_text()
    programs = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", text, re.DOTALL)
    assert programs
    for code, output in programs:
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=60
        )
        assert (SECONDS.sub("N", done.stdout), done.stderr) == (SECONDS.sub("N", output), "")
        # A busy machine takes longer.
        said, written = (map(float, SECONDS.findall(text)) for text in (done.stdout, output))
        assert all(map(operator.ge, said, written))


def test_what_check_prints() -> None:
    pytest.importorskip("uvloop", reason="uvloop isn't there to be chosen")
    text = PAGE.read_text()
    command, output = re.findall(r"\$ python (-m tornado4 --check.*)\n((?:.+\n)+)```", text)[0]
    done = subprocess.run(
        f"{sys.executable} {command}", shell=True, capture_output=True, text=True, timeout=60
    )
    assert re.sub(r"\d+", "N", done.stderr) == re.sub(r"\d+", "N", output)


def test_the_options_are_those_of_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tornado4"], capture_output=True, text=True, timeout=60
    )
    options = set(re.findall(r"(?<![\w-])--[a-z-]+", done.stdout))
    assert options - {"--"} == set(re.findall(r"`(--[a-z-]+)`", PAGE.read_text())) - {"--reactor"}


def test_the_numbers_are_those_of_the_page() -> None:
    rows = re.findall(r"^\| (`.*?`) \|", (DOCS / "metrics.md").read_text(), re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", " ".join(rows))) == {*Measured._fields, "busy"}
