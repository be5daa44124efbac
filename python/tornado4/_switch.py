"""One switch for the whole process: `tornado4.install` and `tornado4.uninstall`.

Nothing is imported for it. A framework that is there is switched at once, any other as
soon as it has been imported.
"""

from __future__ import annotations

import functools
import importlib
import sys
import threading
from collections.abc import Callable
from typing import Any

from tornado4 import _imports

__all__ = ["PARTS", "install", "installed", "uninstall"]

PARTS = ("asyncio", "tornado", "twisted", "streams")

_lock = threading.RLock()
# What is installed, and how each of it is undone, in this order.
_installed: dict[str, Callable[[], object]] = {}


def install(**parts: bool) -> None:
    """See `tornado4.install`."""
    with _lock:
        new = [part for part in PARTS if parts[part] and part not in _installed]
        for part in new:
            _installed[part] = _INSTALLERS[part]()
        if new:
            _tell_what_stays(new)


def uninstall() -> None:
    """See `tornado4.uninstall`."""
    with _lock:
        while _installed:
            _, undo = _installed.popitem()
            undo()


def installed() -> frozenset[str]:
    """Return which parts are installed; see `PARTS`."""
    return frozenset(_installed)


def http_is_native() -> bool:
    """Tell whether Tornado's HTTP/1 has been replaced by native functions."""
    return _Streams.http


def streams_are_native() -> bool:
    """Tell whether Tornado's streams have been replaced by native ones."""
    return _Streams.native


# asyncio


class _Asyncio:
    """asyncio makes loops of ours wherever it would choose a loop itself.

    On every version all of its ways (a policy's, `asyncio.Runner`'s without a factory, a
    class that is named) end in a call of its one class of loops, without arguments. So
    that is what is changed, and policies stay what they are, unless one is there that makes
    other loops: then asyncio's own takes its place, and knows the loops that were set.
    """

    def __init__(self) -> None:
        self._class: Any = None
        self._policies: tuple[Any, Any] | None = None
        _imports.when_imported("asyncio.unix_events", self._take)

    def _take(self, module: Any) -> None:
        self._class = stock = module._UnixSelectorEventLoop

        def new(cls: type, *args: object, **kwargs: object) -> Any:
            selector = args[0] if args else kwargs.get("selector")
            if cls is stock and selector is None:
                # The type makes the call that follows, of the `__init__`.
                ours: Any = importlib.import_module("tornado4.platform.asyncio").EventLoop
                return ours.__new__(ours)
            return _new_after(stock, cls, *args, **kwargs)

        stock.__new__ = new
        self._take_policy(module)

    def _take_policy(self, module: Any) -> None:
        events = module.events
        there = getattr(events, "_event_loop_policy", None)
        # Python 3.14 gives the old name a warning.
        default = getattr(module, "_DefaultEventLoopPolicy", None) or getattr(
            module, "DefaultEventLoopPolicy", None
        )
        if there is None or default is None or _makes(there, default):
            return
        mine = default()
        if hasattr(there, "_local"):
            mine._local = there._local
        self._policies = there, mine
        _set_policy(events, mine)

    def undo(self) -> None:
        _imports.forget(self._take)
        if self._class is not None:
            # One of its own must stay: a class whose own is deleted refuses arguments,
            # in every version of CPython so far.
            self._class.__new__ = staticmethod(functools.partial(_new_after, self._class))
        if self._policies is not None:
            there, mine = self._policies
            events = sys.modules["asyncio.events"]
            # What was set since then is somebody's wish.
            if events._event_loop_policy is mine:
                _set_policy(events, there)


def _new_after(stock: type, cls: type, *args: object, **kwargs: object) -> Any:
    """Make an instance as if this class had no `__new__`: by the next one that has."""
    new: Any = super(stock, cls).__new__  # type: ignore[arg-type]
    return new(cls) if new is object.__new__ else new(cls, *args, **kwargs)


def _makes(policy: Any, default: type) -> bool:
    """Tell whether a policy makes asyncio's own loops, in asyncio's own way."""
    return (
        isinstance(policy, default)
        and type(policy).new_event_loop is default.new_event_loop  # type: ignore[attr-defined]
        and policy._loop_factory is default._loop_factory  # type: ignore[attr-defined]
    )


def _set_policy(events: Any, policy: Any) -> None:
    # Python 3.14 gives the public one a warning.
    set_policy = getattr(events, "_set_event_loop_policy", None) or events.set_event_loop_policy
    set_policy(policy)


# Tornado


