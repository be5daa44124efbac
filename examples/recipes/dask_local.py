"""Dask: a scheduler and its worker processes, each on tornado4's loop, from one program.

To run it:

    pip install tornado4 distributed
    python dask_local.py
"""

import asyncio

from distributed import Client, LocalCluster

import tornado4


class OurLoops(asyncio.DefaultEventLoopPolicy):
    def new_event_loop(self):
        return tornado4.new_event_loop()


# Here, not below: Dask's worker processes import this file, and run what is at its top.
asyncio.set_event_loop_policy(OurLoops())


async def loop_here():
    """Which loop runs this."""
    return str(type(asyncio.get_running_loop()))


async def main():
    cluster = LocalCluster(n_workers=2, processes=True, dashboard_address=None, asynchronous=True)
    async with cluster, Client(cluster, asynchronous=True) as client:
        squares = client.map(lambda number: number * number, range(1000))
        print("Sum of squares:", await client.submit(sum, squares))
        print("This program:", await loop_here())
        print("Scheduler:", await client.run_on_scheduler(loop_here))
        print("Workers:", *(await client.run(loop_here)).values())
        print("Nannies:", *(await client.run(loop_here, nanny=True)).values())


if __name__ == "__main__":
    tornado4.run(main())
