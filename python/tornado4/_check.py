"""What ``python -m tornado4 --check`` prints: on what a program has run in the end."""

from __future__ import annotations

import functools
import os
import sys
import threading
from collections import Counter
from typing import Any
from weakref import WeakSet

from tornado4 import _imports, _switch
from tornado4._children import at_end

__all__ = ["begin", "report"]

# How many loops of a class have run in a thread of a name.
_loops: Counter[tuple[str, str]] = Counter()
# Those that are counted.
_seen: WeakSet[Any] = WeakSet()
# The classes of the IOLoops that belonged to such loops.
_io_loops: Counter[str] = Counter()


def begin(if_used: bool) -> None:
    """Note which loops run from now on, and print what has run when the process ends.

    With ``if_used``, and in a forked child, only if anything has.
    """
    _imports.when_imported("asyncio.events", _follow)
    # What is registered first comes last.
    at_end(functools.partial(_say, 0 if if_used else os.getpid()))
    os.register_at_fork(after_in_child=_forget)


def _forget() -> None:
    """Begin anew: this is a forked child, and what has run so far was its parent's."""
    _loops.clear()
    _io_loops.clear()
    _seen.clear()


def _say(always: int) -> None:
    """Print it, in the process of that number even if nothing has run."""
    if _loops or os.getpid() == always:
        # Twisted's log has the other one, and may have ended.
        print(report(), file=sys.__stderr__ or sys.stderr, flush=True)


def _follow(events: Any) -> None:
    # Whatever runs, and be it written in C, sets itself as the running loop by this name.
    original = events._set_running_loop

    @functools.wraps(original)
    def set_running_loop(loop: Any) -> None:
        ended = events._get_running_loop()
        original(loop)
        if loop is None:
            _note_io_loop(ended)
        elif loop not in _seen:
            _seen.add(loop)
            _loops[_name(type(loop)), threading.current_thread().name] += 1

    for module in (events, sys.modules.get("asyncio")):
        if hasattr(module, "_set_running_loop"):
            module._set_running_loop = set_running_loop  # type: ignore[union-attr]


def _note_io_loop(loop: Any) -> None:
    ioloop = sys.modules.get("tornado.ioloop")
    if ioloop is not None and loop is not None:
        # Not by the subscript, which makes one.
        found = ioloop.IOLoop._ioloop_for_asyncio.get(loop)
        if found is not None:
            _io_loops[_name(type(found))] += 1


def report() -> str:
    """Return what has been noted so far."""
    lines = [f"tornado4: process {os.getpid()} has run on"]
    lines += _lines("event loop", [_counted(*each) for each in sorted(_loops.items())])
    lines += _lines("IOLoop", [_marked(name) for name in sorted(_io_loops)])
    lines += _lines("reactor", _reactor())
    lines += _lines("streams", [_streams()])
    lines += _lines("HTTP/1", _http("http1connection"))
    websocket = _http("websocket")
    if websocket:
        lines += _lines("WebSocket", websocket)
    return "\n".join(lines)


def _lines(name: str, values: list[str]) -> list[str]:
    heads = [name, *[""] * len(values)]
    return [f"  {head:<12}{value}" for head, value in zip(heads, values or ["none"], strict=False)]


def _counted(key: tuple[str, str], loops: int) -> str:
    name, thread = key
    several = "" if loops == 1 else f"{loops} of them "
    return f"{_marked(name)}, {several}in {thread}"


def _marked(name: str) -> str:
    return name if name.startswith("tornado4.") else f"{name} (not tornado4's)"


def _reactor() -> list[str]:
    reactor: Any = sys.modules.get("twisted.internet.reactor")
    if reactor is None:
        return []
    text = _marked(_name(type(reactor)))
    loop = getattr(reactor, "_asyncioEventloop", None)
    if loop is not None:
        text += f" on {_name(type(loop))}"
    # The reactor itself notes only that it was stopped; it may run still, or have crashed.
    threadable = sys.modules.get("twisted.python.threadable")
    never = getattr(threadable, "ioThread", None) is None
    return [f"{text}, never started" if never else text]


def _streams() -> str:
    if "tornado.iostream" not in sys.modules:
        return "none"
    return "native" if _switch.streams_are_native() else "Tornado's own"


def _http(module: str) -> list[str]:
    if f"tornado.{module}" not in sys.modules:
        return []
    if not _switch.http_is_native():
        return ["Tornado's own"]
    stock = {
        name: reason
        for name, reason in sys.modules["tornado4.http"].reasons().items()
        if name.startswith("tornado.websocket.") == (module == "websocket")
    }
    return [
        "native, but for these:" if stock else "native",
        *(f"{name}: {reason}" for name, reason in stock.items()),
    ]


def _name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
