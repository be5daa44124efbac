"""What Tornado does for each HTTP/1 message, by native code, and Tornado's code for the rest.

Some functions of Tornado's are replaced by objects that ask the native code first. That does
all of what Tornado's function does, or nothing, and then Tornado's is called. It does it for
well-formed messages only, and only as long as all that it leaves out is Tornado's own: of a
version whose code is known, and replaced by nobody.
"""

from __future__ import annotations

import asyncio
import calendar
import collections.abc
import copy
import datetime
import email.utils
import inspect
import operator
import re
from collections.abc import Iterator
from typing import Any

from tornado import concurrent, escape, gen, http1connection, httputil
from tornado.concurrent import Future, chain_future, future_add_done_callback

from tornado4._core import Http, HttpFunction
from tornado4._functions import Functions

__all__ = ["FUNCTIONS", "SOURCES", "find", "install", "present", "stock_functions", "uninstall"]

_HEADERS = (
    "httputil:HTTPHeaders.__init__",
    "httputil:HTTPHeaders.__setitem__",
    "httputil:HTTPHeaders.__getitem__",
    "httputil:HTTPHeaders.__contains__",
    "httputil:HTTPHeaders.add",
    "httputil:HTTPHeaders.get_all",
    "httputil:HTTPHeaders.parse",
    "httputil:HTTPHeaders.parse_line",
    "httputil:_ABNF",
    "httputil:_normalize_header",
    "escape:native_str",
    "escape:to_unicode",
)

#: The functions of Tornado's that are done natively.
FUNCTIONS = {
    "parse_headers": "http1connection:HTTP1Connection._parse_headers",
    "request_line": "httputil:parse_request_start_line",
    "status_line": "httputil:parse_response_start_line",
    "new_headers": "httputil:HTTPHeaders.__init__",
    "write_headers": "http1connection:HTTP1Connection.write_headers",
    "new_request": "httputil:HTTPServerRequest.__init__",
    "with_timeout": "gen:with_timeout",
    "format_timestamp": "httputil:format_timestamp",
    "get_header": "httputil:HTTPHeaders.get",
    "convert_yielded": "gen:convert_yielded",
}

#: Those that a class has of its base, and only there.
_FROM_BASE = {"httputil:HTTPHeaders.get": collections.abc.Mapping.get}

#: What each leaves out: functions, and others that a module or a class has under a name. A
#: version needn't have each of them.
_LEFT_OUT: dict[str, tuple[str, ...]] = {
    "parse_headers": (*_HEADERS, "http1connection:native_str", "http1connection:httputil"),
    "request_line": (
        "httputil:_ABNF",
        "httputil:_http_version_re",
        "httputil:RequestStartLine",
    ),
    "status_line": (
        "httputil:_ABNF",
        "httputil:_http_response_line_re",
        "httputil:ResponseStartLine",
        "httputil:native_str",
        "escape:to_unicode",
    ),
    "new_headers": _HEADERS,
    "write_headers": (
        *_HEADERS,
        "http1connection:HTTP1Connection._format_chunk",
        "http1connection:CR_OR_LF_RE",
        "http1connection:DIGITS",
        "http1connection:httputil",
        "http1connection:native_str",
        "http1connection:parse_int",
        "http1connection:utf8",
        "httputil:RequestStartLine",
        "httputil:ResponseStartLine",
        "escape:utf8",
    ),
    "new_request": (
        *_HEADERS,
        "httputil:RequestStartLine",
        "httputil:_netloc_re",
        "httputil:copy",
        "httputil:parse_qs_bytes",
        "httputil:split_host_and_port",
        "escape:parse_qs_bytes",
    ),
    "with_timeout": (
        "concurrent:Future",
        "concurrent:chain_future",
        "concurrent:future_add_done_callback",
        "gen:Future",
        "gen:_create_future",
        "gen:chain_future",
        "gen:convert_yielded",
        "gen:future_add_done_callback",
    ),
    "format_timestamp": ("httputil:calendar", "httputil:datetime", "httputil:email"),
    "get_header": ("httputil:HTTPHeaders.__getitem__", "httputil:_normalize_header"),
    "convert_yielded": (
        "concurrent:Future",
        "concurrent:is_future",
        "gen:Future",
        "gen:_wrap_awaitable",
        "gen:is_future",
        "gen:isawaitable",
    ),
}

#: What of that is no code, and has to be this.
_NO_CODE = {
    **_FROM_BASE,
    "concurrent:Future": asyncio.Future,
    "gen:Future": asyncio.Future,
    "gen:isawaitable": inspect.isawaitable,
    "http1connection:httputil": httputil,
    "httputil:calendar": calendar,
    "httputil:copy": copy,
    "httputil:datetime": datetime,
    "httputil:email": email,
}

_functions = Functions(
    (concurrent, escape, gen, http1connection, httputil),
    FUNCTIONS,
    _LEFT_OUT,
    _NO_CODE,
    ("httputil:RequestStartLine", "httputil:ResponseStartLine"),
    _FROM_BASE,
)
find = _functions.find
present = _functions.present
SOURCES = _functions.sources


def _names_in(method: str) -> tuple[str, ...]:
    code = getattr(getattr(httputil.HTTPHeaders, method), "__code__", None)
    return getattr(code, "co_names", ())


