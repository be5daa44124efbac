"""Twisted's own packages under trial, with our reactor installed globally.

What does not pass is run again under Twisted's own reactor for Linux, so that what is
the machine's fault, or Twisted's, is not laid at our door.
"""

from __future__ import annotations

import collections
from collections.abc import Iterable
from pathlib import Path

import pytest

from suites._expectations import Expected, check_complete, run_suite
from suites._results import Report

# pytest-timeout's limit is for a case; the fixture runs thousands of them, with its own.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(4000)]

OURS = "tornado4.platform.twisted.TornadoReactor"
PEER = "twisted.internet.epollreactor.EPollReactor"

#: Cases that epoll passes and ours does not, by their ids.
EXPECTED: dict[str, Expected] = {}

#: The passing cases of each package of Twisted 26.10, less some that a machine may
#: rightly skip, as for want of ``ssh`` or of IPv6.
ENOUGH = {
    "twisted.application": 130,
    "twisted.conch": 1000,
    "twisted.internet": 2000,
    "twisted.mail": 650,
    "twisted.names": 600,
    "twisted.protocols": 190,
    "twisted.python": 400,
    "twisted.runner": 40,
    "twisted.spread": 130,
    "twisted.test": 2000,
    "twisted.trial": 800,
    "twisted.web": 1350,
    "twisted.words": 570,
}


def run_trial(reactor: str, directory: Path, leave_out: Iterable[str] = ()) -> Report:
    """Run the packages under a reactor, without the cases of these ids."""
    left_out = directory / "left_out"
    left_out.write_text("\n".join(leave_out), encoding="utf-8")
    arguments = ("--reactor", reactor, "--leave-out", str(left_out))
    json = directory / f"{reactor}.json"
    return run_suite("trial_packages.py", *arguments, json=json, timeout=1800)


def ids(report: Report) -> set[str]:
    """Return the ids of what was run."""
    return {case.id for case in report.cases}


def passed(report: Report) -> set[str]:
    """Return the ids of what passed, each time if it was run more than once."""
    return ids(report) - {case.id for case in report.cases if case.outcome != "passed"}


def differences(ours: Report, peer: Report) -> set[str]:
    """Return the ids of what the peer passed, being given what ours did not pass.

    And of what the peer has not run, such as the death of a process of ours.
    """
    return passed(peer) | (ids(ours) - passed(ours) - ids(peer))


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Run the packages under our reactor."""
    return run_trial("tornado4", tmp_path_factory.mktemp("trial"))


def test_all_cases_ran(report: Report) -> None:
    check_complete(report)
    assert report.unraisable == []
    # On epoll 6 % are skipped, most because they are for another reactor.
    assert report.count("passed") >= 0.9 * report.discovered
    assert report.count("passed") >= 5000
    counts = collections.Counter(".".join(name.split(".")[:2]) for name in passed(report))
    version = tuple(map(int, report.versions["Twisted"].split(".")[:2]))
    enough = ENOUGH if version >= (26, 10) else dict.fromkeys(ENOUGH, 1)
    assert {name: counts[name] for name in enough if counts[name] < enough[name]} == {}


def test_all_cases_ran_on_our_reactor(report: Report) -> None:
    assert report.versions["reactor"] == OURS
    # That of each package's process. The cases that wait run it, one in fifteen; of
    # Twisted 26.10's it was 753 times.
    assert report.loops_created >= len(ENOUGH)
    assert report.loop_runs >= 500


def test_passes_what_epoll_does(report: Report, tmp_path: Path) -> None:
    ours = passed(report)
    peer = run_trial("epoll", tmp_path, ours)
    print(f"run again under epoll, for they did not pass under ours: {peer.discovered}")
    assert peer.loop == "stock"
    assert peer.versions["reactor"] == PEER
    assert peer.not_run == []
    different = differences(report, peer)

    expected = {name for name, why in EXPECTED.items() if why.applies()}
    messages = [f"should not pass, but does: {name}" for name in expected - different]
    for case in report.cases:
        if case.id in different - expected:
            messages.append(f"{case.outcome}: {case.id}\n{case.reason}")
    messages += [f"does not exist under ours: {name}" for name in different - ids(report)]
    if messages:
        pytest.fail("\n\n".join(messages), pytrace=False)
