"""What is done at random to a native stream and to its peer: every byte, every future, every
error and every line of the log as with Tornado's own streams, after every step."""

import os

import pytest
from tornado import iostream

import tornado4.iostream
from helpers.loops import difference, stock_asyncio, tornado4_asyncio
from helpers.random_io_streams import KINDS, traced
from helpers.seeded import seeds

SEEDS = seeds(40)
# In the long run, which goes on from anywhere if it is told where: TORNADO4_SEED=$RANDOM.
FIRST = int(os.environ.get("TORNADO4_SEED", "0"))
MANY = 3000 if FIRST else 400

on_kinds = pytest.mark.parametrize("kind", KINDS)


def trace(factory, module, kind, seed):
    loop = factory()
    try:
        return traced(loop, module, kind, seed)
    finally:
        loop.close()


def compared(kind, seed):
    stock = trace(tornado4_asyncio, iostream, kind, seed)
    native = trace(tornado4_asyncio, tornado4.iostream, kind, seed)
    assert native == stock, f"{kind}, seed {seed}: {difference(native, stock)}"
    return native


@on_kinds
def test_whatever_is_done_it_is_the_same(kind):
    for seed in SEEDS:
        compared(kind, seed)


@on_kinds
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_whatever_is_done_it_is_the_same_in_the_long_run(kind):
    for seed in range(FIRST, FIRST + MANY):
        compared(kind, seed)


@on_kinds
def test_on_a_foreign_loop_it_is_the_same(kind):
    for seed in SEEDS:
        stock = trace(stock_asyncio, iostream, kind, seed)
        native = trace(stock_asyncio, tornado4.iostream, kind, seed)
        assert native == stock, f"{kind}, seed {seed}: {difference(native, stock)}"