class Rare:
    """What happens rarely: Tornado's code for it."""

    @staticmethod
    def parse_query(query: str) -> Any:
        """Parse the query of a request, as `HTTPServerRequest` does."""
        names = vars(httputil)
        parse = names["parse_qs_bytes"]
        if not _QUERIES_ARE_LIMITED:
            return parse(query, keep_blank_values=True)
        limit = names["_DEFAULT_PARSE_BODY_CONFIG"].urlencoded.max_arguments
        return parse(query, keep_blank_values=True, max_num_fields=limit)

    @staticmethod
    def pass_on(future: Future[Any], result: Future[Any]) -> None:
        """Give a future what another one has that is done."""
        chain_future(future, result)

    @staticmethod
    def expired(result: Future[Any], future: Future[Any], quiet: Any) -> None:
        """End `with_timeout` when the time has passed: its ``timeout_callback``."""
        # Under its names, which may be others by now.
        names = vars(gen)
        if not result.done():
            result.set_exception(names.get("TimeoutError", TimeoutError)("Timeout"))

        # In case the wrapped future goes on to fail, log it.
        def error_callback(future: Future[Any]) -> None:
            try:
                future.result()
            except asyncio.CancelledError:
                pass
            except Exception as e:
                if not isinstance(e, quiet):
                    names["app_log"].error(
                        "Exception in Future %r after timeout", future, exc_info=True
                    )

        future_add_done_callback(future, error_callback)


#: Whether the query of a request may have no more parts than a form.
_QUERIES_ARE_LIMITED = "_DEFAULT_PARSE_BODY_CONFIG" in getattr(
    getattr(httputil.HTTPServerRequest.__init__, "__code__", None), "co_names", ()
)


def _more(step: str) -> Iterator[tuple[Any, str, tuple[Any, ...]]]:
    """Yield what has to be Tornado's own too: what is inherited, and what is asked for."""
    abnf = vars(httputil).get("_ABNF")
    if "httputil:_ABNF" in _LEFT_OUT[step] and abnf is not None:
        for pattern, value in _patterns(abnf):
            yield abnf, pattern, (value,)
    if set(_HEADERS) <= set(_LEFT_OUT[step]):
        for name, value in _INHERITED.items():
            yield httputil.HTTPHeaders, name, (value,)
    if step == "new_request":
        request = httputil.HTTPServerRequest
        for special in ("__getattribute__", "__setattr__"):
            yield request, special, (vars(object)[special],)
        # What it asks itself for, after it was set: older versions have None there.
        for asked in _ASKED:
            yield request, asked, (None,) if vars(request).get(asked, request) is None else ()
    for owner, name, value in _OTHERS.get(step, ()):
        yield owner, name, (value,)


def _patterns(class_: type) -> list[tuple[str, Any]]:
    return [item for item in vars(class_).items() if isinstance(item[1], re.Pattern)]


#: What `HTTPHeaders` has of its bases.
_INHERITED = {
    "__contains__": collections.abc.Mapping.__contains__,
    **{name: vars(object)[name] for name in ("__getattribute__", "__new__", "__setattr__")},
    "get": collections.abc.Mapping.get,
    "update": collections.abc.MutableMapping.update,
}
if "__contains__" in vars(httputil.HTTPHeaders):
    del _INHERITED["__contains__"]

#: What `HTTPServerRequest` has of its own, and no property of somebody's.
_ASKED = ("arguments", "headers", "host", "method", "query", "uri", "version")

#: What is left out of Python's own.
_OTHERS: dict[str, list[tuple[Any, str, Any]]] = {
    "convert_yielded": [(asyncio, "ensure_future", asyncio.ensure_future)],
    "format_timestamp": [(email.utils, "formatdate", email.utils.formatdate)],
    "get_header": [(httputil.HTTPHeaders, "__getattribute__", object.__getattribute__)],
    "new_request": [(copy, "deepcopy", copy.deepcopy)],
}

_cache = "_combined_cache" if "_combined_cache" in _names_in("__init__") else "_dict"
_http = Http(
    {
        "Future": Future,
        "HTTPHeaders": httputil.HTTPHeaders,
        "HTTPServerRequest": httputil.HTTPServerRequest,
        "RequestStartLine": httputil.RequestStartLine,
        "ResponseStartLine": httputil.ResponseStartLine,
        "_format_chunk": find("http1connection:HTTP1Connection._format_chunk"),
        "cache": _cache,
        "conversions": tuple(
            getattr(find("gen:convert_yielded"), name, None)
            for name in ("registry", "dispatch", "__wrapped__")
        ),
        "gen": vars(gen),
        "http1connection": vars(http1connection),
        "httputil": vars(httputil),
        "last_key": "_last_key" in _names_in("__init__"),
        "rare": Rare,
    },
    {step: _functions.originals(step, _more(step)) for step in FUNCTIONS},
)

# Not its own, but that of the function that it stands in for.
HttpFunction.__doc__ = property(operator.attrgetter("__wrapped__.__doc__"))  # type: ignore[assignment]

_functions.make(lambda step, stock: HttpFunction(_http, step, stock))

install = _functions.install
uninstall = _functions.uninstall


def stock_functions() -> dict[str, str]:
    """Return the functions that are Tornado's own at the moment, each with the reason."""
    return _functions.reasons(_http.does)
