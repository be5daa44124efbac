"""README.md as a reader takes it: each program, pasted as it is, prints what is shown
below it. Here, and where nothing but the package is installed."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import urllib.request
from pathlib import Path

import pytest

from helpers.programs import everywhere

ROOT = Path(__file__).parent.parent.parent
TEXT = (ROOT / "README.md").read_text()
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = BLOCK.findall(TEXT)
PROGRAMS = [
    (code, shown)
    for (language, code), (_, shown) in zip(BLOCKS, [*BLOCKS[1:], ("", "")], strict=True)
    if language == "python"
]
# Those that a reader has to interrupt.
SERVERS = [program for program in PROGRAMS if "reactor.run()" in program[0]]
LIMIT = 30.0  # seconds. Only a hang takes this long.


def test_every_program_shows_what_it_prints() -> None:
    assert len(PROGRAMS) == TEXT.count("```python") == 3
    assert len(SERVERS) == 1
    after = [BLOCKS[number + 1][0] for number, block in enumerate(BLOCKS) if block[0] == "python"]
    assert after == ["text"] * len(PROGRAMS)


@everywhere
@pytest.mark.parametrize(
    ("code", "shown"), [program for program in PROGRAMS if program not in SERVERS]
)
def test_a_program_that_ends(python: str, code: str, shown: str, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(code)
    command = [python, "program.py"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, shown, "")


@everywhere
@pytest.mark.parametrize(("code", "shown"), SERVERS)
def test_a_program_that_ends_by_an_interrupt(
    python: str, code: str, shown: str, tmp_path: Path
) -> None:
    # Another port than the reader's, who may be running it.
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    assert code.count("8888") == shown.count("8888") * 2 == 2
    (tmp_path / "program.py").write_text(code.replace("8888", port))
    command = [python, "-u", "program.py"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path
    ) as process:
        assert process.stdout
        try:
            said = process.stdout.readline()
            [url] = re.findall(r"http://\S+", said)
            with urllib.request.urlopen(url, timeout=LIMIT) as answer:
                assert answer.read() == b"Twisted's word by Tornado\n"
            process.send_signal(signal.SIGINT)
            rest, errors = process.communicate(timeout=LIMIT)
        finally:
            process.kill()
    assert (process.returncode, errors) == (0, "")
    assert said + rest == shown.replace("8888", port)


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_the_commands_are_there(page: str) -> None:
    targets = re.findall(r"^([\w-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    named = re.findall(r"(?:`|^\$ )make ([\w-]+)", (ROOT / page).read_text(), re.MULTILINE)
    assert len(named) >= 3
    assert set(named) <= set(targets)


def test_links_within_the_project_lead_somewhere() -> None:
    headings = re.findall(r"^#+ (.*)$", BLOCK.sub("", TEXT), re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
    links = re.findall(r"\]\(([^)]+)\)", TEXT)
    assert len(links) > 5
    for link in links:
        if link.startswith("#"):
            assert link[1:] in anchors
        elif "://" not in link:
            assert (ROOT / link).exists(), link
