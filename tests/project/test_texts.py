"""The texts for who works on the project: their links lead somewhere, and ARCHITECTURE.md
knows what there is."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from helpers.markdown import ROOT, leads_nowhere, links
from tornado4 import _alias

# README.md and the documentation have tests of their own.
TEXTS = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CODE_OF_CONDUCT.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "benches/README.md",
    "examples/README.md",
]


@pytest.mark.parametrize("text", TEXTS)
def test_links_lead_somewhere(text: str) -> None:
    page = ROOT / text
    assert [link for link in links(page.read_text()) if leads_nowhere(page, link)] == []


def places() -> set[Path]:
    """Return the parts of the sources: the layers' modules, and the folders beside them."""
    rust = {path for layer in ("core", "py") for path in (ROOT / "src" / layer).iterdir()}
    rust |= {*(ROOT / "src/core/sys").iterdir(), *(ROOT / "src/py/support").iterdir()}
    package = ROOT / "python" / "tornado4"
    python = {*package.glob("*.py"), *(package / "platform").rglob("*.py")}
    folders = {path for path in ROOT.iterdir() if path.is_dir()}
    return {*rust, *python, *folders, *(ROOT / "benches").iterdir(), *(ROOT / "tools").iterdir()}


def test_the_architecture_names_every_part() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    command = ["git", "ls-files", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if listed.returncode != 0:
        pytest.skip("not a clone: what else lies about can't be told from the sources")
    kept = {ROOT / name for name in listed.stdout.split("\0")[:-1]}
    kept |= {folder for path in kept for folder in path.parents}
    # One for each module of Tornado's; what every folder has; what begins with a dot.
    left_out = {*_alias.MODULES, "mod", "README", "tests"}
    names = {path.stem for path in places() & kept if not path.stem.startswith((".", "__"))}
    assert len(names) > 80
    missing = {name for name in names - left_out if not re.search(rf"\b{name}\b", text)}
    assert missing == set()
