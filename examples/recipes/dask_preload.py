"""For Dask's --preload: a Twisted reactor in each worker, on the worker's own loop.

To run it:

    python -m tornado4 -m dask worker tcp://SCHEDULER:8786 --preload dask_preload.py
"""

import asyncio


def dask_setup(worker):
    # Here, in the worker's loop, and once: Dask loads this file twice.
    from tornado4.platform.twisted import install

    reactor = install()
    print("Worker on", type(asyncio.get_running_loop()), "with", type(reactor), flush=True)


def dask_teardown(worker):
    from twisted.internet import reactor

    # The shutdown triggers, which end the reactor's threads. The loop is the worker's.
    reactor.fireSystemEvent("shutdown")
