"""A program that mixes the three frameworks, as type checkers see it."""

import asyncio
import concurrent.futures

from twisted.internet.defer import Deferred, succeed
from typing_extensions import assert_type

import tornado4
from tornado4.ioloop import IOLoop
from tornado4.platform.twisted import (
    TornadoReactor,
    TwistedIOLoop,
    TwistedResolver,
    as_deferred,
    as_future,
    install,
    task_factory,
)

reactor = install(IOLoop.current())


async def word() -> str:
    return "word"


async def main() -> None:
    number = succeed(7)
    assert_type(await number, int)
    future = as_future(succeed(7))
    assert_type(future, asyncio.Future[int])
    assert_type(await future, int)
    deferred = as_deferred(word())
    assert_type(deferred, Deferred[str])
    assert_type(await deferred, str)
    assert_type(await as_deferred(as_future(succeed(b"bytes"))), bytes)
    with concurrent.futures.ThreadPoolExecutor() as executor:
        assert_type(await as_deferred(executor.submit(len, "four")), int)
    io_loop = TwistedIOLoop(reactor, make_current=False)
    assert_type(io_loop, TwistedIOLoop)
    io_loop.close()
    asyncio.get_running_loop().set_task_factory(task_factory)
    resolver = TwistedResolver(servers=[("127.0.0.1", 53)], timeout=(1, 2))
    assert_type(resolver, TwistedResolver)
    found = await resolver.resolve("127.0.0.1", 80)
    assert found[0][1] == ("127.0.0.1", 80)
    other = TornadoReactor(asyncio.get_running_loop())
    assert_type(other, TornadoReactor)
    other.fireSystemEvent("shutdown")
    resolver.close()


tornado4.run(main())


def wrong() -> None:
    as_future(word())  # type: ignore[arg-type]
    as_deferred(7)  # type: ignore[arg-type]
    install(reactor="mine")  # type: ignore[call-arg]
    TwistedResolver(servers="127.0.0.1")  # type: ignore[arg-type]
    TwistedIOLoop(make_current="yes")  # type: ignore[arg-type]
