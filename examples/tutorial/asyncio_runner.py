"""The ways to run a coroutine on our loop."""

import asyncio
import sys

import tornado4


async def main():
    return type(asyncio.get_running_loop()).__module__


print(tornado4.run(main()))

if sys.version_info >= (3, 12):
    print(asyncio.run(main(), loop_factory=tornado4.new_event_loop))
else:  # by hand, in any version
    loop = tornado4.new_event_loop()
    print(loop.run_until_complete(main()))
    loop.close()
