"""A program that makes one call and ends: ``python -m applications.start FACE NAME``."""

from __future__ import annotations

import sys
import time
from pathlib import Path


def main() -> None:
    """Import what a program of that face imports, make the call, and tell what it took."""
    face, name = sys.argv[1:]
    if face == "twisted":
        from harness.loops import install_reactor

        reactor = install_reactor(name)
        # What about every program of Twisted's imports.
        from twisted.internet import endpoints, protocol  # noqa: F401

        reactor.callWhenRunning(reactor.stop)
        reactor.run()
    elif face == "tornado":
        from tornado import httpserver, web  # noqa: F401

        from harness.loops import new_io_loop

        new_io_loop(name).run_sync(once)
    else:
        from harness.loops import new_loop

        new_loop(name).run_until_complete(once())

    from harness.say import say

    say(cpu=time.process_time(), bytes=most_resident())


def most_resident() -> int:
    """Tell how many bytes of memory this process has used at most.

    `getrusage` would say what the process used that started this one, if that was more.
    """
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1_024


async def once() -> None:
    """Do nothing."""


if __name__ == "__main__":
    main()
