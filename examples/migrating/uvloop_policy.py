import asyncio
import sys

import tornado4


async def main():
    print(type(asyncio.get_running_loop()).__module__)


if sys.version_info < (3, 14):

    class Policy(asyncio.DefaultEventLoopPolicy):
        def new_event_loop(self):
            return tornado4.new_event_loop()

    asyncio.set_event_loop_policy(Policy())
    asyncio.run(main())
else:
    asyncio.run(main(), loop_factory=tornado4.new_event_loop)
