import asyncio

from tornado.ioloop import IOLoop

import tornado4.platform.asyncio
import tornado4.platform.twisted

reactor = tornado4.platform.twisted.install()


async def main():
    running = asyncio.get_running_loop()
    print("asyncio's:", isinstance(running, tornado4.platform.asyncio.EventLoop))
    print("Tornado's stands on it:", IOLoop.current().asyncio_loop is running)
    print("Twisted's, too:", reactor._asyncioEventloop is running)
    print("Twisted's is a", type(reactor).__name__)


tornado4.run(main())
