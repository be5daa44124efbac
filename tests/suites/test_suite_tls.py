"""What of the other projects' suites speaks TLS, once more with the slower one of the two
engines. With the other one it runs in those suites' own tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from suites._expectations import check_complete, check_outcomes, check_quiet, run_suite
from suites._results import Report
from suites.test_suite_trial import differences, passed

# pytest-timeout's limit is for a case; these run hundreds of them, with their own.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(4000)]

ASYNCIO = ("test_sslproto", "test_ssl", "test_streams", "test_buffered_proto")

TWISTED = (
    "twisted.internet.test.test_tls",
    "twisted.protocols.test.test_tls",
    "twisted.test.test_ssl",
    "twisted.test.test_sslverify",
    "twisted.web.test.test_agent",
    "twisted.web.test.test_http2",
)


@pytest.fixture(autouse=True)
def fallback() -> Iterator[None]:
    """Have the suites' processes use it."""
    with mock.patch.dict(os.environ, TORNADO4_TLS="fallback"):
        yield


def test_asyncio(tmp_path: Path) -> None:
    modules = [part for name in ASYNCIO for part in ("--module", f"test.test_asyncio.{name}")]
    report = run_suite("asyncio_suite.py", *modules, json=tmp_path / "report", timeout=3600)
    check_complete(report)
    check_outcomes(report, {})
    check_quiet(report)


def test_tornado(tmp_path: Path) -> None:
    report = run_suite("tornado_suite.py", "-k", "SSL", json=tmp_path / "report", timeout=1800)
    check_complete(report)
    check_outcomes(report, {})
    check_quiet(report)


def run_trial(reactor: str, directory: Path) -> Report:
    arguments = ("--reactor", reactor, "--packages", *TWISTED)
    return run_suite("trial_packages.py", *arguments, json=directory / reactor, timeout=3600)


def test_twisted(tmp_path: Path) -> None:
    report = run_trial("tornado4", tmp_path)
    assert report.loop == "tornado4"
    assert report.not_run == []
    assert report.loop_runs > 0
    assert passed(report)
    different = differences(report, run_trial("epoll", tmp_path))
    missed = different - passed(report)
    messages = [f"{case.id}\n{case.reason}" for case in report.cases if case.id in missed]
    assert messages == []
