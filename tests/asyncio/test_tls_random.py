"""What is done at random to both ends of a TLS connection, with much or little under way:
every byte and every callback as stock asyncio has it."""

import itertools
import os

import pytest

from helpers.loops import difference, stock_asyncio, tornado4_asyncio
from helpers.random_tls_flows import BEGINNINGS, FlowProgram
from helpers.seeded import seeds
from helpers.transports import trace_transports

SEEDS = seeds(40)
# In the long run: what is done to the ends, all programs together. It goes on longer, and
# from anywhere, if it is told where to begin: TORNADO4_SEED=$RANDOM.
FIRST = os.environ.get("TORNADO4_SEED", "")
OPERATIONS = 250_000 if FIRST else 40_000

SEEN = {
    *("connection_made", "data", "step", "connection_lost", "pause_writing", "resume_writing"),
    *("eof_received", "write", "write_eof", "soon", "is_reading", "reported"),
}


def compared(seed):
    """How many operations it was, and the trace, which is stock's too."""
    programs = []

    def scenario(loop, trace):
        programs.append(FlowProgram(seed, loop, trace))
        programs[-1].run()

    try:
        ours = trace_transports(tornado4_asyncio, scenario)
        stock = trace_transports(stock_asyncio, scenario)
        assert ours == stock, difference(ours, stock)
        return ours, programs[0].count
    except BaseException:
        print(f"seed {seed}")
        raise


def test_random_flows():
    seen, begun = set(), set()
    for seed in SEEDS:
        trace, _ = compared(seed)
        begun.add(trace[[event[0] for event in trace].index("begun")][1])
        seen.update(event[1] for event in trace)
    assert begun == set(BEGINNINGS)
    assert seen >= SEEN


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_random_flows_for_long():
    done = 0
    for seed in itertools.count(int(FIRST or 1_000_000)):
        done += compared(seed)[1]
        if done >= OPERATIONS:
            break
