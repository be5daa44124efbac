"""Dask moves data between two worker processes: ``python -m applications.move LOOP MEGABYTES``.

Client and scheduler have a process as well; none of the data comes there.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from time import perf_counter
from typing import Any

from harness.rows import OURS
from harness.say import say

if sys.argv[1] == OURS:
    # Here: the worker processes import this file, and run what is at its top.
    import tornado4

    tornado4.install()
elif sys.argv[1] == "uvloop":
    os.environ["DASK_DISTRIBUTED__ADMIN__EVENT_LOOP"] = "uvloop"

from distributed import Client, LocalCluster, wait

PIECES = 50
MEGABYTE = 1_000_000


def run(megabytes: int) -> dict[str, Any]:
    """Move so much, in pieces; tell what it took, and the workers' CPU time."""
    size = megabytes * MEGABYTE // PIECES
    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",
            memory_limit=0,
        ) as cluster,
        Client(cluster) as client,
    ):
        first, second = client.scheduler_info()["workers"]
        # The first piece opens the connection.
        for pieces in (1, PIECES):
            made = client.map(bytes, [size] * pieces, workers=[first], pure=False)
            wait(made)
            cpu = sum(client.run(time.process_time).values())
            wall = perf_counter()
            counted = client.map(len, made, workers=[second], pure=False)
            assert client.gather(counted) == [size] * pieces
            wall = perf_counter() - wall
            cpu = sum(client.run(time.process_time).values()) - cpu
            del made, counted
    return {"wall": wall, "cpu": cpu}


def main() -> None:
    """Tell what it took."""
    logging.disable(logging.CRITICAL)
    say(**run(int(sys.argv[2])))


if __name__ == "__main__":
    main()
