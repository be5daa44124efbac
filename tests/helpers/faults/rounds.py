"""One fault after the other, each in a program of its own: what came of each.

`python -m helpers.faults.rounds FACE KIND PATIENCE` in a process with the shim, with the faults
as JSON on its standard input: [[program, [call, error, most, first, times], victim], ...]. With
`victim`, it is the calls of one connection that are counted: the second one that is accepted.
A line of JSON is written for each. `sweep` is what starts it.
"""

from __future__ import annotations

import contextlib
import faulthandler
import functools
import gc
import json
import os
import sys
from typing import Any

from helpers.faults import peers, sides
from helpers.faults.programs import PROGRAMS, Outcome
from helpers.faults.shim import NOBODY, Fault, here, loaded, plan_nothing
from helpers.faults.sides import Side, error_of


def make_side(face: str, kind: str) -> Side:
    if face == "asyncio":
        from helpers.faults.asyncio_side import AsyncioSide

        return AsyncioSide(kind)
    if face == "tornado":
        from helpers.faults.tornado_side import TornadoSide

        return TornadoSide(kind)
    from helpers.faults.twisted_side import TwistedSide

    return TwistedSide(kind)


def open_descriptors() -> list[str]:
    found = []
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            found.append(os.readlink(f"/proc/self/fd/{name}").split(":")[0])
    return sorted(found)


def run(face: str, kind: str, name: str, fault: Fault | None, victim: bool) -> dict[str, Any]:
    """Run a program with a fault. Return what came of it."""
    program, transport = PROGRAMS[name]
    outcome = Outcome()
    before = open_descriptors()
    plan_nothing()
    with here():
        try:
            side = make_side(face, kind)
        except OSError as error:
            outcome.wrong.append(f"no loop: {error_of(error)}")
            return vars(outcome)
        try:
            if fault is not None:
                fault.plan(NOBODY if victim else -1)
            if victim:
                side.made = functools.partial(meet, side)
            try:
                program(side, transport, outcome)
            except Exception as error:
                # The server itself could not be made.
                outcome.told.append(f"raised: {error_of(error)}")
                outcome.heal()
        finally:
            plan_nothing()
            loaded().faults_here(0)
            side.close()
    look_at(side, outcome)
    del side
    if left_since(before):
        gc.collect()
        if left := left_since(before):
            outcome.wrong.append(f"left open: {left}")
    return vars(outcome)


def left_since(before: list[str]) -> list[str]:
    left = open_descriptors()
    for descriptor in before:
        if descriptor in left:
            left.remove(descriptor)
    return left


def meet(side: Side, fd: int) -> None:
    if len(side.served) == 2:
        loaded().faults_of(fd)


def look_at(side: Side, outcome: Outcome) -> None:
    for connection in side.served:
        if len(connection.lost) != 1:
            outcome.wrong.append(f"lost {connection.lost}")
        outcome.told += [f"lost: {error}" for error in connection.lost]
    outcome.told += side.told
    outcome.wrong += [each for each in side.told if each.startswith(("given", "the loop doesn't"))]


def main() -> None:
    face, kind, patience = sys.argv[1:4]
    peers.PATIENCE, sides.LIMIT = float(patience), 2 * float(patience)
    # The first run loads and keeps what later ones find.
    for name in PROGRAMS:
        run(face, kind, name, None, False)
    # What is there by now needn't be looked through again and again.
    gc.collect()
    gc.freeze()
    for program, fault, victim in json.load(sys.stdin):
        faulthandler.dump_traceback_later(16 * peers.PATIENCE, exit=True)
        result = run(face, kind, program, Fault(*fault), victim)
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
