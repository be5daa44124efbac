"""Twisted's reactor runs, Tornado serves, and its handler waits for both. Until Ctrl-C."""

import asyncio

import tornado4.platform.twisted

reactor = tornado4.platform.twisted.install()

from tornado.web import Application, RequestHandler
from twisted.internet.task import deferLater


class Slow(RequestHandler):
    async def get(self):
        await asyncio.sleep(0.1)
        self.write("asyncio has slept\n")
        self.write(await deferLater(reactor, 0.1, lambda: "Twisted's word by Tornado\n"))


Application([("/", Slow)]).listen(8000, "127.0.0.1")
print("See http://127.0.0.1:8000/ until Ctrl-C")
reactor.run()
