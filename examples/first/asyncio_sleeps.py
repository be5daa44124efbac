import asyncio

import tornado4


async def main():
    naps = [asyncio.sleep(0.5, number) for number in range(10_000)]
    print("slept:", len(await asyncio.gather(*naps)))


tornado4.run(main())
