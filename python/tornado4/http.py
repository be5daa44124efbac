"""Tornado's HTTP/1 and WebSocket, with what they do for each message done natively.

`install` replaces ten functions of Tornado's by native ones: ``HTTP1Connection``'s reading and
writing of heads, ``httputil.parse_request_start_line`` and ``parse_response_start_line``, the
constructors of ``HTTPHeaders`` and ``HTTPServerRequest``, ``HTTPHeaders.get``,
``httputil.format_timestamp``, ``gen.with_timeout`` and ``gen.convert_yielded``. What they make are
Tornado's own objects. `tornado4.install` does it together with the streams.

A native function does a well-formed message of plain ASCII, and leaves all else to Tornado's
own code: so what is refused, why, and what is logged of it, are Tornado's. It also leaves it
everything where something that it would leave out isn't Tornado's own: was replaced, or
overridden in a subclass, before or after `install`; or has a source that is none of those of
Tornado 6.4 to 6.6.1 (a distribution has patched it, or it is newer, or there is no source).

So it is with WebSocket: `install` replaces two methods of ``WebSocketProtocol13``, as soon as
``tornado.websocket`` is there: ``_receive_frame``, for whole messages and control frames on a
native stream, and ``write_message``; with masks, and without compression. Fragments, what is
compressed or too long, and whatever is wrong, are Tornado's own code's from a frame's first byte
on.
"""

from __future__ import annotations

import sys
from typing import Any

from tornado4 import _http, _imports

__all__ = ["install", "is_native", "reasons", "uninstall"]


def __dir__() -> list[str]:
    return __all__


def install() -> None:
    """Have Tornado do HTTP/1 and WebSocket natively, all of it in this process, at once.

    A function that somebody else has replaced before is left as it is. Calling it again does
    nothing. Any thread may call it.
    """
    _http.install()
    _imports.forget(_take_websocket)
    _imports.when_packages_are_complete({"tornado"}, _take_websocket)


def _take_websocket() -> None:
    # Not while it is being imported: another thread may be importing what this imports, and
    # wait for it.
    if "tornado.websocket" in sys.modules:
        from tornado4 import _websocket

        _imports.forget(_take_websocket)
        _websocket.install()


def uninstall() -> None:
    """Undo `install`: Tornado's own functions are back, at once.

    A function that somebody else has replaced since is left as it is. Calling it without
    `install` does nothing. Any thread may call it.
    """
    _imports.forget(_take_websocket)
    _http.uninstall()
    websocket = _websocket_if_there()
    if websocket is not None:
        websocket.uninstall()


def _websocket_if_there() -> Any:
    return sys.modules.get("tornado4._websocket")


def is_native() -> bool:
    """Tell whether all ten functions are native at the moment, and the two of WebSocket if
    ``tornado.websocket`` was imported."""
    return not reasons()


def reasons() -> dict[str, str]:
    """Return the functions that are Tornado's own at the moment, each with the reason."""
    websocket = _websocket_if_there()
    return {
        **_http.stock_functions(),
        **({} if websocket is None else websocket.stock_functions()),
    }
