"""The types that a user's program sees: the programs in tests/typing, which run too, are
checked by mypy and by Pyright. What is wrong in them is marked, and has to be found."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from project.alias_files import TEXT, file_of

import tornado4
from tornado4 import _alias

ROOT = Path(__file__).parent.parent.parent
PROGRAMS = sorted((ROOT / "tests" / "typing").glob("*_program.py"))

PYRIGHT = {
    # Pyright's own rules as they are by default, none of basedpyright's.
    "typeCheckingMode": "standard",
    "reportUnnecessaryTypeIgnoreComment": "error",
    "pythonVersion": "3.10",
}


def aliases() -> str:
    """Return a program in which each of Tornado's modules under our name has to be typed."""
    lines = ["import tornado4"]
    for name in _alias.MODULES:
        package, _, last = f"tornado4.{name}".rpartition(".")
        lines += [f"import tornado.{name}", f"import tornado4.{name}"]
        lines += [f"from {package} import {last} as {last}_module"]
        try:
            real = importlib.import_module(f"tornado.{name}")
        except ImportError:  # what it is written for isn't installed
            continue
        for attribute, value in vars(real).items():
            own = isinstance(value, type) and value.__module__ == real.__name__
            # Generic ones want arguments.
            if own and attribute[0] != "_" and not getattr(value, "__parameters__", ()):
                function = f"def {last}_{attribute}(it: tornado.{name}.{attribute})"
                lines += [f"{function} -> tornado4.{name}.{attribute}:", "    return it"]
    return "\n".join([*lines, "tornado4.nowhere  # type: ignore[attr-defined]", ""])


@pytest.fixture(scope="module")
def program_of_aliases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("typing") / "aliases.py"
    path.write_text(aliases())
    return path


def test_mypy(program_of_aliases: Path) -> None:
    options = ["--strict", "--config-file=", "--no-error-summary"]
    command = [sys.executable, "-m", "mypy", *options, "--cache-dir=.mypy_cache/programs"]
    done = subprocess.run(
        [*command, *PROGRAMS, program_of_aliases],
        capture_output=True,
        text=True,
        timeout=280,
        cwd=ROOT,
    )
    assert (done.stdout, done.stderr) == ("", "")


def test_pyright(program_of_aliases: Path, tmp_path: Path) -> None:
    settings = tmp_path / "pyrightconfig.json"
    programs = [str(program) for program in (*PROGRAMS, program_of_aliases)]
    settings.write_text(json.dumps({**PYRIGHT, "include": programs}))
    done = subprocess.run(
        [sys.executable, "-m", "basedpyright", "-p", settings, "--pythonpath", sys.executable],
        capture_output=True,
        text=True,
        timeout=280,
        cwd=tmp_path,
    )
    assert done.stdout.strip() == "0 errors, 0 warnings, 0 notes"


PUBLIC = ["", ".http", ".ioloop", ".iostream", ".platform.asyncio", ".platform.twisted"]


@pytest.mark.parametrize("module", PUBLIC)
def test_every_public_name_is_in_a_program(module: str) -> None:
    text = "".join(program.read_text() for program in PROGRAMS)
    used = set(re.findall(r"\w+", text))
    loaded = importlib.import_module(f"tornado4{module}")
    assert set(loaded.__all__) <= used
    # Their methods too, of those that aren't a framework's.
    for name in loaded.__all__:
        thing = getattr(loaded, name)
        if thing.__class__ is type and thing.__module__ == "tornado4":
            members = {member for member in vars(thing) if not member.startswith("_")}
            assert members - set(getattr(thing, "_fields", ())) <= used


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_the_programs_run(program: Path) -> None:
    # What is deprecated depends on the Python.
    warnings = ["-Werror::ResourceWarning", "-Werror::RuntimeWarning"]
    command = [sys.executable, *warnings, program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_files_are_those_of_the_installed_tornado() -> None:
    """`python tests/project/alias_files.py` writes them."""
    import tornado

    package = Path(tornado.__file__).parent
    theirs = {
        ".".join(path.relative_to(package).with_name(path.name.partition(".")[0]).parts)
        for folder in (package, package / "platform")
        for path in (*folder.glob("*.py"), *folder.glob("*.so"))
        if not path.name.startswith("_")
    }
    for name in theirs - set(_alias.MODULES):
        # It is one of our own.
        assert importlib.import_module(f"tornado4.{name}").__name__ == f"tornado4.{name}"
    for name in _alias.MODULES:
        assert file_of(name).read_text() == TEXT.format(name=name)
    assert {name for name in _alias.MODULES if "." not in name} < {
        *dir(tornado4),
        "curl_httpclient",
    }
