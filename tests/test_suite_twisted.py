"""Twisted's contract for reactors, the ReactorBuilder cases, on TornadoReactor."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from suites._expectations import (
    Expected,
    check_complete,
    check_outcomes,
    check_quiet,
    run_suite,
)
from suites._results import Report

# pytest-timeout's limit is for a case; the fixture runs hundreds of them, with its own.
pytestmark = pytest.mark.timeout(2000)

#: Passing cases that Twisted 26.10 has for a reactor on Linux, less some that a machine
#: may rightly skip, as those for IPv6 are where there is none.
ENOUGH = 290


def uid_1_cannot_run_the_interpreter() -> bool:
    """Do what test_changeUID does, without a reactor."""
    program = "import os; raise SystemExit(os.getuid() != 1)"
    try:
        child = subprocess.run(
            [sys.executable, "-c", program],
            user=1,
            stderr=subprocess.DEVNULL,
            check=False,
        )
    except PermissionError:
        return True
    return child.returncode != 0


PRIVATE_INTERPRETER = Expected(
    "the case runs the interpreter as user 1, who cannot get at it where it lies below "
    "a directory that is root's alone; other reactors fail there too",
    # Where the tests do not run as root, Twisted skips the case.
    applies=lambda: os.getuid() == 0 and uid_1_cannot_run_the_interpreter(),
)

LOST_DESCRIPTOR = Expected(
    "epoll forgets a descriptor that is closed behind its back, without a word; "
    "Twisted skips the case, by class name, for its reactors on epoll and asyncio"
)

CASES = "twisted.internet.test"

EXPECTED = {
    f"{CASES}.{name}": why
    for name, why in (
        (
            "test_fdset.ReactorFDSetTestsBuilder_TornadoReactorTests.test_lostFileDescriptor",
            LOST_DESCRIPTOR,
        ),
        (
            "test_process.ProcessTestsBuilder_TornadoReactorTests.test_changeUID",
            PRIVATE_INTERPRETER,
        ),
        (
            "test_process.PTYProcessTestsBuilder_TornadoReactorTests.test_changeUID",
            PRIVATE_INTERPRETER,
        ),
    )
}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Run the cases."""
    json = tmp_path_factory.mktemp("twisted") / "report.json"
    return run_suite("reactor_builder.py", json=json, timeout=1800)


def test_all_cases_ran(report: Report) -> None:
    check_complete(report)
    version = tuple(map(int, report.versions["Twisted"].split(".")[:2]))
    if version >= (26, 10):
        assert report.count("passed") >= ENOUGH


def test_outcomes(report: Report) -> None:
    check_outcomes(report, EXPECTED)


def test_nothing_leaked(report: Report) -> None:
    check_quiet(report)
