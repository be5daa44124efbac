"""What the run of a borrowed test suite gave, case by case.

A worker process records every case in a journal (one JSON object a line) with
:class:`JournalResult`; the runner's parent merges journals into a :class:`Report`,
which it prints and writes as JSON, and which the pytest wrappers read back.
"""

from __future__ import annotations

import dataclasses
import faulthandler
import json
import sys
import threading
import time
import traceback
import unittest
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TextIO

#: Worst last: several results reported for one case merge into the worst of them.
OUTCOMES = ("passed", "skipped", "expected", "failed", "error")
BAD = ("failed", "error")


@dataclasses.dataclass
class CaseResult:
    """One case: its outcome, why (skip reason or traceback), and its duration."""

    id: str
    outcome: str
    reason: str = ""
    seconds: float = 0.0


@dataclasses.dataclass
class Report:
    """Everything one run of a suite gave."""

    suite: str
    loop: str
    versions: dict[str, str] = dataclasses.field(default_factory=dict)
    #: How many cases were selected to run.
    discovered: int = 0
    #: How many loops of ours the workers constructed.
    loops_created: int = 0
    #: How many times loops of ours were run, where that is counted.
    loop_runs: int = 0
    seconds: float = 0.0
    #: Ids of selected cases that have no outcome at all.
    not_run: list[str] = dataclasses.field(default_factory=list)
    #: Names of classes found but left out, each with the reason.
    excluded: dict[str, str] = dataclasses.field(default_factory=dict)
    #: Exceptions that Python could only print (from ``__del__``, or ending a thread).
    unraisable: list[str] = dataclasses.field(default_factory=list)
    #: The end of what the workers wrote to stdout and stderr.
    output: str = ""
    cases: list[CaseResult] = dataclasses.field(default_factory=list)

    def count(self, *outcomes: str) -> int:
        """Return how many cases had one of `outcomes`."""
        return sum(case.outcome in outcomes for case in self.cases)

    def bad(self) -> list[CaseResult]:
        """Return the cases that failed or could not be run."""
        return [case for case in self.cases if case.outcome in BAD]

    def ok(self) -> bool:
        """Return whether all cases ran, on the right loop, and none failed."""
        if not self.cases or self.not_run or self.bad():
            return False
        return self.loop == "stock" or self.loops_created > 0

    def to_json(self) -> str:
        """Return the report as JSON text."""
        counts = {outcome: self.count(outcome) for outcome in OUTCOMES}
        return json.dumps({"counts": counts, **dataclasses.asdict(self)}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Report:
        """Read what :meth:`to_json` wrote."""
        fields = json.loads(text)
        del fields["counts"]
        fields["cases"] = [CaseResult(**case) for case in fields["cases"]]
        return cls(**fields)

    def summary(self) -> str:
        """Return the report for a human: each bad case's end, then the totals."""
        lines = []
        for case in self.bad():
            lines += [f"{case.outcome.upper()}: {case.id}", _tail(case.reason, 15), ""]
        for text in self.unraisable:
            lines += ["UNRAISABLE:", _tail(text, 15), ""]
        lines += [f"NOT RUN: {name}" for name in self.not_run]
        skips = sorted({case.reason for case in self.cases if case.outcome == "skipped"})
        lines += [f"skip reason: {reason.splitlines()[0] if reason else ''}" for reason in skips]
        lines += [f"excluded: {name}: {reason}" for name, reason in self.excluded.items()]
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        counts = ", ".join(f"{self.count(outcome)} {outcome}" for outcome in OUTCOMES)
        lines += [
            f"{self.suite} on {self.loop} ({versions})",
            f"{self.discovered} discovered: {counts}; {self.seconds:.1f} s",
            f"tornado4 event loops constructed: {self.loops_created}",
            *([f"tornado4 event loops run: {self.loop_runs} times"] if self.loop_runs else []),
        ]
        if self.loop != "stock" and not self.loops_created:
            lines.append("FAILED: not one loop of ours was constructed")
        return "\n".join(lines)


def _tail(text: str, lines: int) -> str:
    """Return the last `lines` lines of `text`, indented."""
    return "\n".join("    " + line for line in text.rstrip().splitlines()[-lines:])


def flatten(tests: Iterable[Any]) -> list[Any]:
    """Return the cases of a suite in order, without its nesting."""
    cases: list[Any] = []
    for test in tests:
        cases += flatten(test) if isinstance(test, unittest.BaseTestSuite) else [test]
    return cases


class JournalResult(unittest.TestResult):
    """A unittest result that writes each case's start and end to a journal at once.

    The journal lives in a file, written line by line, so that a crash or a hang loses
    nothing but the case it happened in.  Each case gets `limit` seconds; after that
    faulthandler, which needs neither the GIL nor a running loop, dumps every thread's
    stack and ends the process.
    """

    def __init__(
        self,
        journal: TextIO,
        ids: Sequence[str],
        *,
        start: int = 0,
        limit: float = 120.0,
        loops_created: Callable[[], int] = lambda: 0,
        loop_runs: Callable[[], int] = lambda: 0,
    ) -> None:
        super().__init__()
        self._journal = journal
        self._ids = ids
        self._next = start
        self._limit = limit
        self._loops_created = loops_created
        self._loop_runs = loop_runs
        self._current: CaseResult | None = None
        self._outcomes: list[tuple[str, str]] = []
        self._began = 0.0
        self.arm()

    def arm(self) -> None:
        """Restart the watchdog, also between cases, for fixtures can hang too."""
        # By number, for a test may well replace sys.stderr.
        faulthandler.dump_traceback_later(self._limit, exit=True, file=2)

    def write(self, event: str, **fields: Any) -> None:
        """Add a line to the journal."""
        self._journal.write(json.dumps({"event": event, **fields}) + "\n")
        self._journal.flush()

    def startTest(self, test: Any) -> None:
        super().startTest(test)
        self.arm()
        # An id can occur twice (one suite may load a class by two names), and a class
        # whose setUpClass failed starts none of its cases: so look for the next
        # position of this id.
        index = self._ids.index(test.id(), self._next)
        self._next = index + 1
        self._current = CaseResult(test.id(), "error")
        self._outcomes = []
        self.write("start", index=index, id=test.id())
        self._began = time.monotonic()

    def stopTest(self, test: Any) -> None:
        case = self._current
        assert case is not None
        case.seconds = round(time.monotonic() - self._began, 4)
        if self._outcomes:
            case.outcome = max((o for o, _ in self._outcomes), key=OUTCOMES.index)
            reasons = [reason for o, reason in self._outcomes if o == case.outcome and reason]
            case.reason = "\n".join(reasons)
        else:
            case.reason = "the case ended without an outcome"
        self._current = None
        self.write("stop", index=self._next - 1, **self._counts(), case=dataclasses.asdict(case))
        self.arm()
        super().stopTest(test)

    def end(self) -> None:
        """Journal that all cases were run."""
        self.write("end", **self._counts())

    def _counts(self) -> dict[str, int]:
        return {"loops": self._loops_created(), "runs": self._loop_runs()}

    def _record(self, test: Any, outcome: str, reason: str = "") -> None:
        if self._current is None and test.id() in self._ids[self._next :]:
            # Python 3.12.1 starts no case that its class skips, but stops it.
            self.startTest(test)
        if self._current is not None:
            self._outcomes.append((outcome, reason))
        else:
            # Reported for a class or a module (its setUp, its tearDown), not for a
            # case.
            self.write("extra", case=dataclasses.asdict(CaseResult(test.id(), outcome, reason)))

    def addSuccess(self, test: Any) -> None:
        self._record(test, "passed")

    def addFailure(self, test: Any, err: Any) -> None:
        super().addFailure(test, err)
        self._record(test, "failed", format_error(err))

    def addError(self, test: Any, err: Any) -> None:
        super().addError(test, err)
        self._record(test, "error", format_error(err))

    def addSkip(self, test: Any, reason: Any) -> None:
        super().addSkip(test, str(reason))
        self._record(test, "skipped", str(reason))

    def addExpectedFailure(self, test: Any, err: Any) -> None:
        super().addExpectedFailure(test, err)
        self._record(test, "expected", format_error(err))

    def addUnexpectedSuccess(self, test: Any) -> None:
        super().addUnexpectedSuccess(test)
        self._record(test, "failed", "unexpected success")

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            failed = issubclass(err[0], test.failureException)
            reason = f"{subtest.id()}\n{format_error(err)}"
            self._record(test, "failed" if failed else "error", reason)

    def _exc_info_to_string(self, err: Any, test: Any) -> str:
        # The base class would format every traceback a second time.
        return ""

    def watch_unraisable(self) -> None:
        """Journal errors that Python only prints: in ``__del__``, ending a thread."""

        def unraisable(info: Any) -> None:
            error = (info.exc_type, info.exc_value, info.exc_traceback)
            what = f"{info.err_msg or 'Exception ignored in'}: {info.object!r}"
            self._write_unraisable(what, error)
            sys.__unraisablehook__(info)

        def thread_died(info: Any) -> None:
            error = (info.exc_type, info.exc_value, info.exc_traceback)
            self._write_unraisable(f"{info.thread!r} died", error)
            threading.__excepthook__(info)

        sys.unraisablehook = unraisable
        threading.excepthook = thread_died

    def _write_unraisable(self, what: str, err: Any) -> None:
        where = self._current.id if self._current is not None else "between cases"
        self.write("unraisable", text=f"{where}: {what}\n{format_error(err)}")


def format_error(err: Any) -> str:
    """Return the traceback of an ``exc_info`` triple."""
    kind, value, trace = err
    if not isinstance(value, BaseException):
        # Trial reports what unittest has no name for as a triple without an instance.
        return f"{kind}: {value}"
    return "".join(traceback.format_exception(kind, value, trace))
