"""Connections to which anything is done, in any order: as stock asyncio has it."""

import sys

import pytest

from helpers.random_readers import StreamsProgram
from helpers.random_streams import TURNS, StreamProgram
from helpers.random_tls import STEPS, TLSProgram
from helpers.seeded import seeds
from helpers.transports import KINDS, on_transports

SEEDS = seeds(80)

# What each kind of program comes to see.
BOTH = {
    *(
        "connection_made",
        "data",
        "eof_received",
        "connection_lost",
        "soon",
        "write",
        "reported",
        "is_closing",
        "is_reading",
    ),
    *("get_write_buffer_size", "get_write_buffer_limits", "can_write_eof"),
    *("set_write_buffer_limits",),
}


@on_transports
@pytest.mark.parametrize("kind", KINDS)
def test_random(run, kind):
    seen = set()
    for seed in SEEDS:
        trace = run(lambda *args, seed=seed: StreamProgram(seed, kind, *args).run())
        assert trace.count("turn") >= TURNS + 4
        seen.update(event[0] for event in trace)
    waits = {"pause_writing", "resume_writing"} if kind.startswith("unix") else set()
    assert seen >= BOTH | waits | {"peer", "let out"}


@on_transports
@pytest.mark.parametrize("kind", KINDS[:1])
def test_random_tls(run, kind):
    seen = set()
    for seed in SEEDS:
        trace = run(lambda *args, seed=seed: TLSProgram(seed, *args).run())
        assert trace.count(("left", "step")) == trace.count(("right", "step")) == STEPS
        seen.update(event[1] for event in trace)
    # Python 3.10's TLS pauses nobody in these.
    waits = {"pause_writing", "resume_writing"} if sys.version_info >= (3, 11) else set()
    assert seen >= BOTH | waits


@on_transports
@pytest.mark.parametrize("kind", ["tcp", "tls"])
def test_random_streams(run, kind):
    seen = set()
    for seed in SEEDS:
        trace = run(lambda *args, seed=seed: StreamsProgram(seed, kind, *args).run())
        assert len([event for event in trace if event[0] == "rest"]) == 2
        seen.update(event[0] for event in trace)
    halves = {"at_eof"} if kind == "tcp" else set()
    assert seen >= halves | {
        *("readline", "readexactly", "much", "drained", "read", "readuntil", "half", "write"),
        *("after one that was cancelled", "read to the end", "drain", "wait_closed"),
    }
