"""A child process of its own, forked before there is a loop; each runs one."""

import asyncio
import os

import tornado4


async def main(who):
    await asyncio.sleep(0.01)
    print(who, "has run a loop", flush=True)


child = os.fork()
if child == 0:
    tornado4.run(main("the child"))
    os._exit(0)
os.waitpid(child, 0)
tornado4.run(main("the parent"))
