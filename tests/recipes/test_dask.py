"""Dask: a cluster in one program, and one of its own commands."""

import signal

import pytest

from helpers.recipes import needs, output_of, recipe, running

needs("distributed")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

LOOP = "<class 'tornado4.platform.asyncio.EventLoop'>"
REACTOR = "<class 'tornado4.platform.twisted.TornadoReactor'>"

# What Dask says, on any loop, if a worker that ends waits for its scheduler's answer.
HEARTBEAT = (
    r"(?s)\S+ \S+ - distributed\.worker - ERROR - [^\n]* during heartbeat\..*?CommClosed[^\n]*\n"
)


# Another cluster runs on this machine, such as another test's.
BUSY_PORT = {"PYTHONWARNINGS": "ignore:Port 8787 is already in use:UserWarning"}


def test_a_cluster_in_one_program():
    assert output_of("dask_local.py", env=BUSY_PORT) == (
        f"Sum of squares: {sum(number**2 for number in range(1000))}\n"
        f"This program: {LOOP}\n"
        f"Scheduler: {LOOP}\n"
        f"Workers: {LOOP} {LOOP}\n"
        f"Nannies: {LOOP} {LOOP}\n"
    )


@pytest.mark.parametrize("nanny", [True, False], ids=["nanny", "alone"])
def test_a_cluster_of_commands(nanny, tmp_path):
    from distributed import Client

    async def deferred_on_worker():
        from twisted.internet import reactor
        from twisted.internet.task import deferLater

        return await deferLater(reactor, 0.01, lambda: 42)

    command = ["-m", "tornado4", "-m", "dask"]
    options = ["--host=127.0.0.1", "--no-dashboard"]
    with running(*command, "scheduler", *options, "--port=0", cwd=tmp_path) as scheduler:
        [address] = scheduler.says(r"Scheduler at:\s*(tcp://[\d.:]+)").groups()
        options += ["--preload", recipe("dask_preload.py"), "--nanny" if nanny else "--no-nanny"]
        with running(*command, "worker", address, *options, cwd=tmp_path) as worker:
            worker.says(rf"Worker on {LOOP} with {REACTOR}")
            with Client(address) as client:
                client.wait_for_workers(1, timeout=30)
                numbers = client.map(lambda number: number**2, range(100))
                assert client.submit(sum, numbers).result(timeout=30) == 328350
                assert [*client.run(deferred_on_worker).values()] == [42]
                assert client.submit(len, b"x" * 3_000_000).result(timeout=30) == 3_000_000
            worker.ends(signal.SIGINT, harmless=HEARTBEAT)
        scheduler.says("Remove worker")
        scheduler.ends(signal.SIGTERM)
