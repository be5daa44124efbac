"""One event loop, written in Rust, for Twisted, Tornado and asyncio.

Importing this package imports neither Twisted nor Tornado and installs
nothing. See `tornado4.platform.twisted` for the reactor, `tornado4.ioloop` for
the IOLoop and `tornado4.platform.asyncio` for the asyncio loop.

Every other module of the installed Tornado has a name here too: ``tornado4.web`` is
``tornado.web``, imported when it is first asked for. `version` and `version_info` are
those of the installed Tornado, for code that asks which one it has; `__version__` is that
of this package.
"""

from __future__ import annotations

from collections.abc import Coroutine
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from tornado4 import _alias

if TYPE_CHECKING:
    from tornado import version as version
    from tornado import version_info as version_info

    from tornado4 import auth as auth
    from tornado4 import autoreload as autoreload
    from tornado4 import concurrent as concurrent
    from tornado4 import curl_httpclient as curl_httpclient
    from tornado4 import escape as escape
    from tornado4 import gen as gen
    from tornado4 import http as http
    from tornado4 import http1connection as http1connection
    from tornado4 import httpclient as httpclient
    from tornado4 import httpserver as httpserver
    from tornado4 import httputil as httputil
    from tornado4 import ioloop as ioloop
    from tornado4 import iostream as iostream
    from tornado4 import locale as locale
    from tornado4 import locks as locks
    from tornado4 import log as log
    from tornado4 import netutil as netutil
    from tornado4 import options as options
    from tornado4 import platform as platform
    from tornado4 import process as process
    from tornado4 import queues as queues
    from tornado4 import routing as routing
    from tornado4 import simple_httpclient as simple_httpclient
    from tornado4 import speedups as speedups
    from tornado4 import tcpclient as tcpclient
    from tornado4 import tcpserver as tcpserver
    from tornado4 import template as template
    from tornado4 import testing as testing
    from tornado4 import util as util
    from tornado4 import web as web
    from tornado4 import websocket as websocket
    from tornado4 import wsgi as wsgi
    from tornado4._metrics import Measured as Measured
    from tornado4._metrics import Metrics as Metrics
    from tornado4._tls import TLSEngine as TLSEngine
    from tornado4.platform.asyncio import EventLoop

__all__ = [
    "Measured",
    "Metrics",
    "TLSEngine",
    "__version__",
    "install",
    "metrics",
    "new_event_loop",
    "run",
    "tls_engine",
    "uninstall",
]

__version__ = "0.1.0"

_T = TypeVar("_T")

_alias.install()

# Classes of what functions below return, for annotations. Each loads what it is about.
_CLASSES = {"Measured": "_metrics", "Metrics": "_metrics", "TLSEngine": "_tls"}

if not TYPE_CHECKING:
    # Hidden, so that a type checker still finds a misspelt name.
    def __getattr__(name: str) -> Any:
        if name in _CLASSES:
            return getattr(import_module(f"tornado4.{_CLASSES[name]}"), name)
        return _alias.attribute(name)


def __dir__() -> list[str]:
    return sorted({*__all__, *_alias.NAMES})


def install(
    *, asyncio: bool = True, tornado: bool = True, twisted: bool = True, streams: bool = True
) -> None:
    """Have everything that this process makes from now on be on our loop.

    Call it before the program makes loops; before or after it imports the frameworks.
    Nothing is imported by it, and what is there already stays. Each argument leaves a part
    out when it is false:

    ``asyncio``
        `asyncio.run`, `asyncio.Runner`, `asyncio.new_event_loop`, a policy and
        ``asyncio.SelectorEventLoop()`` make a `tornado4.platform.asyncio.EventLoop`. Not
        who gives a factory of another loop, or a selector. A policy that makes other loops
        (uvloop's) gives way to asyncio's own; one that is set later doesn't.
    ``tornado``
        `tornado.ioloop.IOLoop` is configured to make a `tornado4.ioloop.IOLoop`, and
        ``IOLoop.current()`` makes one where the thread has none.
    ``twisted``
        ``from twisted.internet import reactor`` installs ours, unless one is installed,
        as by ``epollreactor.install()``.
    ``streams``
        Tornado's streams read and write natively, and so does its HTTP/1; see
        `tornado4.iostream.install` and `tornado4.http.install`.

    Calls don't nest: a second one adds the parts that were left out, and one `uninstall`
    undoes all of them. Any thread may call it, at any time; a loop that runs goes on. If
    a loop or a reactor of others is current already, the logger ``tornado4`` says so at
    level INFO: Twisted's reactor will be a guest of such a loop.
    """
    from tornado4._switch import install

    install(asyncio=asyncio, tornado=tornado, twisted=twisted, streams=streams)


def uninstall() -> None:
    """Undo `install`, for what is made from now on; idempotent.

    Loops, IOLoops and a reactor that were made stay as they are. What the program has set
    since then, such as a policy, isn't touched.
    """
    from tornado4._switch import uninstall

    uninstall()


def new_event_loop() -> EventLoop:
    """Make a new asyncio event loop, as `asyncio.new_event_loop` does.

    It is a `tornado4.platform.asyncio.EventLoop`, and isn't set as the thread's current
    one. To be given to `asyncio.run` (from Python 3.12 on) or `asyncio.Runner` (3.11) as
    ``loop_factory``. Raises `OSError` when the process has no file descriptors left.
    """
    from tornado4.platform.asyncio import EventLoop

    return EventLoop()


def run(main: Coroutine[Any, Any, _T], *, debug: bool | None = None) -> _T:
    """Run a coroutine on the Rust loop and return its result.

    Like `asyncio.run`, in every version of Python: tasks that are left are cancelled, and
    the loop is closed at the end; Ctrl-C cancels ``main`` (from Python 3.11 on) and raises
    `KeyboardInterrupt`. ``debug`` turns asyncio's debug mode on or off. When a reactor was
    installed by `tornado4.platform.twisted.install`, its loop is the one that runs: the
    reactor starts with it, and is shut down at the end.

    What the coroutine raises is raised. Raises `RuntimeError` if a loop runs in this
    thread, and closes the coroutine then; `ValueError` or `TypeError` for what is no
    coroutine.
    """
    from tornado4.platform.asyncio import run

    return run(main, debug=debug)


def metrics(loop: object = None) -> Metrics:
    """Measure a loop from now on; return what tells its numbers.

    ``loop`` is an asyncio loop, an IOLoop or a reactor of ours, by default the one that runs
    or is current in this thread. ``metrics(loop).read()`` gives turns, calls, descriptors,
    timers, bytes, times and the loop's lag; see `tornado4.Measured`. A loop that nobody has
    asked for is not measured. Raises `TypeError` for a loop that isn't ours, and
    `RuntimeError` if there is none.
    """
    from tornado4._metrics import metrics

    return metrics(loop)


def tls_engine() -> dict[str, TLSEngine]:
    """Tell how TLS connections are driven: by which library's OpenSSL, directly or not.

    A dict of one entry for each TLS library: ``"ssl"`` and, once it has been imported,
    ``"pyOpenSSL"``. An entry has three fields. ``engine`` is ``"direct"`` (native code calls
    the library's own OpenSSL), ``"fallback"`` (native code calls the methods of its
    objects: slower, otherwise no different) or ``"stock"`` (the framework's code does it
    all); ``reason`` is why it isn't direct; ``openssl`` is OpenSSL's version.

    The environment variable ``TORNADO4_TLS=fallback``, read when the first TLS connection is
    there or this is called, asks for the fallback.
    """
    from tornado4._tls import tls_engine

    return tls_engine()
