import asyncio

import tornado4

tornado4.install()  # it was uvloop.install()


async def main():
    print(type(asyncio.get_running_loop()).__module__)


asyncio.run(main())
