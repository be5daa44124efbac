"""Tornado's HTTP/1, with what it does for each message done natively.

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
"""

from __future__ import annotations

from tornado4 import _http

__all__ = ["install", "is_native", "reasons", "uninstall"]


def __dir__() -> list[str]:
    return __all__


def install() -> None:
    """Have Tornado do HTTP/1 natively, all of it in this process, at once.

    A function that somebody else has replaced before is left as it is. Calling it again does
    nothing. Any thread may call it.
    """
    _http.install()


def uninstall() -> None:
    """Undo `install`: Tornado's own functions are back, at once.

    A function that somebody else has replaced since is left as it is. Calling it without
    `install` does nothing. Any thread may call it.
    """
    _http.uninstall()


def is_native() -> bool:
    """Tell whether all ten functions are native at the moment."""
    return not _http.stock_functions()


def reasons() -> dict[str, str]:
    """Return the functions that are Tornado's own at the moment, each with the reason."""
    return _http.stock_functions()
