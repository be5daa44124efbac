"""Dask's scheduler and workers, on our loop: by Tornado's streams, on asyncio's loop."""

import pytest

from helpers.applications import on_loops, run_on

distributed = pytest.importorskip("distributed", reason="comes with the extra 'dask' only")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@on_loops
@pytest.mark.parametrize("processes", [False, True], ids=["threads", "processes"])
def test_a_local_cluster(factory, processes):
    async def main():
        async with distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=processes,
            # None of its pages, nor a connection of more than a cluster of one's own.
            dashboard_address=None,
            host="127.0.0.1",
            protocol="tcp://",
            asynchronous=True,
        ) as cluster:
            async with distributed.Client(cluster, asynchronous=True) as client:
                futures = client.map(lambda number: number * number, range(200))
                total = await client.submit(sum, futures)
                much = await client.scatter(b"x" * 10_000_000, broadcast=True)
                size = await client.submit(len, much)
                failing = client.submit(lambda: 1 / 0)
                with pytest.raises(ZeroDivisionError):
                    await failing
                return total, size

    assert run_on(factory, main) == (sum(number * number for number in range(200)), 10_000_000)
