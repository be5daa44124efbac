"""What ReactorBuilder makes its reactors with: ours in each of its places, and peers.

ReactorBuilder calls a factory as a method of the case.  They are named like classes
because the classes that it generates are named after them.  What a factory registers
for clean-up comes before ReactorBuilder's own, so it runs after that.
"""

from __future__ import annotations

import asyncio
from typing import Any


def TornadoReactor(case: Any) -> Any:
    """Make our reactor on a loop of ours."""
    from tornado4.ioloop import IOLoop
    from tornado4.platform import twisted as platform

    io_loop = IOLoop(make_current=False)
    lend(case, io_loop.asyncio_loop, io_loop.close)
    return platform.TornadoReactor(io_loop)


def TornadoReactorOnAsyncio(case: Any) -> Any:
    """Make our reactor as the guest of a stock IOLoop on a stock asyncio loop."""
    from tornado.platform.asyncio import AsyncIOLoop

    from tornado4.platform import twisted as platform

    loop = asyncio.SelectorEventLoop()
    io_loop = AsyncIOLoop(asyncio_loop=loop, make_current=False)
    lend(case, loop, io_loop.close)
    return platform.TornadoReactor(io_loop)


def TornadoReactorOnUvloop(case: Any) -> Any:
    """Make our reactor as the guest of a uvloop loop, which has no IOLoop."""
    import uvloop

    from tornado4.platform import twisted as platform

    loop = uvloop.new_event_loop()
    lend(case, loop, loop.close)
    return platform.TornadoReactor(loop)


def TornadoReactorOnEpoll(case: Any) -> Any:
    """Make our reactor on a loop of ours that is the guest of Twisted's own reactor."""
    from twisted.internet.epollreactor import EPollReactor

    from tornado4.platform import twisted as platform

    host = EPollReactor()
    io_loop = platform.TwistedIOLoop(host, make_current=False)

    def close() -> None:
        io_loop.close()
        dispose(host)

    lend(case, io_loop.asyncio_loop, close)
    return platform.TornadoReactor(io_loop)


def AsyncioReactorOnUvloop(case: Any) -> Any:
    """Make Twisted's own reactor for asyncio on a uvloop loop."""
    import uvloop
    from twisted.internet.asyncioreactor import AsyncioSelectorReactor

    loop = uvloop.new_event_loop()
    lend(case, loop, loop.close)
    return AsyncioSelectorReactor(loop)


def lend(case: Any, loop: asyncio.AbstractEventLoop, close: Any) -> None:
    """Make the loop the thread's while the case runs; then call `close`."""
    asyncio.set_event_loop(loop)

    def clean_up() -> None:
        asyncio.set_event_loop(None)
        close()

    case.addCleanup(clean_up)


def dispose(reactor: Any) -> None:
    """Free what a reactor holds, as ReactorBuilder does; idempotent.

    A reactor has no such method, for it is meant to last as long as the process.
    """
    reactor._uninstallHandler()
    for reader in list(reactor._internalReaders):
        reactor.removeReader(reader)
        reader.connectionLost(None)
    reactor._internalReaders.clear()
    reactor.disconnectAll()
    for call in reactor.getDelayedCalls():
        call.cancel()
    poller = getattr(reactor, "_poller", None)
    if poller is not None:
        poller.close()
