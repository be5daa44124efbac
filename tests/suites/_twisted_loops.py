"""IOLoops on Twisted reactors that Tornado can make without arguments, and close.

A program has one `TwistedIOLoop`, on a reactor that was there before.  Tornado's tests
make an IOLoop each, so these bring a reactor of their own and take it along.
"""

from __future__ import annotations

from typing import Any

from _reactors import dispose
from twisted.internet.epollreactor import EPollReactor

from tornado4.ioloop import IOLoop
from tornado4.platform.twisted import TornadoReactor, TwistedIOLoop

_created = 0


def created() -> int:
    """Return how many of these IOLoops this process has constructed."""
    return _created


class _Counted(TwistedIOLoop):
    def initialize(self, *args: Any, **kwargs: Any) -> None:
        global _created
        super().initialize(*args, **kwargs)
        _created += 1


class LayeredTwistedIOLoop(_Counted):
    """Tornado on Twisted on Tornado, like that of Tornado 4.5's own tests."""

    def initialize(self, asyncio_loop: Any = None, **kwargs: Any) -> None:
        self.real_io_loop = IOLoop(make_current=False, asyncio_loop=asyncio_loop)
        super().initialize(TornadoReactor(self.real_io_loop), **kwargs)

    def close(self, all_fds: bool = False) -> None:
        super().close(all_fds)
        dispose(self.reactor)
        self.real_io_loop.close(all_fds)


class EpollTwistedIOLoop(_Counted):
    """Tornado on Twisted's own reactor."""

    def initialize(self, **kwargs: Any) -> None:
        super().initialize(EPollReactor(), **kwargs)

    def close(self, all_fds: bool = False) -> None:
        if not self.closing:
            super().close(all_fds)
            dispose(self.reactor)
