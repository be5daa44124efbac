"""What ``python -m tornado4 --top`` prints: the numbers of the program's loops."""

from __future__ import annotations

import itertools
import os
import signal
import sys
import threading
import time
from typing import Any
from weakref import WeakKeyDictionary

from tornado4._children import at_end
from tornado4._metrics import Measured, Metrics, engine_of
from tornado4.platform import _forgotten

__all__ = ["begin"]

# How many of the loops that have ended are told of at the end: those with the most turns.
_MOST = 10

# The loops that are there, and what was measured of each when it was told of last.
_loops: WeakKeyDictionary[Any, tuple[float, Measured]] = WeakKeyDictionary()
# The names and the numbers of those that have ended.
_ended: dict[int, tuple[str, Measured]] = {}
_numbers = itertools.count()


def begin(how: str) -> None:
    """Measure every loop that is made from now on, and print the numbers.

    ``how`` is every how many seconds that is, or the name of a signal. At the end it is
    done in any case.
    """
    _forgotten.when_made(_made)
    if how[:1].isalpha():
        number = signal.Signals[f"SIG{how.upper().removeprefix('SIG')}"]
        signal.signal(number, lambda *_: _say())
        signal.siginterrupt(number, False)
    else:
        seconds = float(how)
        _every(seconds)
        os.register_at_fork(after_in_child=lambda: _every(seconds))
    os.register_at_fork(after_in_child=_ended.clear)
    at_end(_say)


def _say() -> None:
    _print(_tables())


def _made(loop: Any) -> None:
    metrics = Metrics(engine_of(loop))
    metrics.start()
    _loops[loop] = time.monotonic(), metrics.read()
    if hasattr(loop, "_at_close"):
        loop._at_close.append(lambda: _closed(loop, metrics))


def _closed(loop: Any, metrics: Metrics) -> None:
    # Loops end in several threads at once, or in a signal's handler: each step is a single
    # one, and no lock is held.
    _loops.pop(loop, None)
    _ended[next(_numbers)] = _name(type(loop)), metrics.read()
    while len(_ended) > _MOST:
        number, _ = min(list(_ended.items()), key=_turns)
        _ended.pop(number, None)


def _turns(ended: tuple[int, tuple[str, Measured]]) -> int:
    return ended[1][1].turns


def _loops_now() -> list[Any]:
    """Return the loops that are there, whatever other threads make or end."""
    loops = [reference() for reference in _loops.keyrefs()]
    # In a forked child the parent tells of its own.
    return [loop for loop in loops if not getattr(loop, "_is_parents", loop is None)]


def _every(seconds: float) -> None:
    def tell() -> None:
        while True:
            time.sleep(seconds)
            _print([_line(loop) for loop in _loops_now()])

    # A thread: it tells of a loop that hangs, too.
    threading.Thread(target=tell, name="tornado4-top", daemon=True).start()


def _line(loop: Any) -> str:
    """Return what a loop has done since it was told of last."""
    metrics = Metrics(engine_of(loop))
    now, measured = time.monotonic(), metrics.read()
    before, last = _loops.get(loop) or (now, measured)
    _loops[loop] = now, measured
    over = max(now - before, 1e-9)
    done = measured.since(last)

    def rate(number: float) -> str:
        return _short(number / over)

    return (
        f"{_name(type(loop))}: {done.worked / over:.0%} busy, {rate(done.turns)} turns/s, "
        f"{rate(sum(done.calls.values()))} calls/s, lag {done.lag_p50 * 1e3:.2f} "
        f"{done.lag_p99 * 1e3:.2f} {done.lag_max * 1e3:.2f} ms (p50 p99 max), "
        f"in {rate(done.received)}B/s, out {rate(done.sent)}B/s, "
        f"{rate(done.accepted)} accepted/s, {done.descriptors} fds, {done.timers} timers"
    )


def _short(number: float) -> str:
    for unit in ("", "k", "M"):
        if number < 1_000:
            return f"{number:.0f}{unit}" if number >= 10 or not unit else f"{number:.1f}{unit}"
        number /= 1_000
    return f"{number:.1f}G"


def _tables() -> list[str]:
    """Return what each loop has done in its life."""
    now = [(_name(type(loop)), Metrics(engine_of(loop)).read()) for loop in _loops_now()]
    most = sorted(_ended.items(), key=_turns, reverse=True)
    ended = [(name, measured) for _, (name, measured) in most if measured.turns]
    return [f"{name}\n{measured}" for name, measured in now + ended]


def _print(lines: list[str]) -> None:
    head = f"tornado4 [{os.getpid()}] "
    text = "".join(f"{head}{line}\n" for line in lines)
    if text:
        # Twisted's log may have the other one.
        print(text, end="", file=sys.__stderr__ or sys.stderr, flush=True)


def _name(cls: type) -> str:
    return "reactor" if cls.__name__ == "ForeignLoop" else cls.__qualname__
