"""The process of one host: ``python -m calls.worker FACE NAME``.

It does what a line of JSON asks for, and answers with another one.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from statistics import median
from time import perf_counter
from typing import Any

from harness.catalogue import find

from .hosts import new_host
from .work import Calls, Measured, Taken


def main() -> None:
    """Work until the input ends."""
    # An interrupt is for the parent; this process ends when that ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    face, name = sys.argv[1:]
    # Whatever the work prints, this is for the answers only.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    host = new_host(face, name)
    usable = os.sched_getaffinity(0)
    for line in sys.stdin:
        asked = json.loads(line)
        work = find(asked["prepare"]).work
        assert isinstance(work, Calls)
        # The interpreter hands its lock from thread to thread; where that is measured,
        # each may have a CPU.
        everywhere = set(range(os.cpu_count() or 1))
        os.sched_setaffinity(0, everywhere if asked["threads"] else usable)
        with work.prepare(host) as measured:
            without_collector(measured)
            # What there is by now needn't be looked at before each round.
            gc.collect()
            gc.freeze()
            say(answers, {})
            while json.loads(sys.stdin.readline() or "{}"):
                say(answers, repeated(measured, work.operations, asked["seconds"]))
        gc.unfreeze()
        say(answers, {})


def say(answers: Any, what: dict[str, Any]) -> None:
    """Answer."""
    answers.write(json.dumps(what) + "\n")
    answers.flush()


def repeated(measured: Measured, operations: int, seconds: float) -> dict[str, float]:
    """Do it for so many seconds, but at least once: the medians for an operation."""
    until = perf_counter() + seconds
    taken = [without_collector(measured)]
    while perf_counter() < until:
        taken.append(without_collector(measured))
    answer = {"wall": median(it.wall for it in taken) / operations}
    cpu = [it.cpu for it in taken if it.cpu is not None]
    return answer | ({"cpu": median(cpu) / operations} if cpu else {})


def without_collector(measured: Measured) -> Taken:
    """Do a round in which no garbage is collected."""
    gc.collect()
    gc.disable()
    try:
        return measured()
    finally:
        gc.enable()


if __name__ == "__main__":
    main()
