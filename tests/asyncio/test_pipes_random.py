"""Random programs with pipes do on ours what they do on stock, turn by turn."""

import pytest

from helpers.random_pipes import run
from helpers.seeded import assert_same_as_stock, ours, seeds

SEEDS = seeds(300)


@pytest.mark.parametrize("first", SEEDS[::50])
def test_same_as_stock(first):
    assert_same_as_stock(run, range(first, first + 50))


def test_the_programs_do_what_there_is_to_do():
    seen = set()
    for seed in SEEDS:
        *ends, told = ours(run, seed)
        events = [event for trace in ends for event in trace if isinstance(event, tuple)]
        seen.update(event[0] for event in events)
        seen.update(("lost", event[1] and event[1][0]) for event in events if event[0] == "lost")
        seen.update(event[1].get("message") for event in told if event[0] == "reported")
    assert seen >= {
        *("made", "data", "eof", "lost", "pause", "resume"),
        ("lost", None),
        ("lost", "BrokenPipeError"),
        "Fatal write error on pipe transport",
        "Exception in callback _UnixReadPipeTransport._read_ready()",
    }
