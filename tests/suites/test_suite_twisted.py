"""Twisted's contract for reactors, the ReactorBuilder cases, on TornadoReactor.

Once for each loop that it can run on: ours, foreign ones that it is the guest of, and
ours as the guest of a reactor of Twisted's own.
"""

from __future__ import annotations

import dataclasses
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


@dataclasses.dataclass(frozen=True)
class Variant:
    """A loop for our reactor, and Twisted's own reactor that it is compared with.

    `factory` is in the names of the generated cases.  `enough` are the passing cases
    that Twisted 26.10 has for a reactor on Linux, less some that a machine may rightly
    skip, as those for IPv6 are where there is none.
    """

    reactor: str
    factory: str
    peer: str
    peer_factory: str
    enough: int = 290
    #: The name of a module that has to be installed.
    needs: str = ""


UVLOOP = "uvloop is not installed: it comes with the extra 'bench' only"

VARIANTS = (
    Variant("tornado4", "TornadoReactor", "asyncio", "AsyncioSelectorReactor"),
    Variant("tornado4-on-asyncio", "TornadoReactorOnAsyncio", "asyncio", "AsyncioSelectorReactor"),
    Variant(
        "tornado4-on-uvloop",
        "TornadoReactorOnUvloop",
        "asyncio-on-uvloop",
        "AsyncioReactorOnUvloop",
        needs="uvloop",
    ),
    Variant("tornado4-on-epoll", "TornadoReactorOnEpoll", "epoll", "EPollReactor"),
)


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
    "test_fdset.ReactorFDSetTestsBuilder.test_lostFileDescriptor": LOST_DESCRIPTOR,
    "test_process.ProcessTestsBuilder.test_changeUID": PRIVATE_INTERPRETER,
    "test_process.PTYProcessTestsBuilder.test_changeUID": PRIVATE_INTERPRETER,
}


def expected(report: Report, factory: str) -> dict[str, Expected]:
    """Return what should fail of what was run, by the ids of a factory's cases."""
    known: dict[str, Expected] = {}
    for name, why in EXPECTED.items():
        start = name.partition(".")[0]
        if not any(excluded.startswith(f"{CASES}.{start}.*") for excluded in report.excluded):
            builder, _, method = name.rpartition(".")
            known[f"{CASES}.{builder}_{factory}Tests.{method}"] = why
    return known


def passed(report: Report, factory: str) -> set[str]:
    """Return what passed, without the factory's name."""
    return {
        case.id.replace(f"_{factory}Tests.", ".")
        for case in report.cases
        if case.outcome == "passed"
    }


def run_reactor(reactor: str, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Run the cases for one reactor."""
    json = tmp_path_factory.mktemp("twisted") / "report.json"
    return run_suite("reactor_builder.py", "--reactor", reactor, json=json, timeout=1800)


@pytest.fixture(scope="module", params=VARIANTS, ids=lambda variant: variant.reactor)
def variant(request: pytest.FixtureRequest) -> Variant:
    """Return one loop for our reactor."""
    chosen: Variant = request.param
    if chosen.needs:
        pytest.importorskip(chosen.needs, reason=UVLOOP)
    return chosen


@pytest.fixture(scope="module")
def report(variant: Variant, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Run the cases for our reactor."""
    return run_reactor(variant.reactor, tmp_path_factory)


def test_all_cases_ran(variant: Variant, report: Report) -> None:
    check_complete(report)
    version = tuple(map(int, report.versions["Twisted"].split(".")[:2]))
    if version >= (26, 10):
        assert report.count("passed") >= variant.enough


def test_outcomes(variant: Variant, report: Report) -> None:
    check_outcomes(report, expected(report, variant.factory))


def test_nothing_leaked(report: Report) -> None:
    check_quiet(report)


def test_passes_what_its_peer_does(
    variant: Variant, report: Report, tmp_path_factory: pytest.TempPathFactory
) -> None:
    peer = run_reactor(variant.peer, tmp_path_factory)
    theirs = passed(peer, variant.peer_factory)
    assert theirs
    assert theirs - passed(report, variant.factory) == set()
