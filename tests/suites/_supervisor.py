"""Run cases in worker processes that may crash or hang without losing the rest.

A runner started by hand is the parent.  It starts itself again as a worker
(``--journal``) in a temporary directory; the worker runs its cases in order and
journals them.  Where a worker dies in a case, the parent records an error for that case
and starts another one behind it.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from _results import CaseResult, JournalResult, Report

#: Exit codes, beside 0 (all well) and 1 (cases failed).
CANNOT_RUN = 2
NOT_SHIPPED = 77

#: How much of the workers' own output is kept.
OUTPUT_CHARS = 20_000


def parser(description: str) -> argparse.ArgumentParser:
    """Return a parser with the options that every runner has."""
    options = argparse.ArgumentParser(description=description)
    options.add_argument("--json", type=Path, help="write the report to this file")
    options.add_argument("-k", dest="substring", default="", help="only ids that contain this")
    options.add_argument(
        "--case-limit", type=float, default=120.0, help="seconds that one case may take"
    )
    options.add_argument("--journal", type=Path, help=argparse.SUPPRESS)
    options.add_argument("--start", type=int, default=0, help=argparse.SUPPRESS)
    return options


@dataclasses.dataclass
class Plan:
    """What a worker is about to run: the cases, and what the report says about them."""

    cases: list[Any]
    versions: dict[str, str]
    excluded: dict[str, str] = dataclasses.field(default_factory=dict)


def work(
    args: argparse.Namespace,
    plan: Plan,
    run: Callable[[list[Any], JournalResult], None],
    *,
    loops_created: Callable[[], int],
    loop_runs: Callable[[], int] = lambda: 0,
    result_type: type[JournalResult] = JournalResult,
) -> int:
    """Be a worker: run the plan's cases from ``--start`` on, and journal them.

    `run` runs the cases with the result.  Return the exit code: 0, whatever the cases
    gave.
    """
    cases = [case for case in plan.cases if args.substring in case.id()]
    ids = [case.id() for case in cases]
    with args.journal.open("a", encoding="utf-8") as journal:
        result = result_type(
            journal,
            ids,
            start=args.start,
            limit=args.case_limit,
            loops_created=loops_created,
            loop_runs=loop_runs,
        )
        result.watch_unraisable()
        result.write("plan", ids=ids, versions=plan.versions, excluded=plan.excluded)
        run(cases[args.start :], result)
        result.end()
    return 0


class Supervisor:
    """Starts workers and merges what they journal into a report."""

    def __init__(self, report: Report, args: argparse.Namespace) -> None:
        self.report = report
        self._args = args
        self._began = time.monotonic()

    def run(
        self,
        name: str,
        worker: Sequence[str],
        *,
        limit: float = 1800.0,
        flags: Sequence[str] = (),
    ) -> None:
        """Run the cases of `worker`, a script's path and its arguments, to their end.

        `name` names the job in errors, `limit` is what all of its workers may take
        together, and `flags` are the interpreter's.
        """
        deadline = time.monotonic() + limit
        start = 0
        planned: list[str] | None = None
        before = len(self.report.cases)
        with tempfile.TemporaryDirectory(prefix="suite-") as scratch:
            while planned is None or start < len(planned):
                journal = Path(scratch, f"journal-{start}")
                journal.touch()
                command = [
                    *(sys.executable, "-X", "faulthandler", *flags, *worker),
                    *("--journal", str(journal), "--start", str(start)),
                    *(
                        "-k",
                        self._args.substring,
                        "--case-limit",
                        str(self._args.case_limit),
                    ),
                ]
                code, output = self._spawn(command, scratch, journal, deadline)
                self.report.output = (self.report.output + output)[-OUTPUT_CHARS:]
                progress = self._merge(journal, code, output)
                planned = progress.planned
                if progress.ended:
                    if code != 0:
                        self._fail(f"{name}: end of the worker", code, output)
                    break
                if time.monotonic() > deadline:
                    self._fail(f"{name}: stopped after {limit:.0f} s", code, output)
                    break
                if planned is None or progress.next is None:
                    # It would die at the same place again.
                    self._fail(f"{name}: start of the worker at case {start}", code, output)
                    break
                if not progress.blamed:
                    self._fail(f"{name}: behind case {progress.next - 1}", code, output)
                start = progress.next
        if planned is not None:
            self.report.discovered += len(planned)
            run = collections.Counter(case.id for case in self.report.cases[before:])
            self.report.not_run += (collections.Counter(planned) - run).elements()
        self.report.seconds = round(time.monotonic() - self._began, 1)

    def add(self, report: Report) -> None:
        """Add what another supervisor's workers gave."""
        mine = self.report
        mine.versions.update(report.versions)
        mine.excluded.update(report.excluded)
        mine.discovered += report.discovered
        mine.loops_created += report.loops_created
        mine.loop_runs += report.loop_runs
        mine.not_run += report.not_run
        mine.unraisable += report.unraisable
        mine.output = (mine.output + report.output)[-OUTPUT_CHARS:]
        mine.cases += report.cases
        mine.seconds = round(time.monotonic() - self._began, 1)

    def finish(self) -> int:
        """Write and print the report; return the runner's exit code."""
        if self._args.json:
            self._args.json.write_text(self.report.to_json(), encoding="utf-8")
        print(self.report.summary())
        return 0 if self.report.ok() else 1

    def _spawn(
        self, command: Sequence[str], scratch: str, journal: Path, deadline: float
    ) -> tuple[int, str]:
        """Run a worker until it ends, its time is up, or its journal stops growing."""
        env = dict(os.environ)
        if "PYTHONPATH" in env:
            # The worker has another working directory.
            paths = env["PYTHONPATH"].split(os.pathsep)
            env["PYTHONPATH"] = os.pathsep.join(os.path.abspath(path) for path in paths if path)
        # The worker's own watchdog is better, for it shows where it hangs: let it be
        # first.
        patience = self._args.case_limit + 30.0
        work_dir = tempfile.mkdtemp(dir=scratch)
        with tempfile.TemporaryFile("w+", dir=scratch, errors="replace") as log:
            worker = subprocess.Popen(
                command,
                cwd=work_dir,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            size, grew = -1, time.monotonic()
            try:
                while True:
                    try:
                        code = worker.wait(0.5)
                        break
                    except subprocess.TimeoutExpired:
                        now = time.monotonic()
                        if (new_size := journal.stat().st_size) != size:
                            size, grew = new_size, now
                        if now > deadline or now > grew + patience:
                            worker.kill()
            finally:
                # Only where this process is interrupted is the worker still there.
                worker.kill()
                worker.wait()
            log.seek(0)
            return code, log.read()[-OUTPUT_CHARS:]

    def _fail(self, where: str, code: int, output: str) -> None:
        self.report.cases.append(CaseResult(where, "error", _death(code, output)))

    def _merge(self, journal: Path, code: int, output: str) -> _Progress:
        """Add a journal to the report; tell how far its worker got."""
        progress = _Progress()
        running: dict[str, Any] | None = None
        loops = runs = 0
        for line in journal.read_text(encoding="utf-8").splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                break  # cut off where the worker was killed
            kind = event["event"]
            if kind == "plan":
                progress.planned = event["ids"]
                self.report.versions.update(event["versions"])
                self.report.excluded.update(event["excluded"])
            elif kind == "start":
                running = event
                progress.next = event["index"] + 1
            elif kind == "unraisable":
                self.report.unraisable.append(event["text"])
            elif kind == "end":
                progress.ended = True
                loops, runs = event["loops"], event["runs"]
            else:
                self.report.cases.append(CaseResult(**event["case"]))
                if kind == "stop":
                    running = None
                    loops, runs = event["loops"], event["runs"]
        if running is not None:
            progress.blamed = True
            self._fail(running["id"], code, output)
        self.report.loops_created += loops
        self.report.loop_runs += runs
        return progress


@dataclasses.dataclass
class _Progress:
    """How far one worker got."""

    #: The ids of the job's cases, unless it died before it had them.
    planned: list[str] | None = None
    #: The index behind the last case it started, if it started any.
    next: int | None = None
    ended: bool = False
    #: Whether the worker died inside a case, which then has the error.
    blamed: bool = False


def _death(code: int, output: str) -> str:
    """Describe a worker's end."""
    how = f"exit code {code}" if code >= 0 else signal.Signals(-code).name
    return f"the worker process ended: {how}\n{output[-8000:]}"
