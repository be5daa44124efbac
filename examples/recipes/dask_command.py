"""Dask's own command, with its scheduler, nannies and workers on tornado4's loop.

To run it:

    pip install tornado4 distributed
    python dask_command.py scheduler
    python dask_command.py worker tcp://SCHEDULER:8786 --preload dask_preload.py
"""

import asyncio

import tornado4


class OurLoops(asyncio.DefaultEventLoopPolicy):
    def new_event_loop(self):
        return tornado4.new_event_loop()


# Here, not below: the workers that a nanny starts import this file again.
asyncio.set_event_loop_policy(OurLoops())

if __name__ == "__main__":
    from dask.cli import run_cli

    run_cli()
