"""Run Twisted's own packages under trial, with one reactor installed globally.

What ``trial --reactor=tornado4 twisted.internet ...`` does, by trial's own command
line: its options install the reactor through the plugin, its loader finds the cases,
its runner runs them. Only what records the results is ours.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import importlib
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import _loops
from _results import OUTCOMES, JournalResult, Report, flatten
from _supervisor import CANNOT_RUN, Plan, Supervisor, parser, work

#: In the order in which they are started: those that take longest first.
PACKAGES = (
    "twisted.conch",
    "twisted.test",
    "twisted.internet",
    "twisted.trial",
    "twisted.web",
    "twisted.mail",
    "twisted.python",
    "twisted.protocols",
    "twisted.words",
    "twisted.names",
    "twisted.spread",
    "twisted.application",
    "twisted.runner",
)

#: What the global reactor has to be.
REACTORS = {
    "tornado4": "tornado4.platform.twisted.TornadoReactor",
    "epoll": "twisted.internet.epollreactor.EPollReactor",
}

#: How many packages run at once, each in a process of its own.
JOBS = 2

#: Seconds that one package may take.
PACKAGE_LIMIT = 900.0


def global_reactor() -> str:
    """Return the name of the type of Twisted's global reactor."""
    reactor = type(sys.modules["twisted.internet.reactor"])
    return f"{reactor.__module__}.{reactor.__qualname__}"


def trial_result() -> type[JournalResult]:
    """Return a journal's result that trial takes for a reporter.

    For a plain unittest result trial would make failures of what it alone has a name
    for.
    """
    from twisted.trial.itrial import IReporter
    from twisted.trial.util import excInfoOrFailureToExcInfo
    from zope.interface import implementer

    @implementer(IReporter)
    class TrialResult(JournalResult):
        def addFailure(self, test: Any, err: Any) -> None:
            super().addFailure(test, excInfoOrFailureToExcInfo(err))

        def addError(self, test: Any, err: Any) -> None:
            super().addError(test, excInfoOrFailureToExcInfo(err))

        def addExpectedFailure(self, test: Any, err: Any, todo: Any = None) -> None:
            super().addExpectedFailure(test, excInfoOrFailureToExcInfo(err))

        def addUnexpectedSuccess(self, test: Any, todo: Any = None) -> None:
            super().addUnexpectedSuccess(test)

        def done(self) -> None:
            """Do nothing: the journal is complete."""

    return TrialResult


def make_run(config: Any, reactor: str) -> Callable[[list[Any], JournalResult], None]:
    """Return what runs cases as trial would, on the global reactor named."""

    def run(cases: list[Any], result: JournalResult) -> None:
        from twisted.scripts import trial

        config["reporter"] = lambda *_: result
        suite = trial._getLoader(config).suiteFactory(cases)
        trial._makeRunner(config).run(suite)
        if global_reactor() != REACTORS[reactor]:
            raise RuntimeError(f"a case left another global reactor: {global_reactor()}")

    return run


def worker(args: argparse.Namespace) -> int:
    """Run one package's cases in this process."""
    try:
        if args.reactor == "tornado4":
            _loops.count_loops()
            _loops.count_runs()
        trial: Any = importlib.import_module("twisted.scripts.trial")
        config = trial.Options()
        config.parseOptions([f"--reactor={args.reactor}", *args.packages])
        if global_reactor() != REACTORS[args.reactor]:
            raise RuntimeError(f"another global reactor: {global_reactor()}")
        import twisted

        left_out = set(args.leave_out.read_text("utf-8").splitlines()) if args.leave_out else ()
        cases = [case for case in flatten(trial._getSuite(config)) if case.id() not in left_out]
        versions = {
            "Twisted": twisted.__version__,
            "Python": ".".join(map(str, sys.version_info[:3])),
            "reactor": global_reactor(),
        }
        result = trial_result()
    except BaseException:
        traceback.print_exc()
        return CANNOT_RUN
    return work(
        args,
        Plan(cases, versions),
        make_run(config, args.reactor),
        loops_created=_loops.created,
        loop_runs=_loops.runs,
        result_type=result,
    )


def run_packages(args: argparse.Namespace) -> list[Report]:
    """Run each package in worker processes of its own, some of them at once."""

    def run_one(package: str) -> Report:
        report = Report(package, args.loop)
        command = [__file__, "--reactor", args.reactor, "--packages", package]
        if args.leave_out:
            command += ["--leave-out", str(args.leave_out.resolve())]
        Supervisor(report, args).run(package, command, limit=PACKAGE_LIMIT)
        counts = ", ".join(f"{report.count(outcome)} {outcome}" for outcome in OUTCOMES)
        line = (
            f"{package}: {report.discovered} discovered: {counts}; "
            f"tornado4 event loops run {report.loop_runs} times; {report.seconds:.1f} s\n"
        )
        sys.stdout.write(line)
        sys.stdout.flush()
        return report

    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        return list(pool.map(run_one, args.packages))


def main() -> int:
    """Run the packages as the command line says; return the exit code."""
    options = parser(__doc__.splitlines()[0])
    options.add_argument("--reactor", choices=sorted(REACTORS), default="tornado4")
    options.add_argument("--packages", nargs="+", default=PACKAGES)
    options.add_argument(
        "--leave-out", type=Path, help="a file with the ids of cases not to run, one a line"
    )
    args = options.parse_args()
    if args.journal:
        return worker(args)
    # Cases of conch and trial set the locale that they found, which fails for that of
    # C.UTF-8, as some versions of Python name it; others run Twisted's commands.
    os.environ["LC_ALL"] = "C"
    os.environ["PATH"] = os.pathsep.join((os.path.dirname(sys.executable), os.environ["PATH"]))
    args.loop = "tornado4" if args.reactor == "tornado4" else "stock"
    total = Supervisor(Report(f"trial --reactor={args.reactor}", args.loop), args)
    for report in run_packages(args):
        total.add(report)
    return total.finish()


if __name__ == "__main__":
    sys.exit(main())
