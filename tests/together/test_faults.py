"""System calls that fail or fall short: the documented error in the right place, nothing lost
or doubled among the others, and the loop goes on.

Each face runs its programs in processes of their own, with a library before the C library
(`helpers/faults/shim.c`) that harms one call in each run. All of them, at each step, are tried
by `python -m helpers.faults.sweep` in this folder.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.faults.kinds import HARD, SOFT
from helpers.faults.programs import PROGRAMS
from helpers.faults.shim import COMPILER, Fault, compiled
from helpers.faults.sweep import FACES, Job, Tried, counted, jobs_of, run

pytestmark = [
    pytest.mark.skipif(COMPILER is None, reason="there is no C compiler for the shim"),
    pytest.mark.skipif(sys.platform != "linux", reason="the shim is for Linux's system calls"),
]

SERVERS = ["tcp", "unix", "tls"]
RECEIVES = ("recv", "recvmsg", "read")
SENDS = ("send", "sendmsg", "write")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("shim"))


def problems(all_tried: Iterator[Tried]) -> list[str]:
    return [f"{tried.job}: {problem}" for tried in all_tried for problem in tried.problems()]


def sweep(face: str, library: Path, steps: int, faults: list[Fault]) -> list[Job]:
    return jobs_of(counted(face, "ours", PROGRAMS, library), steps, faults)


@pytest.mark.parametrize("face", FACES)
def test_what_need_not_be_noticed_is_not(face: str, library: Path) -> None:
    jobs = sweep(face, library, 1, SOFT)
    assert len(jobs) > 40
    assert problems(run(face, "ours", jobs, library)) == []


@pytest.mark.slow  # Half a minute.
@pytest.mark.parametrize("face", FACES)
def test_what_need_not_be_noticed_is_not_at_any_time(face: str, library: Path) -> None:
    assert problems(run(face, "ours", sweep(face, library, 3, SOFT), library)) == []


def told_of_a_failure(
    face: str, kind: str, faults: list[Fault], library: Path
) -> dict[tuple[str, str, int], list[str]]:
    """Harm the first or the fifth read, or send, of one connection of each kind. Return what
    was told, and what was wrong."""
    counts = counted(face, kind, SERVERS, library)
    jobs = []
    for program, calls in counts.items():
        for fault in faults:
            if calls.get(fault.call, 0) > len(SERVERS):
                # Twice: what has failed natively is asked for again by the framework's method.
                jobs += [Job(program, fault.at(first, 2), victim=True) for first in (1, 5)]
    told = {}
    for tried in run(face, kind, jobs, library):
        program, fault, _ = tried.job
        if tried.result.get("harmed", 0):
            key = (f"{program}, {fault.first}", fault.call, fault.error)
            told[key] = [*tried.told, *tried.problems()]
    return told


def assert_the_same_are_told(face: str, errors: set[int], library: Path) -> None:
    """The same errors in the same places as on stock, where the same call fails."""
    calls = RECEIVES + SENDS
    faults = [fault for fault in HARD if fault.call in calls and fault.error in errors]
    seen: dict[str, dict[tuple[str, str, int], list[list[str]]]] = {"ours": {}, "stock": {}}
    for _ in range(5):
        for kind, all_told in seen.items():
            for key, told in told_of_a_failure(face, kind, faults, library).items():
                all_told.setdefault(key, []).append(told)
        ours, stock = seen.values()
        both = ours.keys() & stock.keys()
        assert len(both) > 8
        # Whether the fifth read is made at once or when the loop says that something has come,
        # and so who is told, is a matter of time on both: then it is done again.
        different = {
            key: (ours[key], stock[key])
            for key in both
            if not any(told in stock[key] for told in ours[key])
        }
        if not different:
            break
    assert different == {}


@pytest.mark.parametrize("face", FACES)
def test_who_is_told_of_a_failed_connection(face: str, library: Path) -> None:
    assert_the_same_are_told(face, {errno.ECONNRESET}, library)


@pytest.mark.slow  # Half a minute.
@pytest.mark.parametrize("face", FACES)
def test_who_is_told_of_each_failure(face: str, library: Path) -> None:
    assert_the_same_are_told(face, {fault.error for fault in HARD}, library)


@pytest.mark.parametrize("face", FACES)
def test_a_loop_that_could_not_be_woken_is_woken_by_the_next_call(face: str, library: Path) -> None:
    # Made by another thread, while nothing else wakes the loop.
    jobs = [Job("threads", Fault("write", errno.EIO, first=first)) for first in (1, 4)]
    tried = list(run(face, "ours", jobs, library))
    assert [each.result["harmed"] for each in tried] == [1, 1]
    assert problems(iter(tried)) == []


@pytest.mark.parametrize("program", ["tcp", "tls"])
def test_a_connection_that_the_system_cannot_watch_is_reported(program: str, library: Path) -> None:
    [tried] = run(
        "asyncio", "ours", [Job(program, Fault("epoll_ctl", errno.ENOSPC, first=3))], library
    )
    assert tried.problems() == []
    assert "Fatal error on transport: OSError 28" in tried.told


def test_a_peer_without_a_name_is_served(library: Path) -> None:
    [tried] = run("asyncio", "ours", [Job("unix", Fault("getpeername", errno.ENOTCONN))], library)
    assert (tried.result["harmed"], tried.result["spoilt"], tried.unusual) == (1, 0, [])
