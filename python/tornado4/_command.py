"""The command line of ``python -m tornado4``."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Callable
from typing import NamedTuple

import tornado4
from tornado4 import _program, _switch

__all__ = ["Options", "main", "parse"]

_FRAMEWORKS = _switch.PARTS


class Options(NamedTuple):
    """What was asked for on the command line."""

    kind: str
    """What is to be run: ``"file"``, ``"module"``, ``"code"``; or ``"help"``, ``"version"``."""
    program: str
    """Its path or name, or the code."""
    arguments: list[str]
    """What the program finds behind its own name in `sys.argv`."""
    without: frozenset[str]
    """The parts that aren't to be installed."""
    reactor: bool
    """Whether the reactor is to be installed at once."""
    check: str
    """When to tell at the end what has run: ``"always"``, ``"used"`` if anything has; empty:
    never."""
    top: str
    """When to print the loops' numbers: seconds, or the name of a signal; empty: never."""

    def again(self) -> list[str]:
        """Return the interpreter's arguments that run another program in the same way."""
        chosen = [f"--no-{part}" for part in _FRAMEWORKS if part in self.without]
        if self.reactor:
            chosen.append("--twisted")
        if self.check:
            # What multiprocessing needs beside its workers has no loop, and says nothing.
            chosen.append("--check=used")
        if self.top:
            chosen.append(f"--top={self.top}")
        return ["-m", "tornado4", *chosen]


class UsageError(Exception):
    """The command line can't be understood; the message says why."""


def parse(arguments: list[str]) -> Options:
    """Read the command line as Python reads its own: up to the program.

    Raises `UsageError`.
    """
    without: set[str] = set()
    reactor = False
    check = top = ""
    rest = list(arguments)
    kind, program = "help", ""
    while rest:
        argument = rest.pop(0)
        name = argument.removeprefix("--no-")
        if argument in ("-h", "--help"):
            kind, rest = "help", []
        elif argument in ("-V", "--version"):
            kind, rest = "version", []
        elif argument in ("--check", "--check=used"):
            check = argument.partition("=")[2] or "always"
        elif argument == "--top":
            top = "5"
        elif argument.startswith("--top="):
            top = argument.removeprefix("--top=")
            _check_top(top)
        elif argument == "--twisted":
            reactor = True
            without.discard("twisted")
        elif argument.startswith("--no-") and name in _FRAMEWORKS:
            without.add(name)
            reactor = reactor and name != "twisted"
        elif argument[:2] in ("-c", "-m"):
            kind = "code" if argument[1] == "c" else "module"
            if not argument[2:] and not rest:
                raise UsageError(f"argument expected for the {argument} option")
            program = argument[2:] or rest.pop(0)
            break
        elif argument.startswith("-") and argument not in ("-", "--"):
            raise UsageError(f"unknown option {argument}")
        else:
            if argument == "--":
                if not rest:
                    raise UsageError("there is no program behind --")
                argument = rest.pop(0)
            kind, program = "file", argument
            break
    else:
        if kind == "help" and arguments and not {"-h", "--help"} & set(arguments):
            raise UsageError("there is no program to run")
    return Options(kind, program, rest, frozenset(without), reactor, check, top)


def _check_top(when: str) -> None:
    with contextlib.suppress(ValueError):
        if 0 < float(when) <= 1e6:
            return
    name = when.upper().removeprefix("SIG")
    if not name.isalnum() or not hasattr(importlib.import_module("signal"), f"SIG{name}"):
        raise UsageError(f"neither seconds nor a signal: --top={when}")
    if name in ("KILL", "STOP"):
        raise UsageError(f"no process can handle this signal: --top={when}")


def main(arguments: list[str], place: str | None) -> None:
    """Do what the command line says; a program's end is that of the process.

    ``place`` is the directory that the interpreter would have first on the path, which
    isn't there now; None if it is to have none.
    """
    try:
        options = parse(arguments)
    except UsageError as error:
        print(f"python -m tornado4: {error}\nTry `python -m tornado4 --help'.", file=sys.stderr)
        sys.exit(2)
    if options.kind == "version":
        print(f"tornado4 {tornado4.__version__}")
    elif options.kind == "help":
        importlib.import_module("tornado4._about").show()
    else:
        _run(options, place)


def _run(options: Options, place: str | None) -> None:
    parts = {part: part not in options.without for part in _FRAMEWORKS}
    _switch.install(**parts)
    children = importlib.import_module("tornado4._children")
    children.follow(options.again())
    if options.check:
        importlib.import_module("tornado4._check").begin(options.check == "used")
    if options.top:
        # It needs the loop, which is loaded for it.
        importlib.import_module("tornado4._top").begin(options.top)
    program = _program.Program(options.arguments, place, options.reactor)
    run: Callable[[str], None] = {
        "file": program.run_file,
        "module": program.run_module,
        "code": program.run_code,
    }[options.kind]
    run(options.program)
