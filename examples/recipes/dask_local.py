"""Dask: a scheduler and its worker processes, each on tornado4's loop, from one program.

To run it:

    pip install tornado4 distributed
    python dask_local.py
"""

import asyncio
import logging

import tornado4

# Here, not below: Dask's worker processes import this file, and run what is at its top.
tornado4.install()

from distributed import Client, LocalCluster


async def loop_here():
    """Which loop runs this."""
    return str(type(asyncio.get_running_loop()))


async def main():
    cluster = LocalCluster(
        n_workers=2,
        processes=True,
        dashboard_address=None,
        asynchronous=True,
        # At the end Dask may log that a worker has lost its scheduler, which closes as well.
        silence_logs=logging.CRITICAL,
    )
    async with cluster, Client(cluster, asynchronous=True) as client:
        squares = client.map(lambda number: number * number, range(1000))
        print("Sum of squares:", await client.submit(sum, squares))
        print("This program:", await loop_here())
        print("Scheduler:", await client.run_on_scheduler(loop_here))
        print("Workers:", *(await client.run(loop_here)).values())
        print("Nannies:", *(await client.run(loop_here, nanny=True)).values())


if __name__ == "__main__":
    asyncio.run(main())
