"""The loops under measurement: ours and its peers, face by face.

A host runs its loop from a first call to a last one, and tells how long that
took. The loop's own start and end aren't in it.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from time import perf_counter, process_time
from typing import Any

from harness.loops import new_io_loop, new_loop, new_reactor
from harness.rows import OURS

from .work import Taken

Begin = Callable[[Callable[[], None]], object]


class Host(ABC):
    """A loop. The frameworks are imported by the hosts that need them."""

    def run(self, begin: Begin) -> Taken:
        """Run from ``begin(finish)`` until ``finish()``; what was taken between."""
        wall = cpu = 0.0

        def start() -> None:
            nonlocal wall, cpu
            wall, cpu = perf_counter(), process_time()
            begin(finish)

        def finish() -> None:
            nonlocal wall, cpu
            wall, cpu = perf_counter() - wall, process_time() - cpu
            self.stop()

        self.run_loop(start)
        return Taken(wall, cpu)

    @abstractmethod
    def run_loop(self, start: Callable[[], None]) -> None:
        """Run the loop until `stop`, with ``start`` as its first call."""

    @abstractmethod
    def stop(self) -> None:
        """Stop the loop; it can be run again."""

    @abstractmethod
    def watch(self, fd: int, ready: Callable[..., None]) -> Callable[[], object]:
        """Have ``ready`` called when there is something to read.

        In the face's own way, so its arguments differ. What is returned stops it.
        """

    def call(self, function: Callable[[], object]) -> None:
        """Call a function while the loop runs."""

        def begin(finish: Callable[[], None]) -> None:
            function()
            finish()

        self.run(begin)


class AsyncioHost(Host):
    """An asyncio loop."""

    def __init__(self, name: str) -> None:
        self.loop: Any = new_loop(name)

    def run_loop(self, start: Callable[[], None]) -> None:
        self.loop.call_soon(start)
        self.loop.run_forever()

    def stop(self) -> None:
        self.loop.stop()

    def watch(self, fd: int, ready: Callable[..., None]) -> Callable[[], object]:
        self.loop.add_reader(fd, ready)
        return lambda: self.loop.remove_reader(fd)


# The hosts of tasks that may await Deferreds: ours with a reactor; with asyncio's own
# `create_task` back; the same as the first, by way of a future.
AWAITING = "tornado4, awaiting"
PLAIN = "tornado4, plain tasks"
AS_FUTURE = "tornado4, as_future"


class TogetherHost(AsyncioHost):
    """A loop of ours with a reactor."""

    def __init__(self, name: str) -> None:
        from tornado4.platform.twisted import TornadoReactor

        self.name = name
        self.loop = new_io_loop(OURS).asyncio_loop
        TornadoReactor(self.loop)
        if name == PLAIN:
            del self.loop.create_task


class TornadoHost(Host):
    """A Tornado IOLoop."""

    def __init__(self, name: str) -> None:
        self.io_loop = new_io_loop(name)

    def run_loop(self, start: Callable[[], None]) -> None:
        self.io_loop.add_callback(start)
        self.io_loop.start()

    def stop(self) -> None:
        self.io_loop.stop()

    def watch(self, fd: int, ready: Callable[..., None]) -> Callable[[], object]:
        self.io_loop.add_handler(fd, ready, self.io_loop.READ)
        return lambda: self.io_loop.remove_handler(fd)


class TwistedHost(Host):
    """A Twisted reactor, which isn't the global one."""

    def __init__(self, name: str) -> None:
        self.reactor = new_reactor(name)

    def run_loop(self, start: Callable[[], None]) -> None:
        self.reactor.callLater(0, start)
        self.reactor.run(installSignalHandlers=False)

    def stop(self) -> None:
        # Unlike stop(), this leaves the reactor as it is for the next round.
        self.reactor.crash()

    def watch(self, fd: int, ready: Callable[..., None]) -> Callable[[], object]:
        reader = _Reader(fd, ready)
        self.reactor.addReader(reader)
        return lambda: self.reactor.removeReader(reader)


class _Reader:
    """The least that a reactor asks of an IReadDescriptor."""

    def __init__(self, fd: int, ready: Callable[..., None]) -> None:
        self._fd = fd
        self.doRead = ready

    def fileno(self) -> int:
        return self._fd

    def logPrefix(self) -> str:
        return "reader"

    def connectionLost(self, reason: object) -> None:
        raise RuntimeError(f"a reader was disconnected: {reason}")


def new_host(face: str, name: str) -> Host:
    """Make the host of that name. ``ImportError``: it isn't installed."""
    hosts: dict[str, type[Any]] = {
        "asyncio": AsyncioHost,
        "together": TogetherHost,
        "tornado": TornadoHost,
        "twisted": TwistedHost,
    }
    host: Host = hosts[face](name)
    return host


class Pipe:
    """A pipe that is closed at the end of a ``with``."""

    def __enter__(self) -> Pipe:
        self.reader, self.writer = os.pipe()
        return self

    def __exit__(self, *_exception: object) -> None:
        os.close(self.reader)
        os.close(self.writer)
