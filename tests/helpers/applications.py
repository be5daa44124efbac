"""Coroutines of other people's programs, run on stock asyncio's loop and on ours."""

import asyncio
import contextlib
import socket

import pytest

from helpers.loops import LIMIT, stock_asyncio, tornado4_asyncio


def run_on(factory, main, *args):
    """The result of a coroutine function on a loop of its own, which must end clean: no
    task left, nothing reported, no descriptor of a connection open."""
    loop = factory()
    reports = []
    loop.set_exception_handler(lambda loop, context: reports.append(context))
    asyncio.set_event_loop(loop)
    try:
        result = loop.run_until_complete(asyncio.wait_for(main(*args), LIMIT))
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        asyncio.set_event_loop(None)
        loop.close()
    assert reports == []
    return result


on_loops = pytest.mark.parametrize(
    "factory",
    [pytest.param(stock_asyncio, id="stock"), pytest.param(tornado4_asyncio, id="tornado4")],
)


@contextlib.contextmanager
def listening_socket():
    """One that a server gets, whose address is known."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


# What is sent there and back: nothing, little, and more than the buffers of any layer.
BODIES = [b"", b"hello", bytes(range(256)) * 4000]
