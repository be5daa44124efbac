"""The loops under measurement: ours and its peers, face by face.

A host runs its loop from a first call to a last one, and tells how long that
took. The loop's own start and end aren't in it.
"""

from __future__ import annotations

import asyncio
import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from time import perf_counter
from typing import Any

from .work import OURS

Begin = Callable[[Callable[[], None]], object]


class Host(ABC):
    """A loop. The frameworks are imported by the hosts that need them."""

    def run(self, begin: Begin) -> float:
        """Run from ``begin(finish)`` until ``finish()``; the seconds between."""
        first = last = 0.0

        def start() -> None:
            nonlocal first
            first = perf_counter()
            begin(finish)

        def finish() -> None:
            nonlocal last
            last = perf_counter()
            self.stop()

        self.run_loop(start)
        return last - first

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
        self.loop = new_asyncio_loop(name)

    def run_loop(self, start: Callable[[], None]) -> None:
        self.loop.call_soon(start)
        self.loop.run_forever()

    def stop(self) -> None:
        self.loop.stop()

    def watch(self, fd: int, ready: Callable[..., None]) -> Callable[[], object]:
        self.loop.add_reader(fd, ready)
        return lambda: self.loop.remove_reader(fd)


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
        "tornado": TornadoHost,
        "twisted": TwistedHost,
    }
    host: Host = hosts[face](name)
    return host


def new_asyncio_loop(name: str) -> asyncio.AbstractEventLoop:
    """Make an asyncio loop: ours, uvloop's or asyncio's own."""
    loop: asyncio.AbstractEventLoop
    if name == OURS:
        import tornado4

        loop = tornado4.new_event_loop()
    elif name == "uvloop":
        import uvloop

        loop = uvloop.new_event_loop()
    else:
        loop = asyncio.SelectorEventLoop()
    return loop


def new_io_loop(name: str) -> Any:
    """Make a Tornado IOLoop: ours, or Tornado's on the asyncio loop named."""
    if name == OURS:
        import tornado4.ioloop

        return tornado4.ioloop.IOLoop(make_current=False)
    from tornado.platform.asyncio import AsyncIOLoop

    return AsyncIOLoop(make_current=False, asyncio_loop=new_asyncio_loop(name))


def new_reactor(name: str) -> Any:
    """Make a reactor: ours, Twisted's on epoll, or on the asyncio loop named."""
    if name == OURS:
        from tornado4.platform.twisted import TornadoReactor

        return TornadoReactor(new_io_loop(name))
    if name == "epoll":
        from twisted.internet.epollreactor import EPollReactor

        return EPollReactor()
    from twisted.internet.asyncioreactor import AsyncioSelectorReactor

    return AsyncioSelectorReactor(new_asyncio_loop(name))


class Pipe:
    """A pipe that is closed at the end of a ``with``."""

    def __enter__(self) -> Pipe:
        self.reader, self.writer = os.pipe()
        return self

    def __exit__(self, *_exception: object) -> None:
        os.close(self.reader)
        os.close(self.writer)
