"""Dask on a loop: ``python -m applications.trips LOOP alone|together TASKS``.

The client, the scheduler and the worker share the loop, and talk by its memory; tasks run in
a thread of the worker's.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from statistics import quantiles
from time import perf_counter, process_time
from typing import Any

from distributed import Client, LocalCluster

from harness.loops import new_loop
from harness.say import say


def increased(number: int) -> int:
    """Do a task."""
    return number + 1


async def run(together: bool, tasks: int) -> dict[str, Any]:
    """Have the tasks done, each after the other or all at once."""
    cluster = LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        processes=False,
        dashboard_address=None,
        asynchronous=True,
    )
    async with cluster, Client(cluster, asynchronous=True) as client:
        for number in range(20):
            await client.submit(increased, -number - 1)
        wall, cpu = perf_counter(), process_time()
        latencies = []
        if together:
            results = await client.gather(client.map(increased, range(tasks)))
            assert results == list(range(1, tasks + 1))
        else:
            for number in range(tasks):
                began = perf_counter()
                assert await client.submit(increased, number) == number + 1
                latencies.append(1e6 * (perf_counter() - began))
        told: dict[str, Any] = {"wall": perf_counter() - wall, "cpu": process_time() - cpu}
    if latencies:
        cuts = quantiles(latencies, n=100)
        told |= {"p50": cuts[49], "p99": cuts[98]}
    return told


def main() -> None:
    """Tell what it took."""
    name, how, tasks = sys.argv[1:]
    logging.disable(logging.CRITICAL)
    loop = new_loop(name)
    asyncio.set_event_loop(loop)
    say(**loop.run_until_complete(run(how == "together", int(tasks))))


if __name__ == "__main__":
    main()
