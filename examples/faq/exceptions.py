"""Each framework reports what its callbacks raise in its own way, and the loop goes on."""

import asyncio
import logging

import tornado4
import tornado4.platform.twisted

reactor = tornado4.platform.twisted.install()

from tornado.ioloop import IOLoop
from twisted.logger import globalLogBeginner


class Tornados(logging.Handler):
    def emit(self, record):
        print("Tornado's log:", record.name, record.exc_info[1])


def asyncios(loop, context):
    print("asyncio's exception handler:", context["exception"])


def twisteds(event):
    if "log_failure" in event:
        print("Twisted's log:", event["log_failure"].value)


def fail(by):
    raise ValueError(f"raised in {by} callback")


async def main():
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(asyncios)
    logging.getLogger("tornado.application").addHandler(Tornados())
    globalLogBeginner.beginLoggingTo([twisteds], redirectStandardIO=False)
    loop.call_soon(fail, "asyncio's")
    IOLoop.current().add_callback(fail, "Tornado's")
    reactor.callLater(0.1, fail, "Twisted's")
    await asyncio.sleep(0.2)


tornado4.run(main())
