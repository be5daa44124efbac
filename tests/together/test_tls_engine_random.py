"""Random programs on a TLS connection: whatever is read, written, cut to pieces, altered,
closed or ended, an engine brings what the objects' methods bring."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Any

import pytest

from helpers.seeded import seeds
from helpers.tls_ends import Pair, Program, attempt, drain, same

SIZES = (1, 5, 1_000, 16_384, 16_385, 40_000)
STEPS = 60


def elsewhere(call: Callable[[], None]) -> Any:
    """Call it in another thread. A shutdown may leave its error in the thread's queue, and
    the methods take it for one of the next connection's; an engine doesn't."""
    outcome: list[Any] = []
    thread = threading.Thread(target=lambda: outcome.append(attempt(call)))
    thread.start()
    thread.join()
    return outcome


def program_of(seed: int) -> Program:
    """A program, which chooses the same each time."""

    def program(end: Any, peer: Any, own: Any) -> Any:
        chance = random.Random(seed)
        # What is on its way to the end, and from it.
        coming, going = bytearray(), bytearray()

        def write(target: Any) -> Any:
            data = chance.randbytes(chance.choice(SIZES))
            kind = chance.choice((bytes, bytearray, memoryview))
            return attempt(target.write, kind(data) if target is end else data)

        def bring(target: Any, data: bytearray) -> Any:
            count = chance.randint(0, len(data)) if chance.random() < 0.5 else len(data)
            part = bytes(data[:count])
            del data[:count]
            if not part:
                return None
            if chance.random() < 0.01:
                part = part[:-1] + bytes([part[-1] ^ 1])
            return attempt(target.feed, part), len(part)

        def alter() -> Any:
            choice = chance.random()
            if choice < 0.05:
                return elsewhere(peer.shut_down)
            if choice < 0.08:
                return elsewhere(own.shut_down)
            if choice < 0.10:
                return attempt(own.end)
            if choice < 0.12:
                return attempt(end.feed, chance.randbytes(40))
            return None

        for _ in range(STEPS):
            step = chance.randrange(7)
            if step == 0:
                yield "end writes", write(end)
            elif step == 1:
                yield "peer writes", write(peer)
            elif step == 2:
                coming += peer.outgoing() or b""
                yield "to the end", bring(end, coming)
            elif step == 3:
                going += end.outgoing() or b""
                yield "to the peer", bring(peer, going)
            elif step == 4:
                yield "end reads", drain(end)
            elif step == 5:
                yield "peer reads", drain(peer)
            else:
                yield "altered", alter()

    return program


@pytest.mark.parametrize("library", ["ssl", "pyOpenSSL"])
@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
@pytest.mark.parametrize("side", ["client", "server"])
def test_random_programs(library: str, version: str, side: str) -> None:
    pair = Pair(library, version)
    for seed in seeds(40):
        same(program_of(seed), pair, side)
