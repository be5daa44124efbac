"""Random programs with datagram endpoints do on ours what they do on stock."""

import pytest

from helpers.random_datagrams import run
from helpers.seeded import assert_same_as_stock, ours, seeds

SEEDS = seeds(120)


@pytest.mark.parametrize("first", SEEDS[::20])
def test_same_as_stock(first):
    assert_same_as_stock(run, range(first, first + 20))


def test_the_programs_do_what_there_is_to_do():
    seen = set()
    for seed in SEEDS:
        *endpoints, told = ours(run, seed)
        events = [event for trace in endpoints for event in trace if isinstance(event, tuple)]
        seen.update(event[0] for event in events)
        seen.update(event[:2] for event in events if event[0] == "error")
        seen.update(event[1].get("message") for event in told if event[0] == "reported")
    assert seen >= {
        *("made", "received", "lost", "error", "pause", "resume"),
        ("error", "ConnectionRefusedError"),
        "Fatal write error on datagram transport",
        "Exception in callback _SelectorDatagramTransport._read_ready()",
        "Exception in callback Endpoint.connection_made(<_SelectorDat...e, bufsize=0>>)",
    }
