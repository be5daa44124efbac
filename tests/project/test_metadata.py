"""What is said in several places about versions, and must be the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import tornado4
from tornado4._private_names import NEWEST_TESTED

ROOT = Path(__file__).parent.parent.parent
PROJECT = (ROOT / "pyproject.toml").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
READTHEDOCS = (ROOT / ".readthedocs.yaml").read_text()
WORKFLOWS = {path.name: path.read_text() for path in (ROOT / ".github/workflows").glob("*.yml")}
#: The Pythons that are promised.
PYTHONS = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', PROJECT)


def only(pattern: str, text: str) -> str:
    """Return the one group of the one place that matches."""
    found: list[str] = re.findall(pattern, text, re.MULTILINE | re.DOTALL)
    assert len(found) == 1, (pattern, found)
    return found[0]


def test_the_version() -> None:
    # In every other place it is taken from here.
    version = only(r'^\[package\]\nname = "tornado4"\nversion = "([^"]+)"', cargo())
    assert tornado4.__version__ == version
    lock = (ROOT / "Cargo.lock").read_text()
    assert only(r'name = "tornado4"\nversion = "([^"]+)"', lock) == version
    newest, *_ = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert "Unreleased" in newest or version in newest


def cargo() -> str:
    return (ROOT / "Cargo.toml").read_text()


def test_the_pythons() -> None:
    assert [f"3.{minor}" for minor in range(10, 10 + len(PYTHONS))] == PYTHONS
    assert only(r'^requires-python = ">=([\d.]+)"$', PROJECT) == PYTHONS[0]
    assert only(r"^PYTHONS \?= (.*?)$", MAKEFILE).split() == PYTHONS
    newest = ".".join(map(str, NEWEST_TESTED["Python"]))
    assert newest == PYTHONS[-1]


def test_the_workflows_pythons() -> None:
    tests, release = WORKFLOWS["tests.yml"], WORKFLOWS["release.yml"]
    matrix = only(r"^        runner: [^\n]*\n        python: \[([^\]]*)\]", tests)
    assert re.findall(r"3\.\d+", matrix) == PYTHONS
    for text in tests, release:
        assert sorted(re.findall(r"3\.\d+", only(r"python-version: \|\n(.*?)\n +- ", text))) == (
            sorted(PYTHONS)
        )
    assert re.findall(r"python(3\.\d+)", only(r"--interpreter (.*?)$", release)) == PYTHONS
    assert only(r"for python in (.*?); do", release).split() == PYTHONS
    # On two processors.
    counts = re.findall(r"linux\*\.whl' \| wc -l\)\" = (\d+)", release)
    assert counts == [str(2 * len(PYTHONS))] * 2


def test_the_extras_that_are_asked_for() -> None:
    # pip only warns of one that isn't there, and installs nothing.
    extras = only(r"^\[project\.optional-dependencies\]\n(.*?)\n\n\[", PROJECT)
    there = set(re.findall(r"^(\w+) = \[", extras, re.MULTILINE))
    asked = set(re.findall(r"\.whl\)\[(\w+)\]", MAKEFILE))
    assert len(asked) > 5
    tests = (path.read_text() for path in (ROOT / "tests").rglob("*.py"))
    asked |= {name for text in tests for name in re.findall(r"the extra '(\w+)'", text)}
    asked |= set(re.findall(r"extra_requirements: \[(\w+)\]", READTHEDOCS))
    assert asked <= there


def test_the_oldest_frameworks() -> None:
    required = dict(
        re.findall(r'"(tornado|twisted)>=([\d.]+)"', only(r"^dependencies = (.*?)$", PROJECT))
    )
    recipe = only(r"^\$\(OLDEST\)/built:(.*?)\n\n", MAKEFILE)
    tested = dict(re.findall(r"(tornado|twisted)==([\d.]+)", recipe))
    assert {name: version.removesuffix(".0") for name, version in tested.items()} == required


@pytest.mark.parametrize("file", [".ci/run", *(f".github/workflows/{name}" for name in WORKFLOWS)])
def test_what_is_made_is_in_the_makefile(file: str) -> None:
    targets = set(re.findall(r"^([\w-]+):", MAKEFILE, re.MULTILINE))
    named = re.findall(r"^\s*(?:- run: )?make ([\w-]+)", (ROOT / file).read_text(), re.MULTILINE)
    named += re.findall(r"\btest-\w+(?=[,\]])", (ROOT / file).read_text())
    assert named
    assert set(named) <= targets
