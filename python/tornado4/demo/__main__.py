"""``python -m tornado4.demo [--check | --serve]``: how to start, and how to stop."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from tornado.ioloop import IOLoop
from twisted.internet.defer import Deferred

from tornado4.demo.report import CHECKS, Check, check, serve, show
from tornado4.demo.services import Services, running
from tornado4.platform.twisted import install


def start(job: Callable[[Services], Awaitable[int]], interrupted: int = 1) -> int:
    """Install the reactor, run the loop until the job is done; return the exit code."""
    reactor: Any = install()  # first, before anything imports twisted.internet.reactor
    codes: list[int] = []

    async def main() -> None:
        async with running(reactor) as services:
            codes.append(await job(services))

    def begin() -> None:
        task = asyncio.ensure_future(main())
        task.add_done_callback(ended)
        reactor.addSystemEventTrigger("before", "shutdown", finish, task)

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled():  # if it was, the reactor is stopping already
            if error := task.exception():
                traceback.print_exception(type(error), error, error.__traceback__)
            reactor.stop()  # stops the one loop: IOLoop.start() returns

    def finish(task: asyncio.Task[None]) -> Deferred[Any]:
        if task.cancel():  # stopped by Ctrl-C: the reactor waits for us to clean up
            codes.append(interrupted)
        return Deferred.fromFuture(asyncio.ensure_future(asyncio.wait([task])))

    io_loop: Any = IOLoop.current()
    # reactor.run() would do this; IOLoop.start() leaves signals to the application.
    io_loop.asyncio_loop.add_signal_handler(signal.SIGINT, reactor.stop)
    io_loop.add_callback(begin)
    io_loop.start()
    return codes[0] if codes else 1


def run_checks(checks: Mapping[str, Check]) -> int:
    """Start all services, run the checks: 0 only if every one has passed."""
    return start(lambda services: check(services, checks))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tornado4.demo", description=__doc__)
    modes = parser.add_mutually_exclusive_group()
    modes.add_argument("--check", action="store_true", help="test every pair")
    modes.add_argument("--serve", action="store_true", help="keep the servers up until Ctrl-C")
    options = parser.parse_args(arguments)
    if options.check:
        return run_checks(CHECKS)
    return start(serve, interrupted=0) if options.serve else start(show)


if __name__ == "__main__":
    sys.exit(main())
