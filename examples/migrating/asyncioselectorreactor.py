import asyncio

import tornado4.platform.twisted

reactor = tornado4.platform.twisted.install()

from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

print("an AsyncioSelectorReactor:", isinstance(reactor, AsyncioSelectorReactor))


async def main():
    loop = asyncio.get_running_loop()
    print("asyncio and Twisted on one loop:", loop is reactor._asyncioEventloop)
    await deferLater(reactor, 0.01, print, "awaited as it is")
    await deferLater(reactor, 0.01, print, "awaited as it used to be").asFuture(loop)
    reactor.stop()


# As it used to be, too. Deferred.fromFuture is Twisted's own.
reactor.callWhenRunning(lambda: Deferred.fromFuture(asyncio.ensure_future(main())))
reactor.run()
