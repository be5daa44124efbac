"""Frames of WebSocket of every kind, sent to Tornado's server and client in random pieces: what
they make of them, what they answer, and what they log, natively as without."""

import os
from random import Random

import pytest
import tornado

import tornado4.http
import tornado4.iostream
from helpers.loops import difference, stock_asyncio, tornado4_asyncio
from helpers.random_websocket import client_trace, server_trace

# In the long run, which goes on from anywhere if it is told where: TORNADO4_SEED=$RANDOM.
FIRST = int(os.environ.get("TORNADO4_SEED", "0"))
MANY = 20_000 if FIRST else 1_000

pytestmark = pytest.mark.skipif(
    tornado.version_info < (6, 6),
    reason="an older one doesn't tell the application of a connection's end after some errors",
)

SIDES = {"server": server_trace, "client": client_trace}
on_sides = pytest.mark.parametrize("side", SIDES)


def trace(factory, side, seed):
    loop = factory()
    try:
        return SIDES[side](loop, Random(seed))
    finally:
        loop.close()


def native_trace(factory, side, seed):
    tornado4.iostream.install()
    tornado4.http.install()
    try:
        assert tornado4.http.is_native()
        return trace(factory, side, seed)
    finally:
        tornado4.http.uninstall()
        tornado4.iostream.uninstall()


def compared(factory, side, seed):
    stock, native = trace(factory, side, seed), native_trace(factory, side, seed)
    # How far a side gets before it learns that the other one is gone is up to when the kernel
    # says what. So what Tornado does once in a while is right too.
    stocks = (trace(factory, side, seed) for _ in range(200))
    assert native == stock or native in stocks, f"{side}, seed {seed}: {difference(native, stock)}"


@on_sides
def test_whatever_comes_it_is_the_same(side):
    for seed in range(150):
        compared(tornado4_asyncio, side, seed)


@on_sides
def test_on_a_foreign_loop_it_is_the_same(side):
    for seed in range(1000, 1040):
        compared(stock_asyncio, side, seed)


@on_sides
@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_whatever_comes_it_is_the_same_in_the_long_run(side):
    for seed in range(FIRST, FIRST + MANY):
        compared(tornado4_asyncio, side, seed)
