import asyncio

import pytest
from twisted.internet.task import deferLater

from tornado4.platform.asyncio import EventLoop

pytestmark = pytest.mark.asyncio


async def test_the_loop():
    assert isinstance(asyncio.get_running_loop(), EventLoop)


async def test_streams():
    async def shout(reader, writer):
        writer.write((await reader.readline()).upper())
        writer.close()

    async with await asyncio.start_server(shout, "127.0.0.1", 0) as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"hello\n")
        assert await reader.read() == b"HELLO\n"
        writer.close()


async def test_a_deferred(reactor):
    assert await deferLater(reactor, 0.01, lambda: 42) == 42


async def test_a_deferred_that_takes_too_long(reactor):
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(deferLater(reactor, 3600), 0.01)
    assert reactor.getDelayedCalls() == []
