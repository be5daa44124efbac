"""HTTP/1 of every kind, sent to Tornado's servers and clients in random pieces: what they make
of it, what they answer, and what they log, natively as without."""

import os
from random import Random

import pytest
import tornado

import tornado4.http
import tornado4.iostream
from helpers.loops import difference, stock_asyncio, tornado4_asyncio
from helpers.random_http import client_trace, server_trace

# In the long run, which goes on from anywhere if it is told where: TORNADO4_SEED=$RANDOM.
FIRST = int(os.environ.get("TORNADO4_SEED", "0"))
MANY = 20_000 if FIRST else 1_500

KINDS = {
    "delegate": server_trace,
    "web": server_trace,
    "fetch": client_trace,
    "connection": client_trace,
}
on_kinds = pytest.mark.parametrize(
    "kind",
    [
        pytest.param(
            kind,
            marks=pytest.mark.skipif(
                kind == "fetch" and tornado.version_info < (6, 6),
                reason="an older one's client waits for its time-out after some answers",
            ),
        )
        for kind in KINDS
    ],
)


def trace(factory, kind, seed):
    loop = factory()
    try:
        return KINDS[kind](loop, Random(seed), kind)
    finally:
        loop.close()


def native_trace(factory, kind, seed):
    tornado4.iostream.install()
    tornado4.http.install()
    try:
        assert tornado4.http.is_native()
        return trace(factory, kind, seed)
    finally:
        tornado4.http.uninstall()
        tornado4.iostream.uninstall()


def compared(factory, kind, seed):
    stock, native = trace(factory, kind, seed), native_trace(factory, kind, seed)
    # After a request that closes the connection, whether Tornado looks at the next one still is
    # up to when the kernel says what. So what it does once in a while is right too.
    stocks = (trace(factory, kind, seed) for _ in range(200))
    assert native == stock or native in stocks, f"{kind}, seed {seed}: {difference(native, stock)}"


@on_kinds
def test_whatever_comes_it_is_the_same(kind):
    for seed in range(150):
        compared(tornado4_asyncio, kind, seed)


@on_kinds
def test_on_a_foreign_loop_it_is_the_same(kind):
    for seed in range(40):
        compared(stock_asyncio, kind, seed)


@on_kinds
@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_whatever_comes_it_is_the_same_in_the_long_run(kind):
    for seed in range(FIRST, FIRST + MANY):
        compared(tornado4_asyncio, kind, seed)
