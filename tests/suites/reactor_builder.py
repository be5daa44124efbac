"""Run Twisted's own reactor contract, the ReactorBuilder cases, against one reactor.

``twisted.internet.test`` holds tests that every reactor has to pass: subclasses of
``ReactorBuilder``, which each module multiplies by a list of reactors when it is
imported. Here that list is one reactor, and only the generated cases run, not the
modules' unit tests.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import pkgutil
import sys
import traceback
import unittest
from pathlib import Path
from types import ModuleType
from typing import Any

import _loops
from _results import JournalResult, Report
from _supervisor import CANNOT_RUN, Plan, Supervisor, parser, work

REACTORS = {
    "tornado4": "_reactors.TornadoReactor",
    "tornado4-on-asyncio": "_reactors.TornadoReactorOnAsyncio",
    "tornado4-on-uvloop": "_reactors.TornadoReactorOnUvloop",
    "tornado4-on-epoll": "_reactors.TornadoReactorOnEpoll",
    "epoll": "twisted.internet.epollreactor.EPollReactor",
    "asyncio": "twisted.internet.test.reactormixins.AsyncioSelectorReactor",
    "asyncio-on-uvloop": "_reactors.AsyncioReactorOnUvloop",
}

#: What has our reactor be a guest; the others of ours have loops of ours.
GUESTS = ("tornado4-on-asyncio", "tornado4-on-uvloop")

#: Starts of ids that are left out for a reactor, each with the reason.
EXCLUDED = {
    "asyncio-on-uvloop": {
        "twisted.internet.test.test_process.": (
            "uvloop takes the process's wake-up descriptor when it starts to run, so that "
            "Twisted, which has set it before, isn't told when a child process ends: "
            "whether these cases hang is chance"
        )
    }
}

#: Seconds after which a case stops its own reactor; below the limit at which it is
#: killed.
REACTOR_TIMEOUT = 30

#: Cases that other reactors hang in, too; so that a hang, where it is one, is short.
HANGS = {
    "ReactorFDSetTestsBuilder.test_lostFileDescriptor": 3,
    # Twisted's reactor for asyncio on uvloop.
    "AbortConnectionMixin.test_resumeProducingThrows": 10,
}


def is_ours(reactor: str) -> bool:
    """Return whether this is a variant of our reactor."""
    return reactor.startswith("tornado4")


def install_global(reactor: str) -> None:
    """Install the reactor that ReactorBuilder lends its identity from.

    ``buildReactor`` gives ``twisted.internet.reactor`` the class and the dict of the
    reactor under test for as long as the test lasts.  Any plain Python reactor will do;
    for ours it is ours, which has ``install`` used as a program would use it.
    """
    if is_ours(reactor):
        from tornado4.platform.twisted import install

        install()
    importlib.import_module("twisted.internet.reactor")


def check_constructible(reactor: str) -> None:
    """Construct the reactor once, in the open: a case would only be skipped."""
    from twisted.python.reflect import namedAny
    from twisted.trial.unittest import SynchronousTestCase

    class Probe(SynchronousTestCase):
        reactorFactory = namedAny(REACTORS[reactor])

        def runTest(self) -> None:
            built = self.reactorFactory()
            built._uninstallHandler()
            built.disconnectAll()

    result = unittest.TestResult()
    Probe().run(result)
    for _, trace in result.errors + result.failures:
        raise RuntimeError(f"{reactor}: no reactor can be constructed\n{trace}")


def be_strict(builder: Any) -> None:
    """Let a reactor that cannot be built be an error, not a skip."""
    from twisted.trial.unittest import SkipTest

    build = builder.buildReactor

    def buildReactor(self: Any) -> Any:
        try:
            return build(self)
        except SkipTest as skip:
            if "does not provide" in str(skip):
                raise
            raise AssertionError(f"the reactor could not be built: {skip}") from skip

    builder.buildReactor = buildReactor
    builder.timeout = REACTOR_TIMEOUT


def limit_hangs(module: ModuleType) -> None:
    """Give the cases of `HANGS` in `module` their shorter timeout."""
    for name, timeout in HANGS.items():
        builder, _, method = name.partition(".")
        if hasattr(module, builder):
            # Trial looks for a timeout on the method first.
            getattr(getattr(module, builder), method).timeout = timeout


def builder_modules() -> list[ModuleType]:
    """Import every module of twisted.internet.test that uses ReactorBuilder."""
    import twisted.internet.test as package

    modules = []
    for info in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        source = Path(package.__path__[0], info.name.rpartition(".")[2] + ".py")
        if info.name.rpartition(".")[2].startswith("test_") and (
            "ReactorBuilder" in source.read_text(encoding="utf-8")
        ):
            modules.append(importlib.import_module(info.name))
    return modules


def plan(reactor: str) -> Plan:
    """Find the generated cases of one reactor."""
    import twisted
    from twisted.internet.test.reactormixins import ReactorBuilder
    from twisted.trial.unittest import SynchronousTestCase

    # Before the imports: each module multiplies its cases while it is imported.
    ReactorBuilder._reactors = [REACTORS[reactor]]
    be_strict(ReactorBuilder)
    suffix = "_" + REACTORS[reactor].rpartition(".")[2] + "Tests"
    cases: list[Any] = []
    left_out = EXCLUDED.get(reactor, {})
    excluded = {f"{start}*": reason for start, reason in left_out.items()}
    seen: set[type] = set()
    for module in builder_modules():
        limit_hangs(module)
        for value in vars(module).values():
            if not (isinstance(value, type) and issubclass(value, ReactorBuilder)):
                continue
            if value in seen or not issubclass(value, SynchronousTestCase):
                continue
            seen.add(value)
            if value.__name__.endswith(suffix):
                names = unittest.defaultTestLoader.getTestCaseNames(value)
                found = [value(name) for name in names]
                cases += [case for case in found if not case.id().startswith(tuple(left_out))]
            else:
                # It has a list of its own: cases for one particular other reactor.
                excluded[f"{value.__module__}.{value.__name__}"] = "for another reactor only"
    return Plan(cases, {"Twisted": twisted.__version__, **python_version()}, excluded)


def python_version() -> dict[str, str]:
    """Return the interpreter's entry in the report's versions."""
    return {"Python": ".".join(map(str, sys.version_info[:3]))}


def run(cases: list[Any], result: JournalResult) -> None:
    """Run the cases one after the other."""
    unittest.TestSuite(cases).run(result)


def worker(args: argparse.Namespace) -> int:
    """Run the cases in this process."""
    try:
        if args.reactor in GUESTS:
            _loops.count_guests()
        elif is_ours(args.reactor):
            _loops.count_loops()
        elif sys.version_info >= (3, 14):
            # Twisted's tests expect a current loop, which asyncio made until then.
            asyncio.set_event_loop(asyncio.new_event_loop())
        install_global(args.reactor)
        check_constructible(args.reactor)
        found = plan(args.reactor)
    except BaseException:
        traceback.print_exc()
        return CANNOT_RUN
    return work(args, found, run, loops_created=_loops.created)


def main() -> int:
    """Run the cases as the command line says; return the exit code."""
    options = parser(__doc__.splitlines()[0])
    options.add_argument("--reactor", choices=sorted(REACTORS), default="tornado4")
    args = options.parse_args()
    if args.journal:
        return worker(args)
    loop = "tornado4" if is_ours(args.reactor) else "stock"
    report = Report(f"twisted.internet.test ReactorBuilder, reactor {args.reactor},", loop)
    supervisor = Supervisor(report, args)
    supervisor.run("ReactorBuilder", [__file__, "--reactor", args.reactor])
    return supervisor.finish()


if __name__ == "__main__":
    sys.exit(main())
