"""Tornado and asyncio on a reactor that isn't ours: here Twisted's EPollReactor."""

from twisted.internet import epollreactor

epollreactor.install()

import asyncio

from tornado import gen
from twisted.internet import reactor
from twisted.internet.task import deferLater

from tornado4.platform.twisted import TwistedIOLoop

io_loop = TwistedIOLoop()
io_loop.install()


async def main():
    await gen.sleep(0.01)
    print("Tornado has slept")
    await asyncio.sleep(0.01)
    print("asyncio has slept")
    print(await deferLater(reactor, 0.01, lambda: "a Deferred has fired"))
    print("the reactor:", type(reactor).__name__)
    reactor.stop()


io_loop.add_callback(main)
reactor.run()
