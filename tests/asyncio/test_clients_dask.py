"""Dask's scheduler and workers, on our loop: by Tornado's streams, on asyncio's loop."""

import pytest

from helpers.applications import on_loops, run_on

distributed = pytest.importorskip("distributed", reason="it comes with the extra 'clients' only")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@on_loops
@pytest.mark.parametrize("processes", [False, True], ids=["threads", "processes"])
def test_a_local_cluster(factory, processes):
    async def main():
        made = distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=processes,
            # Without its pages.
            dashboard_address=None,
            host="127.0.0.1",
            protocol="tcp://",
            asynchronous=True,
        )
        async with made as cluster, distributed.Client(cluster, asynchronous=True) as client:
            futures = client.map(lambda number: number * number, range(200))
            total = await client.submit(sum, futures)
            much = await client.scatter(b"x" * 10_000_000, broadcast=True)
            size = await client.submit(len, much)
            with pytest.raises(ZeroDivisionError):
                await client.submit(lambda: 1 / 0)
            return total, size

    assert run_on(factory, main) == (sum(number * number for number in range(200)), 10_000_000)
