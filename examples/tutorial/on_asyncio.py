"""A Twisted reactor on a loop that isn't ours: here stock asyncio's."""

import asyncio

from tornado4.platform.twisted import as_future, install


async def main():
    reactor = install()  # on the loop that runs

    from twisted.internet.task import deferLater

    print("the loop:", type(asyncio.get_running_loop()).__module__)
    print(await as_future(deferLater(reactor, 0.01, lambda: "a Deferred has fired")))


asyncio.run(main())
