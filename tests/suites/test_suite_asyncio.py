"""CPython's own tests of asyncio, on our loop."""

from __future__ import annotations

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
pytestmark = [pytest.mark.slow, pytest.mark.timeout(4000)]

EXPECTED: dict[str, Expected] = {}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Run the suite."""
    json = tmp_path_factory.mktemp("asyncio") / "report.json"
    return run_suite("asyncio_suite.py", json=json, timeout=3600)


def test_all_cases_ran(report: Report) -> None:
    check_complete(report)
    # On asyncio's loop 2 % are skipped.
    assert report.count("passed") >= 0.95 * report.discovered


def test_outcomes(report: Report) -> None:
    check_outcomes(report, EXPECTED)


def test_nothing_leaked(report: Report) -> None:
    check_quiet(report)