class _Tornado:
    """Tornado makes IOLoops of ours, for itself and for who asks its factory.

    Ours is loaded by the first who needs an IOLoop. To do it when Tornado is imported would
    be too early: its modules may be on their way still, in this or another thread.
    """

    def __init__(self) -> None:
        self._stock: Any = None
        self._asked: bool | None = None
        _imports.when_imported("tornado.ioloop", self._take)
        _imports.when_imported("tornado4._io_loop", self._take_ours)

    def _take(self, module: Any) -> None:
        self._stock = module.IOLoop
        # What was configured gives way; that is what makes the default come into effect.
        self._configured = module.IOLoop._save_configuration()
        module.IOLoop._restore_configuration((None, None))
        self._default = vars(module.IOLoop)["configurable_default"]
        module.IOLoop.configurable_default = classmethod(lambda cls: self._ours().IOLoop)
        self._current = module.IOLoop.current
        module.IOLoop.current = staticmethod(self._first_current)

    def _ours(self) -> Any:
        return importlib.import_module("tornado4._io_loop")

    def _first_current(self, instance: bool = True) -> Any:
        self._ours()  # which leaves another function in the place of this one
        return self._stock.current(instance)

    def _take_ours(self, ours: Any) -> None:
        if self._stock is None:
            # A loader of somebody's own that can't be followed.
            self._take(sys.modules["tornado.ioloop"])
        stock: Any = self._stock
        if ours.current_of_tornado() == self._first_current:
            # It has been loaded since, and has found this class as it was.
            ours.current_of_tornado(self._current)
        else:
            stock.current = staticmethod(self._current)
        self._asked = ours.has_been_asked_for()
        ours.ask_for_ours()

    def undo(self) -> None:
        _imports.forget(self._take)
        _imports.forget(self._take_ours)
        stock = self._stock
        if stock is None:
            return
        stock.configurable_default = self._default
        configured = stock._save_configuration()[0]
        if self._asked is not None:
            self._ours().ask_for_ours(self._asked)
        elif stock.current == self._first_current:
            stock.current = staticmethod(self._current)
        if configured is None or (self._asked is not None and configured is self._ours().IOLoop):
            stock._restore_configuration(self._configured)


class _Streams:
    """Tornado's streams and its HTTP/1 are the native ones, each as soon as it is there."""

    native = False
    http = False

    def __init__(self) -> None:
        self._undo: dict[str, Callable[[], object]] = {}
        _imports.when_packages_are_complete({"tornado", "tornado4"}, self._take)

    def _take(self) -> None:
        _Streams.native = self._install("tornado.iostream", "tornado4.iostream")
        _Streams.http = self._install("tornado.http1connection", "tornado4.http")

    def _install(self, theirs: str, ours: str) -> bool:
        if ours not in self._undo and theirs in sys.modules:
            module = importlib.import_module(ours)
            self._undo[ours] = module.uninstall
            module.install()
        return ours in self._undo

    def undo(self) -> None:
        _imports.forget(self._take)
        for undo in self._undo.values():
            undo()
        _Streams.native = _Streams.http = False


# Twisted


class _Twisted:
    """Twisted's default reactor, which it makes when nobody has chosen one, is ours."""

    def __init__(self) -> None:
        self._module: Any = None
        self._before: Any = None
        _imports.when_imported("twisted.internet.default", self._take)

    def _take(self, module: Any) -> None:
        self._module, self._before = module, module.install
        module.install = _install_reactor

    def undo(self) -> None:
        _imports.forget(self._take)
        if self._module is not None and self._module.install is _install_reactor:
            self._module.install = self._before


def _install_reactor() -> None:
    """Install a `tornado4.platform.twisted.TornadoReactor`."""
    importlib.import_module("tornado4.platform.twisted").install()


_INSTALLERS: dict[str, Callable[[], Callable[[], object]]] = {
    "asyncio": lambda: _Asyncio().undo,
    "tornado": lambda: _Tornado().undo,
    "twisted": lambda: _Twisted().undo,
    "streams": lambda: _Streams().undo,
}


# What is there already


def _tell_what_stays(parts: list[str]) -> None:
    if "asyncio" in sys.modules and not {"asyncio", "tornado"}.isdisjoint(parts):
        thread = importlib.import_module("tornado4.platform._thread")
        loop = sys.modules["asyncio"]._get_running_loop() or thread.asyncio_loop_of_thread()
        if loop is not None and not loop.is_closed() and not _is_ours(loop):
            _say(
                "%r was made before tornado4.install() and stays the current event loop of "
                "this thread: Tornado goes on using it, and Twisted's reactor will be driven "
                "by it. Call tornado4.install() before anything makes a loop.",
                loop,
            )
    reactor = sys.modules.get("twisted.internet.reactor")
    if reactor is not None and "twisted" in parts and not _is_ours(reactor):
        _say("%r was installed before tornado4.install() and stays Twisted's reactor.", reactor)


def _is_ours(thing: object) -> bool:
    return any(cls.__module__.startswith("tornado4.") for cls in type(thing).__mro__)


def _say(message: str, *args: object) -> None:
    logging = importlib.import_module("logging")
    logging.getLogger("tornado4").info(message, *args)
