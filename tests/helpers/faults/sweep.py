"""Every fault at every step: starts the processes in which that is tried, and judges.

By hand: `python -m helpers.faults.sweep [--steps N] [FACE...]` in `tests`. What is
wrong is printed, on the stock loops first, and then what is wrong on ours and isn't there; and
how many faults there were.
"""

from __future__ import annotations

import argparse
import collections
import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from helpers.faults.kinds import ALL, SOFT
from helpers.faults.programs import PROGRAMS
from helpers.faults.shim import Fault, compiled, environment

TESTS = Path(__file__).parents[2]
FACES = ["asyncio", "tornado", "twisted"]
# What is said of a connection that has come to its end as it should.
CLEAN = {
    "lost: nothing",
    "lost: ConnectionDone",
    "connection_lost: nothing",
}
# Where a connection without a good-bye is lost, whatever has happened, as Twisted has it.
CLEAN_WITH_TLS = {*CLEAN, "lost: ConnectionLost"}


class Job(NamedTuple):
    program: str
    fault: Fault
    # Whether it is the calls of one connection that are counted.
    victim: bool = False

    def __str__(self) -> str:
        return f"{self.program}, {self.fault}{' of one connection' if self.victim else ''}"


class Tried(NamedTuple):
    job: Job
    result: dict[str, Any]

    @property
    def told(self) -> list[str]:
        return sorted(self.result["told"])

    @property
    def unusual(self) -> list[str]:
        clean = CLEAN_WITH_TLS if self.job.program.endswith("tls") else CLEAN
        return [each for each in self.told if each not in clean]

    @property
    def told_of(self) -> bool:
        """Whether somebody was told of a failure."""
        return bool(set(self.told) - CLEAN)

    def problems(self) -> list[str]:
        """Return what is wrong, whatever has failed."""
        found = list(self.result["wrong"])
        spoilt, fault = self.result["spoilt"], self.job.fault
        if spoilt > max(fault.times, 1):
            found.append(f"{spoilt} were spoilt by {fault.times}")
        if fault.at(1) in SOFT:
            if self.job.program != "datagrams" and (spoilt or self.unusual):
                found.append(f"noticed: {spoilt}, {self.unusual}")
        elif spoilt and not self.told_of and self.job.program != "datagrams":
            found.append("nobody was told")
        return found


def run(
    face: str, kind: str, jobs: Iterable[Job], library: Path, patience: float = 8.0
) -> Iterator[Tried]:
    """Try each in a process, and in another one after it has crashed.

    `patience`: seconds after which a peer gives up; only what is lost takes so long.
    """
    left = list(jobs)
    while left:
        for tried in run_some(face, kind, list(left), library, patience):
            yield tried
            left.pop(0)


def run_some(
    face: str, kind: str, jobs: list[Job], library: Path, patience: float
) -> Iterator[Tried]:
    wanted = []
    for program, fault, victim in jobs:
        call = (fault.call, fault.error, fault.most, fault.first, fault.times)
        wanted.append((program, call, victim))
    with tempfile.TemporaryFile("w+") as errors, tempfile.TemporaryFile("w+") as given:
        json.dump(wanted, given)
        given.seek(0)
        process = subprocess.Popen(
            [sys.executable, "-m", "helpers.faults.rounds", face, kind, str(patience)],
            stdin=given,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=TESTS,
            env=environment(library),
        )
        number = 0
        with process:
            assert process.stdout is not None
            for line in process.stdout:
                yield Tried(jobs[number], json.loads(line))
                number += 1
        if number < len(jobs):
            errors.seek(0)
            wrong = f"ended with {process.returncode}: {errors.read()[-3000:]}"
            yield Tried(jobs[number], {"wrong": [wrong], "spoilt": 0, "told": []})


def of(tried: Tried, problem: str) -> tuple[str, str, int, str]:
    """Return what a problem has in common with that at another step."""
    fault = tried.job.fault
    return tried.job.program, fault.call, fault.error, problem.partition(":")[0][:20]


def counted(
    face: str, kind: str, programs: Iterable[str], library: Path
) -> dict[str, dict[str, int]]:
    """Return how many calls of each kind each program makes when nothing fails."""
    jobs = [Job(program, Fault("pidfd_open", first=1 << 30)) for program in programs]
    counts = {}
    for tried in run(face, kind, jobs, library):
        problems = tried.problems()
        assert not problems, f"nothing has failed in {tried.job}: {problems}"
        counts[tried.job.program] = tried.result["seen"]
    return counts


def jobs_of(counts: dict[str, dict[str, int]], steps: int, faults: list[Fault]) -> list[Job]:
    """Return each fault at so many steps of each program, evenly spread."""
    jobs = []
    for program, calls in counts.items():
        for fault in faults:
            count = calls.get(fault.call, 0)
            every = max(1, count // steps)
            firsts = range(1, count + 1, every)
            jobs += [Job(program, fault.at(first)) for first in firsts[:steps]]
    return jobs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("faces", nargs="*", default=FACES)
    parser.add_argument("--steps", type=int, default=1000, help="of each call, at most")
    parser.add_argument("--patience", type=float, default=2, help="seconds")
    parser.add_argument("--no-stock", action="store_true", help="print all, as on stock or not")
    parser.add_argument("--program", action="append", help="only this one")
    parser.add_argument("--call", action="append", help="only this one")
    options = parser.parse_args()
    total: collections.Counter[str] = collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        library = compiled(Path(folder))
        lock = threading.Lock()

        def sweep(face: str) -> None:
            faults = [fault for fault in ALL if fault.call in (options.call or [fault.call])]
            programs = options.program or list(PROGRAMS)
            known: set[tuple[str, str, int, str]] = set()
            for kind in ("ours",) if options.no_stock else ("stock", "ours"):
                # It has other calls at the same step.
                steps = options.steps if kind == "ours" else max(options.steps, 8)
                jobs = jobs_of(counted(face, kind, programs, library), steps, faults)
                for tried in run(face, kind, jobs, library, options.patience):
                    problems = {problem: of(tried, problem) for problem in tried.problems()}
                    new = [problem for problem, key in problems.items() if key not in known]
                    if kind == "stock":
                        known.update(problems.values())
                    with lock:
                        total[f"{kind} tried"] += 1
                        total[f"{kind} harmed"] += tried.result.get("harmed", 0)
                        total[f"{kind} wrong"] += bool(problems)
                        total["worse than stock"] += kind == "ours" and bool(new)
                        for problem in new:
                            print(f"{face} {kind}: {tried.job}: {problem}", flush=True)

        threads = [threading.Thread(target=sweep, args=(face,)) for face in options.faces]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    print(dict(total))
    sys.exit(total["worse than stock"] > 0)


if __name__ == "__main__":
    main()
