"""README.md as a reader takes it: each program, pasted as it is, is one of `examples/first`,
runs, and ends without a word of complaint. Here, and where nothing but the package is
installed."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from helpers.examples import FIRST, served_until_interrupted
from helpers.markdown import REPOSITORY, ROOT, blocks, leads_nowhere, links
from helpers.programs import everywhere

TEXT = (ROOT / "README.md").read_text()
BLOCKS = blocks(TEXT)
PROGRAMS = [block.text for block in BLOCKS if block.info == "python"]
# What the others print.
PRINTED = {
    "asyncio_sleeps.py": "slept: 10000\n",
    "all_three.py": "Tornado's client got: Hello from Twisted's server\n"
    "Twisted's timer said: now\n",
}
# Those that a reader has to interrupt, and what is in the page they serve.
SERVED = {
    "twisted_web.py": b'href="first.py"',
    "tornado_web.py": b"Hello from Tornado\n",
}
LIMIT = 30.0  # seconds. Only a hang takes this long.


def test_its_programs_are_the_first_examples() -> None:
    files = {path.name: path.read_text() for path in FIRST.glob("*.py")}
    assert sorted(files) == sorted([*PRINTED, *SERVED])
    assert sorted(PROGRAMS) == sorted(files.values())


def test_it_is_short() -> None:
    assert len(TEXT.splitlines()) <= 140
    prose = [line for line in TEXT.splitlines() if "](" not in line]
    assert max(map(len, prose)) <= 100


@everywhere
@pytest.mark.parametrize("name", PRINTED)
def test_a_program_that_ends(python: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "first.py").write_text((FIRST / name).read_text())
    command = [python, "first.py"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, PRINTED[name], "")


@everywhere
@pytest.mark.parametrize("name", SERVED)
def test_a_program_that_ends_by_an_interrupt(python: str, name: str, tmp_path: Path) -> None:
    answer = served_until_interrupted(python, (FIRST / name).read_text(), tmp_path / "first.py")
    assert SERVED[name] in answer


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_the_commands_are_there(page: str) -> None:
    targets = re.findall(r"^([\w-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    named = re.findall(r"(?:`|^\$ )make ([\w-]+)", (ROOT / page).read_text(), re.MULTILINE)
    assert len(named) >= 3
    assert set(named) <= set(targets)


def test_no_command_asks_for_what_a_plain_debian_lacks() -> None:
    # It has no `python`, and refuses to install into its own Python.
    commands = [block.text for block in BLOCKS if block.info == "console"]
    assert len(commands) >= 2
    for command in re.findall(r"^\$ (\S+)", "".join(commands), re.MULTILINE):
        assert command in ("sudo", "make", "python3") or command.startswith(".venv/bin/")


def test_its_links_lead_somewhere_on_pypi_too() -> None:
    assert f'Source = "{REPOSITORY}"\n' in (ROOT / "pyproject.toml").read_text()
    found = links(TEXT)
    assert sum(link.startswith(REPOSITORY) for link in found) > 10
    assert [link for link in found if not link.startswith("https://")] == []
    assert [link for link in found if leads_nowhere(ROOT / "README.md", link)] == []
