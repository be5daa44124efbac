"""Run CPython's own ``test.test_asyncio`` on our loop, a process for each module.

Wherever the tests make a real loop, they get ours: from the policy, and from the names
of asyncio's selector loop.  Tests of a loop class that they define themselves stay what
they are.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import pkgutil
import sys
import unittest
from typing import Any

import _loops
from _results import JournalResult, Report, flatten
from _supervisor import NOT_SHIPPED, Plan, Supervisor, parser, work

PACKAGE = "test.test_asyncio"

#: How CPython's own runner starts the interpreter: strict about bytes, showing all
#: warnings.
FLAGS = ("-bb", "-Wdefault")

#: Seconds that one module may take.
MODULE_LIMIT = 900.0


def shipped() -> bool:
    """Return whether this interpreter has asyncio's tests; many come without."""
    try:
        return importlib.util.find_spec(PACKAGE + ".test_events") is not None
    except ImportError:
        return False


def module_names() -> list[str]:
    """Return the names of asyncio's test modules."""
    spec = importlib.util.find_spec(PACKAGE)
    assert spec is not None
    assert spec.submodule_search_locations is not None
    found = pkgutil.iter_modules(spec.submodule_search_locations)
    return sorted(f"{PACKAGE}.{i.name}" for i in found if i.name.startswith("test_"))


class SkippedModule(unittest.TestCase):
    """Stands for a module that cannot be imported here, and says so itself."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__()
        self._name = name
        self._reason = reason

    def id(self) -> str:
        return self._name

    def runTest(self) -> None:
        self.skipTest(self._reason)


def plan(module: str) -> Plan:
    """Load a module's tests."""
    try:
        loaded = importlib.import_module(module)
    except unittest.SkipTest as skip:
        cases: list[Any] = [SkippedModule(module, str(skip))]
    else:
        cases = flatten(unittest.defaultTestLoader.loadTestsFromModule(loaded))
    return Plan(cases, {"Python": ".".join(map(str, sys.version_info[:3]))})


def run(cases: list[Any], result: JournalResult) -> None:
    """Run the cases of one module."""
    unittest.TestSuite(cases).run(result)


def worker(args: argparse.Namespace) -> int:
    """Run a module's cases in this process."""
    if args.loop == "tornado4":
        _loops.install()
    return work(args, plan(args.module), run, loops_created=_loops.created)


def main() -> int:
    """Run the suite as the command line says; return the exit code."""
    options = parser(__doc__.splitlines()[0])
    options.add_argument("--loop", choices=("tornado4", "stock"), default="tornado4")
    options.add_argument("--module", action="append", help="only this module, by full name")
    args = options.parse_args()
    if not shipped():
        print(f"not shipped: this interpreter comes without {PACKAGE}")
        return NOT_SHIPPED
    if args.journal:
        args.module = args.module[0]
        return worker(args)
    supervisor = Supervisor(Report(PACKAGE, args.loop), args)
    for name in args.module or module_names():
        arguments = [__file__, "--loop", args.loop, "--module", name]
        supervisor.run(name, arguments, limit=MODULE_LIMIT, flags=FLAGS)
    return supervisor.finish()


if __name__ == "__main__":
    sys.exit(main())
