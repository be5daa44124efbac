"""Tornado's own test suite, on our IOLoop and on our IOLoops on Twisted reactors."""

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
pytestmark = pytest.mark.timeout(2000)

EXPECTED: dict[str, Expected] = {}

#: A `TwistedIOLoop` on our reactor, and on Twisted's own.
ON_TWISTED = ("twisted", "twisted-on-epoll")


#: An IOLoop, and whose streams and HTTP/1 Tornado has.
ON_OURS = [("tornado4", "native"), ("tornado4", "stock")]


@pytest.fixture(
    scope="module",
    params=[
        *ON_OURS,
        *(pytest.param((loop, "native"), marks=pytest.mark.slow) for loop in ON_TWISTED),
        # Both native, on asyncio's own loop.
        pytest.param(("stock", "native"), marks=pytest.mark.slow),
    ],
    ids="-".join,
)
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Run the suite on one kind of IOLoop."""
    json = tmp_path_factory.mktemp("tornado") / "report.json"
    loop, streams = request.param
    command = ("tornado_suite.py", "--loop", loop, "--streams", streams)
    return run_suite(*command, json=json, timeout=1800)


def test_all_cases_ran(report: Report) -> None:
    if report.loop == "tornado4":
        check_complete(report)
    assert report.not_run == []
    # On asyncio's loop 5 % are skipped where pycurl, pycares, brotli and IPv6 are
    # missing.
    assert report.count("passed") >= 0.9 * report.discovered


def test_outcomes(report: Report) -> None:
    check_outcomes(report, EXPECTED)


def test_nothing_leaked(report: Report) -> None:
    check_quiet(report)
