"""Random programs that a module runs from a seed: the same on ours as on stock."""

import asyncio
import os

import tornado4


def seeds(count):
    """So many; from anywhere, if it is told where to begin: TORNADO4_SEED=$RANDOM."""
    first = int(os.environ.get("TORNADO4_SEED", "0"))
    return range(first, first + count)


def traces(run, factory, seed):
    """What `run(loop, seed)` returns: several traces."""
    loop = factory()
    try:
        return run(loop, seed)
    finally:
        loop.close()


def ours(run, seed):
    return traces(run, tornado4.new_event_loop, seed)


def assert_same_as_stock(run, seeds):
    for seed in seeds:
        stock = traces(run, asyncio.SelectorEventLoop, seed)
        for mine, theirs in zip(ours(run, seed), stock, strict=True):
            for index, (one, other) in enumerate(zip(mine, theirs, strict=False)):
                assert one == other, (seed, index)
            assert len(mine) == len(theirs), seed
