"""What is done at random to both ends of a TLS connection of Twisted: every byte and every
call as stock has it."""

import itertools
import os
import random
import tempfile

import pytest

from helpers.loops import on_reactors
from helpers.random_tls_twisted import KINDS, TwistedTLSProgram

SEEDS = range(30)
# In the long run: what is done to the ends, all programs together.
OPERATIONS = 250_000


def compared(run, seed):
    """How many operations it was, and the trace."""
    programs = []

    def scenario(reactor, trace):
        programs.append(TwistedTLSProgram(seed, reactor, trace))
        with tempfile.TemporaryDirectory() as folder:
            programs[-1].run(folder)

    try:
        return run(scenario), programs[0].count
    except BaseException:
        print(f"seed {seed}")
        raise


@on_reactors
def test_random_ends(run):
    seen, begun = set(), set()
    for seed in SEEDS:
        trace, _ = compared(run, seed)
        begun.update(event[1] for event in trace if event[0] == "begun")
        seen.update(event[1][0] for event in trace if event[0] in ("left", "right"))
    assert begun == set(KINDS)
    assert seen >= {"data", "produced", "lost", "soon", "write", "writeSequence", "at the end"}


@pytest.mark.slow
@pytest.mark.timeout(7200)
@on_reactors
def test_random_ends_for_long(run):
    first = int(os.environ.get("TORNADO4_SEED", random.randrange(1_000_000_000)))
    print(f"TORNADO4_SEED={first}")
    done = 0
    for seed in itertools.count(first):
        done += compared(run, seed)[1]
        if done >= OPERATIONS:
            break
