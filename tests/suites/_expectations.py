"""The wrappers' side: run a runner, compare what it reports with what is known."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from suites._results import BAD, Report

#: The exit code of a runner whose suite does not come with this interpreter.
NOT_SHIPPED = 77


@dataclasses.dataclass(frozen=True)
class Expected:
    """Why a case is known to fail, and where.

    `applies` tells whether the condition that makes it fail holds here; where it does
    not, the case has to pass like any other.  Where it does, the case has to fail.
    """

    reason: str
    applies: Callable[[], bool] = lambda: True


def run_suite(script: str, *arguments: str, json: Path, timeout: float) -> Report:
    """Run a runner of this directory and return its report, or skip."""
    path = Path(__file__).with_name(script)
    command = [sys.executable, str(path), "--json", str(json), *arguments]
    # A session of its own, so that a runner which hangs takes its workers along.
    runner = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = runner.communicate(timeout=timeout)
    except BaseException:
        os.killpg(runner.pid, signal.SIGKILL)
        runner.communicate()
        raise
    if runner.returncode == NOT_SHIPPED:
        pytest.skip(output.strip())
    if not json.exists():
        pytest.fail(f"{script} gave no report:\n{output}", pytrace=False)
    print(output)
    return Report.from_json(json.read_text(encoding="utf-8"))


def check_complete(report: Report) -> None:
    """Fail unless every selected case was run, and run on our loop."""
    assert report.loop == "tornado4"
    assert report.loops_created > 0, "not one loop of ours was constructed"
    assert report.not_run == []
    assert len(report.cases) >= report.discovered > 0


def check_outcomes(report: Report, expected: dict[str, Expected]) -> None:
    """Fail where a case failed that should not, or did not fail that should."""
    known = {name: why for name, why in expected.items() if why.applies()}
    messages = [
        f"{case.outcome}: {case.id}\n{case.reason}" for case in report.bad() if case.id not in known
    ]
    outcomes = {case.id: case.outcome for case in report.cases}
    for name, why in known.items():
        outcome = outcomes.get(name)
        if outcome not in BAD:
            messages.append(f"{name} should fail ({why.reason}), but: {outcome or 'no such case'}")
    if messages:
        pytest.fail("\n\n".join(messages), pytrace=False)


def check_quiet(report: Report) -> None:
    """Fail where the run complained in ways that fail no case, as in ``__del__``."""
    complaints = list(report.unraisable)
    if "ResourceWarning" in report.output:
        complaints.append(report.output)
    if complaints:
        pytest.fail("\n\n".join(complaints), pytrace=False)
