"""What a loop does, in numbers: `tornado4.metrics`."""

from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from tornado4 import _core
from tornado4.platform import _forgotten
from tornado4.platform._naming import make_public
from tornado4.platform._thread import asyncio_loop_of_thread

__all__ = ["Measured", "Metrics", "metrics"]


class Measured(NamedTuple):
    """What a loop has done since it is measured, and what it holds now. Times in seconds."""

    turns: int
    """How many iterations it has made."""
    calls: dict[str, int]
    """How many calls it has made of each kind: ``asyncio`` (callbacks, timers, watchers),
    ``asyncio_transports`` (their steps), ``tornado`` (callbacks), ``tornado_timers``,
    ``twisted_threads`` (``callFromThread``), ``twisted_timers`` (``callLater``) and
    ``descriptors`` (one was ready: of a native transport, or watched by Tornado or Twisted)."""
    descriptors: int
    """How many descriptors it watches now."""
    timers: int
    """How many timers are set now."""
    ready: int
    """How many calls wait to be made now."""
    received: int
    """How many bytes native transports and streams have received: of TLS, of the cipher. What
    Tornado's TLS streams receive isn't in it, nor what they send: OpenSSL itself does that."""
    sent: int
    """How many bytes they have sent. Of what a Tornado stream writes, what the kernel doesn't
    take at once isn't in it: Tornado's own code sends that."""
    accepted: int
    """How many connections they have accepted."""
    waited: float
    """How long it has waited for something to do."""
    worked: float
    """How long it has made calls."""
    longest_call: float
    """The longest call; of short ones, up to eight are measured as one."""
    lag_p50: float
    """How long the work of an iteration takes, which is what something that becomes ready
    meanwhile has to wait for: half of the iterations took no longer. To an eighth."""
    lag_p99: float
    """Of a hundred iterations 99 took no longer. To an eighth."""
    lag_max: float
    """None took longer."""
    lag_counts: dict[float, int]
    """How many iterations took at most so long, and longer than the number before it: the
    histogram behind these numbers, without what is empty."""

    @property
    def busy(self) -> float:
        """The part of the time in which it made calls, from 0 to 1."""
        time = self.waited + self.worked
        return self.worked / time if time else 0.0

    def since(self, earlier: Measured) -> Measured:
        """Return what was done since an earlier reading of the same loop.

        What it holds now, and the longest call, are those of this one.
        """
        counts = {
            longest: count - earlier.lag_counts.get(longest, 0)
            for longest, count in self.lag_counts.items()
        }
        counts = {longest: count for longest, count in counts.items() if count > 0}
        return Measured(
            turns=self.turns - earlier.turns,
            calls={kind: n - earlier.calls[kind] for kind, n in self.calls.items()},
            descriptors=self.descriptors,
            timers=self.timers,
            ready=self.ready,
            received=self.received - earlier.received,
            sent=self.sent - earlier.sent,
            accepted=self.accepted - earlier.accepted,
            waited=self.waited - earlier.waited,
            worked=self.worked - earlier.worked,
            longest_call=self.longest_call,
            lag_p50=min(_quantile(counts, 0.5), self.lag_max),
            lag_p99=min(_quantile(counts, 0.99), self.lag_max),
            lag_max=min(max(counts, default=0.0), self.lag_max),
            lag_counts=counts,
        )

    def __str__(self) -> str:
        """Return a table."""
        calls = ", ".join(f"{n:,} {kind}" for kind, n in self.calls.items() if n) or "none"
        lines = {
            "turns": f"{self.turns:,}",
            "calls": calls,
            "time": f"{self.worked:.3f} s working, {self.waited:.3f} s waiting "
            f"({self.busy:.0%} busy)",
            "longest call": f"{self.longest_call * 1e3:.3f} ms",
            "lag": f"{self.lag_p50 * 1e3:.3f} ms median, {self.lag_p99 * 1e3:.3f} ms p99, "
            f"{self.lag_max * 1e3:.3f} ms max",
            "bytes": f"{self.received:,} received, {self.sent:,} sent",
            "connections": f"{self.accepted:,} accepted",
            "now": f"{self.descriptors:,} descriptors, {self.timers:,} timers, "
            f"{self.ready:,} calls ready",
        }
        return "\n".join(f"  {name:<14}{text}" for name, text in lines.items())


def _quantile(counts: dict[float, int], part: float) -> float:
    wanted, seen = math.ceil(sum(counts.values()) * part), 0
    for longest in sorted(counts):
        seen += counts[longest]
        if seen >= wanted:
            return longest
    return 0.0


class Metrics:
    """The numbers of a loop, which is measured as long as nobody says `stop`."""

    def __init__(self, loop: _core.EventLoop) -> None:
        self._loop = loop
        self._internal: int = getattr(loop, "_internal_fds", 0)

    def __repr__(self) -> str:
        return f"<Metrics of {self._loop!r}>"

    def read(self) -> Measured:
        """Return the numbers. Any thread may ask, also when the loop is closed."""
        measured = self._loop._measured()
        measured["descriptors"] = max(measured["descriptors"] - self._internal, 0)
        measured["timers"] = max(measured["timers"] - _forgotten.timers_of(self._loop), 0)
        return Measured(**measured)

    def reset(self) -> None:
        """Begin to count anew, from zero."""
        self._loop._measure_anew()

    def stop(self) -> None:
        """Measure no more; `start` goes on."""
        self._loop._measure(False)

    def start(self) -> None:
        """Measure from now on; it is so at first. Idempotent."""
        self._loop._measure(True)

    def on_tick(self, tick: Callable[[float, float], object] | None) -> None:
        """Have a function called at the end of each iteration, or none any more.

        It is given how many seconds the iteration has waited, and how many it has worked.
        What it raises is reported by `sys.unraisablehook`, but for what ends the loop, such
        as `KeyboardInterrupt`. A loop has one such function; another one replaces it.
        Raises `TypeError` for what isn't callable.
        """
        if tick is not None and not callable(tick):
            raise TypeError(f"not callable: {tick!r}")
        self._loop._set_tick(tick)


# Users find them in the package.
make_public("tornado4", ["Measured", "Metrics"], globals())


def metrics(loop: object = None) -> Metrics:
    """See `tornado4.metrics`."""
    engine = engine_of(_current() if loop is None else loop)
    engine._measure(True)
    return Metrics(engine)


def engine_of(loop: Any) -> _core.EventLoop:
    """Return the native loop of a loop, an IOLoop or a reactor. Raises `TypeError`."""
    for name in ("asyncio_loop", "_host", "engine"):
        if isinstance(loop, _core.EventLoop):
            break
        # An IOLoop has the first; a reactor the second, which has the third.
        loop = getattr(loop, name, loop)
    if not isinstance(loop, _core.EventLoop):
        raise TypeError(
            f"not a loop, IOLoop or reactor of tornado4: {loop!r}. Only these can be measured: "
            "run the program by tornado4.run(), after tornado4.install(), or by python -m tornado4."
        )
    return loop


def _current() -> Any:
    loop = asyncio._get_running_loop() or asyncio_loop_of_thread()
    if loop is None or loop.is_closed():
        loop = sys.modules.get("twisted.internet.reactor")
    if loop is None:
        raise RuntimeError(
            "no loop runs or is current in this thread: call metrics() in a coroutine or a "
            "callback, or give it the loop"
        )
    return loop
