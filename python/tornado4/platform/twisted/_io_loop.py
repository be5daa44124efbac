"""`TwistedIOLoop`: a Tornado IOLoop on a Twisted reactor."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import tornado.ioloop
from twisted.internet.interfaces import IReactorFDSet, IReactorTime

from tornado4._io_loop import IOLoop
from tornado4.platform.asyncio import EventLoop
from tornado4.platform.twisted._reactor_loop import ReactorEventLoop


class TwistedIOLoop(IOLoop):
    """A Tornado IOLoop that runs on a Twisted reactor.

    ``reactor`` is any reactor with IReactorFDSet and IReactorTime, by default the
    global one. On a `TornadoReactor` it works on the same loop; another reactor
    drives a loop of its own, so that Tornado 6 and asyncio code run on it. Raises
    `TypeError` for what is no such reactor.

    The documented use is ``TwistedIOLoop().install()``, then ``reactor.run()``.
    `start` runs the reactor too, and `stop` leaves it so that it can be run
    again. Whatever else an IOLoop has is `tornado4.ioloop.IOLoop`'s. Follows the
    documentation of Tornado 4.5.
    """

    reactor: Any

    if TYPE_CHECKING:

        def __init__(
            self, reactor: Any = None, make_current: bool | None = None, **kwargs: Any
        ) -> None: ...

    def initialize(  # type: ignore[override]
        self, reactor: Any = None, make_current: bool | None = None, **kwargs: Any
    ) -> None:
        """Set the loop up; a subclass extends this and not ``__init__``."""
        if reactor is None:
            from twisted.internet import reactor
        if not (IReactorFDSet.providedBy(reactor) and IReactorTime.providedBy(reactor)):
            raise TypeError(f"not a reactor with file descriptors and timers: {reactor!r}")
        self.reactor = reactor
        loop = getattr(reactor, "_asyncioEventloop", None)
        self._shares_loop = isinstance(loop, EventLoop)
        self._stands_in_for: tornado.ioloop.IOLoop | None = None
        if not self._shares_loop:
            loop = ReactorEventLoop(reactor)
        elif loop in tornado.ioloop.IOLoop._ioloop_for_asyncio:
            self._stands_in_for = tornado.ioloop.IOLoop._ioloop_for_asyncio.pop(loop)
        try:
            super().initialize(make_current=make_current, asyncio_loop=loop, **kwargs)
        except BaseException:
            self._leave(loop)
            raise

    def __repr__(self) -> str:
        said = super().__repr__()
        reactor = getattr(self, "reactor", None)
        return said if reactor is None else f"{said[:-1]}, on {type(reactor).__name__}>"

    def start(self) -> None:
        """Run the reactor until it, or this loop, is stopped.

        If `stop` was called before, return at once. Raises Twisted's
        `ReactorNotRestartable` after the reactor was stopped for good.
        """
        loop: Any = self.asyncio_loop
        if not self._shares_loop or loop._stopping or self.reactor.running:
            super().start()
            return
        on_main_thread = threading.current_thread() is threading.main_thread()
        self.reactor.run(installSignalHandlers=on_main_thread)

    def stop(self) -> None:
        """Stop the loop, and the reactor so that it can be run again.

        If neither runs, the next `start` returns at once.
        """
        if self._shares_loop and self.asyncio_loop.is_running() and self.reactor.running:
            self.reactor.crash()
        super().stop()

    def close(self, all_fds: bool = False) -> None:
        """Close the loop; the reactor goes on, without what was added here.

        With ``all_fds`` every descriptor that has a handler is closed too.
        Raises `RuntimeError` during an iteration of a loop of its own; idempotent.
        """
        if not self._shares_loop:
            super().close(all_fds)
            return
        if self.closing:
            return
        self.closing = True
        self._drop_calls()
        self._let_go(all_fds)
        self._leave(self.asyncio_loop)

    def _leave(self, loop: Any) -> None:
        loops = tornado.ioloop.IOLoop._ioloop_for_asyncio
        while isinstance(self._stands_in_for, TwistedIOLoop) and self._stands_in_for.closing:
            self._stands_in_for = self._stands_in_for._stands_in_for
        if not self._shares_loop:
            loop.close()
        elif loops.get(loop) in (self, None) and self._stands_in_for is not None:
            loops[loop] = self._stands_in_for
        elif loops.get(loop) is self:
            del loops[loop]
