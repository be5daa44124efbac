"""Connections to which anything is done, in any order: as stock asyncio has it."""

import contextlib

import pytest

from helpers.random_streams import TURNS, StreamProgram
from helpers.random_tls import STEPS, TLSProgram
from helpers.transports import KINDS, on_transports

SEEDS = range(80)

# What each kind of program comes to see.
BOTH = {
    *("connection_made", "data", "eof_received", "connection_lost", "pause_writing"),
    *("resume_writing", "soon", "write", "reported", "is_closing", "is_reading"),
    *("get_write_buffer_size", "get_write_buffer_limits", "can_write_eof"),
    *("set_write_buffer_limits",),
}


def steady(run, scenario, kind):
    """A run of a scenario. How soon TCP has room again is, once in a thousand times,
    another matter: there, traces must be equal in one run of three."""
    for _ in range(2 if kind.startswith("tcp") else 0):
        with contextlib.suppress(AssertionError):
            return run(scenario)
    return run(scenario)


@on_transports
@pytest.mark.parametrize("kind", KINDS)
def test_random(run, kind):
    seen = set()
    for seed in SEEDS:
        trace = steady(run, lambda *args: StreamProgram(seed, kind, *args).run(), kind)  # noqa: B023
        assert trace.count("turn") == TURNS + 4
        seen.update(event[0] for event in trace)
    assert seen >= BOTH | {"peer", "let out"}


@on_transports
@pytest.mark.parametrize("kind", KINDS[:1])
def test_random_tls(run, kind):
    seen = set()
    for seed in SEEDS:
        trace = run(lambda *args, seed=seed: TLSProgram(seed, *args).run())
        assert trace.count(("left", "step")) == trace.count(("right", "step")) == STEPS
        seen.update(event[1] for event in trace)
    assert seen >= BOTH
