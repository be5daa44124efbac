"""What blocks belongs into a thread: each framework has a way, and all wait meanwhile."""

import asyncio
import time

import tornado4
import tornado4.platform.twisted

reactor = tornado4.platform.twisted.install()

from tornado.ioloop import IOLoop
from twisted.internet.threads import deferToThread


def block(by):
    time.sleep(0.05)
    return by


async def main():
    print(await asyncio.to_thread(block, "asyncio's thread"))
    print(await IOLoop.current().run_in_executor(None, block, "Tornado's thread"))
    print(await deferToThread(block, "Twisted's thread"))


tornado4.run(main())
