"""What is done at random to both ends of a TLS connection of Twisted: every byte and every
call as stock has it."""

import itertools
import os
import tempfile

import pytest

from helpers.loops import difference, epoll_reactor, tornado4_reactor, trace_reactor
from helpers.random_tls_twisted import KINDS, TwistedTLSProgram
from helpers.seeded import seeds

SEEDS = seeds(30)
# In the long run: what is done to the ends, all programs together. It goes on longer, and
# from anywhere, if it is told where to begin: TORNADO4_SEED=$RANDOM.
FIRST = os.environ.get("TORNADO4_SEED", "")
OPERATIONS = 250_000 if FIRST else 40_000


# How often it may be chance that two differ, such as when a kernel's buffer is full.
TRIES = 4


def compared(seed):
    """How many operations it was, and the trace, which is one that stock has too."""
    programs = []

    def scenario(reactor, trace):
        programs.append(TwistedTLSProgram(seed, reactor, trace))
        with tempfile.TemporaryDirectory() as folder:
            programs[-1].run(folder)

    ours, stock = [], []
    try:
        for _ in range(TRIES):
            ours.append(trace_reactor(tornado4_reactor, scenario))
            stock.append(trace_reactor(epoll_reactor, scenario))
            both = [trace for trace in ours if trace in stock]
            if both:
                return both[0], programs[0].count
        pytest.fail(f"seed {seed}: {difference(ours[-1], stock[-1])}")
    except BaseException:
        print(f"seed {seed}")
        raise


def test_random_ends():
    seen, begun = set(), set()
    for seed in SEEDS:
        trace, _ = compared(seed)
        begun.update(event[1] for event in trace if event[0] == "begun")
        seen.update(event[1][0] for event in trace if isinstance(event[1], tuple))
    assert begun == set(KINDS)
    assert seen >= {"data", "produced", "lost", "soon", "write", "writeSequence", "at the end"}


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_random_ends_for_long():
    done = 0
    for seed in itertools.count(int(FIRST or 1_000_000)):
        done += compared(seed)[1]
        if done >= OPERATIONS:
            break
