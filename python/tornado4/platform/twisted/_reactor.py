"""`TornadoReactor`: Twisted's reactor on the Rust loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet._signals import _MultiSignalHandling
from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.base import DelayedCall, ReactorBase
from twisted.internet.defer import Deferred
from twisted.internet.error import ReactorAlreadyRunning, ReactorNotRestartable
from twisted.internet.interfaces import IDelayedCall, IReactorFDSet
from twisted.internet.posixbase import PosixReactorBase, _ContinuousPolling
from zope.interface import classImplements, implementer

from tornado4 import _core
from tornado4.platform._advice import CLOSED, advise
from tornado4.platform._naming import counted
from tornado4.platform.twisted import _reports
from tornado4.platform.twisted._descriptors import FD_SET, WatchesDescriptors
from tornado4.platform.twisted._hosts import host_of
from tornado4.platform.twisted._transports import Transports
from tornado4.platform.twisted._types import Provides

if TYPE_CHECKING:
    import tornado.ioloop
    from typing_extensions import ParamSpec

    from tornado4.platform.twisted._types import DelayedCallOfOurs, NoSuchAttribute

    _Params = ParamSpec("_Params")

classImplements(_core.DelayedCall, IDelayedCall)
for _name, _value in vars(DelayedCall).items():
    # What Twisted's class has beside the interface.
    if not hasattr(_core.DelayedCall, _name):
        setattr(_core.DelayedCall, _name, _value)

# Methods that the instance takes from its native half directly, unless a
# subclass has its own.
_NATIVE = (
    "callFromThread",
    "callLater",
    "getDelayedCalls",
    "wakeUp",
)

# What a reactor does when it shuts down, in this order.
_SHUTDOWN = (("during", "crash"), ("during", "disconnectAll"), ("after", "_end"))


class _Waker:
    """What `ReactorBase.wakeUp` finds as the reactor's waker.

    The native loop has its own, so there is no pipe to read.
    """

    def __init__(self, native: _core.Reactor) -> None:
        self.wakeUp = native.wakeUp


@implementer(IReactorFDSet)
class TornadoReactor(Transports, WatchesDescriptors, AsyncioSelectorReactor, Provides):  # type: ignore[misc]
    """A Twisted reactor on a Tornado IOLoop.

    ``io_loop`` is the IOLoop to run on: by default the current one, which is made
    if there is none. It may be one of ours or any other, stopped or running; a
    foreign one stays the loop that runs, and drives the reactor. An asyncio loop
    does too. Raises `TypeError` for anything else, `RuntimeError` for a closed
    one.

    The reactor starts when its loop does, whichever way that is started:
    `tornado4.ioloop.IOLoop.start`, `run`, `tornado4.run`. It runs once, as every Twisted reactor,
    unless it is ``restartable``: then it may be `run` again after it stopped.

    A reactor that lives shorter than the process is cleaned up by
    ``reactor.fireSystemEvent("shutdown")``, ``reactor.disconnectAll()`` and
    ``io_loop.close()``. Follows the documentation of Tornado 4.5; the
    interfaces are those of `twisted.internet.posixbase.PosixReactorBase`.
    """

    # A plain class whose native half is in its `__dict__`: test suites move that from one
    # reactor to another.

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoSuchAttribute: ...

    # Where `install` was called: the file and the line.
    _installedAt: tuple[str, int] | None = None

    def __init__(
        self,
        io_loop: tornado.ioloop.IOLoop | asyncio.AbstractEventLoop | None = None,
        *,
        restartable: bool = False,
    ) -> None:
        self._host = host_of(io_loop)
        self._io_loop = self._host.io_loop
        self._asyncioEventloop: Any = self._host.asyncio_loop
        self._core = _core.Reactor(self._host.engine, self, _reports)
        self._continuousPolling = _ContinuousPolling(self)
        self._restartable = restartable
        self._ended = False
        self._startedOnce = False
        self._startedByLoop = False
        self._hostEnds = False
        for name in _NATIVE:
            if getattr(type(self), name) is getattr(TornadoReactor, name):
                setattr(self, name, getattr(self._core, name))
        own = [n for n in FD_SET if getattr(type(self), n) is not getattr(TornadoReactor, n)]
        self._ownFDSet = bool(own)
        self._noteWrapper()
        self._noteClock()
        # Past AsyncioSelectorReactor: its state is what the native half replaces.
        PosixReactorBase.__init__(self)
        self.addSystemEventTrigger("after", "shutdown", self._end)
        self._host.when_started(self._startWithLoop)
        self._host.at_end(self._shutDownWithLoop)
        self._host.at_close(self._stopThreads)

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        # Of its own class, which may be another by now: Twisted's tests change `__class__`.
        TornadoReactor._noteOwn(self, name)

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        TornadoReactor._noteOwn(self, name)

    def _noteOwn(self, name: str) -> None:
        """Let the native half know that a method of this name was put on, or taken off."""
        if name in FD_SET:
            self._core.setOwnFDSet(self._hasOwnFDSet)
        elif name == "runUntilCurrent":
            self._noteWrapper()
        elif name == "seconds":
            self._noteClock()

    def _noteClock(self) -> None:
        """Let the native half know whether `seconds` is somebody's own."""
        self._core.setOwnClock(self.seconds is not TornadoReactor.seconds)

    def _noteWrapper(self) -> None:
        """Let the loop know whether `runUntilCurrent` is somebody's own."""
        own = getattr(self.runUntilCurrent, "__func__", None) is not _RUN_UNTIL_CURRENT
        self._core.setWrapped(own and not self._ended)

    def __repr__(self) -> str:
        name = type(self).__name__
        if "_core" not in self.__dict__:
            return f"<{name} not initialized>"
        loop = self._asyncioEventloop
        if loop.is_closed():
            state = "on closed"
        elif self._started:
            state = "running on"
        else:
            state = "stopped on" if self._ended else "not running on"
        counts = (
            counted(len(self.getReaders()), "reader"),
            counted(len(self.getWriters()), "writer"),
            counted(len(self.getDelayedCalls()), "delayed call"),
        )
        return f"<{name} {state} {type(loop).__name__}, {', '.join(counts)}>"

    # IReactorTime

    seconds = staticmethod(_core.Reactor.seconds)

    def callLater(
        self,
        delay: float,
        callable: Callable[_Params, object],
        *args: _Params.args,
        **kw: _Params.kwargs,
    ) -> DelayedCallOfOurs:
        """See `IReactorTime.callLater`. ``delay`` is in seconds.

        What is returned is an instance of `twisted.internet.base.DelayedCall` to
        `isinstance`. Raises `AssertionError` for a delay that is negative or NaN.
        """
        call: Any = self._core.callLater(delay, callable, *args, **kw)
        return call  # type: ignore[no-any-return]

    def getDelayedCalls(self) -> Sequence[DelayedCallOfOurs]:
        """See `IReactorTime.getDelayedCalls`."""
        calls: Any = self._core.getDelayedCalls()
        return calls  # type: ignore[no-any-return]

    # IReactorFromThreads, and the waker

    def callFromThread(  # type: ignore[override]
        self, f: Callable[_Params, object], *args: _Params.args, **kwargs: _Params.kwargs
    ) -> None:
        """See `IReactorFromThreads.callFromThread`: call ``f`` in the loop, from any thread."""
        self._core.callFromThread(f, *args, **kwargs)

    def installWaker(self) -> None:
        """Do nothing but show a waker: the loop has one."""
        self.waker = _Waker(self._core)

    def wakeUp(self) -> None:
        """Wake the loop up, from any thread."""
        self._core.wakeUp()

    # Running

    def startRunning(self, installSignalHandlers: bool = True) -> None:
        """Start, as `IReactorCore.run` does before it runs.

        Startup triggers already see the running asyncio loop. Raises
        `ReactorAlreadyRunning` or `ReactorNotRestartable`, and `RuntimeError` when
        the loop is closed.
        """
        if self._asyncioEventloop.is_closed():
            error = RuntimeError("Event loop is closed")
            advise(error, CLOSED)
            raise error
        if self._ended and self._restartable:
            self._ended = False
            self._startedBefore = False
            # The last shutdown has used them up.
            for phase, trigger in _SHUTDOWN:
                self.addSystemEventTrigger(phase, "shutdown", getattr(self, trigger))
        self._startedOnce = True
        self._host.attach()
        self._core.setHostDebug(self._asyncioEventloop.get_debug())
        self._core.resume()
        self._noteWrapper()
        before = asyncio._get_running_loop()
        asyncio._set_running_loop(self._asyncioEventloop)
        try:
            super().startRunning(installSignalHandlers=installSignalHandlers)
        finally:
            asyncio._set_running_loop(before)

    def run(self, installSignalHandlers: bool = True) -> None:
        """See `IReactorCore.run`.

        SIGINT and SIGTERM stop the reactor unless ``installSignalHandlers`` is false, as it
        has to be on any other thread than the main one. In a running loop the reactor
        starts by itself, and this raises `RuntimeError` before anything is started. Raises
        Twisted's `ReactorAlreadyRunning` and `ReactorNotRestartable`, the latter after the
        reactor has stopped unless it is ``restartable``.
        """
        if self._started:
            raise ReactorAlreadyRunning(
                "reactor.run() was called while the reactor runs: it goes on by itself when "
                "this callback, or coroutine, has returned"
            )
        if self._startedBefore and not (self._ended and self._restartable):
            raise ReactorNotRestartable(
                "the reactor ran and was stopped, and runs once only. Make it by "
                "install(restartable=True), or use "
                "tornado4.platform.twisted.run_once(function), which makes one for each call"
            )
        if not self._asyncioEventloop.is_closed():
            self._host.check_can_run()
        self._startedByLoop = False
        self._core.letInterruptsThrough(False)
        ReactorBase.run(self, installSignalHandlers=installSignalHandlers)

    def mainLoop(self) -> None:
        """Run the loop until the reactor, or the loop, is stopped.

        What a signal handler raises is logged, as by every Twisted reactor. Any other
        error is raised, and the reactor may be run again.
        """
        while self._started:
            try:
                self._host.run()
                break
            except BaseException as error:
                if not self._host.may_go_on(error):
                    ReactorBase.crash(self)
                    self._endThreadsAtExit()
                    raise
                _reports.main_loop(error)
        _reports.main_loop_terminated()

    def _endThreadsAtExit(self) -> None:
        """Let the process end, although the shutdown that ends the threads never came."""

        def stop() -> None:
            if not self._started:
                self._stopThreads()

        # It comes before the interpreter waits for threads, which `atexit` doesn't.
        with contextlib.suppress(RuntimeError):  # that is the end already
            threading._register_atexit(stop)  # type: ignore[attr-defined]

    def iterate(self, delay: float = 0.0) -> None:
        """See `IReactorCore.iterate`. May be called while the loop runs."""
        self._host.iterate(delay)

    def doIteration(self, delay: float | None) -> None:
        """Make one iteration, waiting at most ``delay`` seconds, None: for ever."""
        self._host.iterate(delay)

    def timeout(self) -> float | None:
        """Return the seconds until there is something to do, None for never."""
        return self._core.timeout()

    def runUntilCurrent(self) -> None:
        """Run what is due, without waiting.

        Where it is overridden, on the class or the object, the loop makes the calls of
        each iteration by way of this.
        """
        if self._core.runCalls():
            return
        self._core.setWrapped(False)  # whoever wraps this is at work already
        try:
            self._host.iterate(0.0)
        finally:
            self._noteWrapper()
        self._fireShutdown()

    def stop(self) -> None:
        """See `IReactorCore.stop`.

        A loop that was running before the reactor was made goes on, and so does a
        foreign one that `run` didn't start.
        """
        ReactorBase.stop(self)
        self._core.callAtEndOfTurn(self._fireShutdown)

    def crash(self) -> None:
        """See `IReactorCore.crash`: stop at once, without shutdown triggers."""
        ReactorBase.crash(self)
        if not self._hostEnds:
            self._host.stop()

    def _fireShutdown(self) -> None:
        if self._justStopped:
            self._justStopped = False
            self.fireSystemEvent("shutdown")

    def _end(self) -> None:
        """Leave the loop, after everything else of the shutdown."""
        self._ended = True
        if self._startedByLoop:
            self._signals.uninstall()
        if self._host.goes_on():
            self._core.rest()
        self._host.detach()
        self._core.setWrapped(False)

    def _startWithLoop(self) -> None:
        """Start the reactor if the loop was started by other means than `run`.

        Then SIGINT and SIGTERM are the application's own business.
        """
        # One that was cleaned up before has nothing to start.
        if not (self._startedOnce or self._ended):
            self._startedByLoop = True
            self._core.letInterruptsThrough(True)
            on_main_thread = threading.current_thread() is threading.main_thread()
            self.startRunning(installSignalHandlers=on_main_thread)

    def _stopThreads(self) -> None:
        # They would keep the process from ending.
        if self.threadpool is not None:
            self._stopThreadPool()

    async def _shutDownWithLoop(self) -> None:
        """Shut the reactor down because its loop is about to be closed."""
        if not self._started:
            return
        self._hostEnds = True
        finished: Deferred[None] = Deferred()
        self.addSystemEventTrigger("after", "shutdown", finished.callback, None)
        if not self._stopped:
            ReactorBase.stop(self)
        self._fireShutdown()
        await finished.asFuture(self._asyncioEventloop)

    # Signals

    def _signalsFactory(self) -> Any:
        children = self._host.child_signals()
        if self._startedByLoop:
            return _MultiSignalHandling((children,))
        return _MultiSignalHandling((ReactorBase._signalsFactory(self), children))


# What it is unless somebody has put another in its place.
_RUN_UNTIL_CURRENT = TornadoReactor.runUntilCurrent
