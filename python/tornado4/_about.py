"""The page that ``python -m tornado4`` shows: how to use it, and what is there."""

from __future__ import annotations

import importlib
import importlib.util
import platform
import sys
import textwrap
from collections.abc import Iterator
from importlib import metadata

import tornado4

__all__ = ["page", "show"]

_WIDTH = 79

_USAGE = """\
usage: python -m tornado4 [options] program.py [arguments]
       python -m tornado4 [options] -m module [arguments]
       python -m tornado4 [options] -c code [arguments]

Runs a program, unedited, on one event loop for Twisted, Tornado and asyncio.

  --check         print at the end on which loops and reactor it has run
  --top[=WHEN]    print the loops' numbers every 5 seconds, every so many, or
                  on a signal (--top=USR1), and at the end
  --no-asyncio    leave the loops that asyncio makes alone
  --no-tornado    leave Tornado's IOLoop alone
  --no-twisted    leave Twisted's default reactor alone
  --no-streams    leave Tornado's streams and HTTP/1 alone
  --twisted       install the reactor at once, not when it is first imported
  -h, --help      print this page
  -V, --version   print the version

In a program of your own, tornado4.install() does the same. A demonstration:
python -m tornado4.demo
"""


def show() -> None:
    """Print the page."""
    print(page())


def page() -> str:
    """Return the page's text, at most 80 columns wide."""
    return "\n".join([_USAGE, *_found(), "", *_native()])


def _found() -> Iterator[str]:
    implementation = platform.python_implementation()
    yield _line("tornado4", tornado4.__version__)
    yield _line("Python", f"{platform.python_version()} ({implementation}, {sys.platform})")
    for name in ("Tornado", "Twisted", "pyOpenSSL"):
        try:
            yield _line(name, metadata.version(name))
        except metadata.PackageNotFoundError:
            yield _line(name, "not found")


def _native() -> Iterator[str]:
    yield "In native code:"
    try:
        importlib.import_module("tornado4._core")
    except ImportError as error:
        yield _line("nothing", f"the native module can't be loaded: {error}")
        return
    poll = "epoll" if sys.platform == "linux" else "kqueue"
    yield _line("event loop", f"yes ({poll})")
    yield _line("asyncio", "TCP, UNIX, UDP and pipe transports")
    if _is_there("twisted"):
        yield _line("Twisted", "TCP, UNIX and UDP transports")
    if _is_there("tornado"):
        yield _line("Tornado", _of_tornado())
    if _is_there("OpenSSL"):
        # It is told about once it has been imported.
        importlib.import_module("OpenSSL.SSL")
    for name, engine in tornado4.tls_engine().items():
        why = f": {engine.reason}" if engine.reason else ""
        openssl = f" ({engine.openssl})" if engine.openssl else ""
        yield _line(f"TLS, {name}", f"{engine.engine}{openssl}{why}")


def _of_tornado() -> str:
    """Say what of the installed Tornado is native where it is asked for."""
    if not importlib.import_module("tornado4._streams")._KNOWN:
        return "IOLoop only: streams and HTTP/1 of this version aren't known"
    http = importlib.import_module("tornado4.http")
    # Here it doesn't matter: this process ends with the page.
    http.install()
    left = list(http.reasons().values())
    more = f" and {len(left) - 1} more" if left[1:] else ""
    return f"TCP, UNIX, TLS and pipe streams; HTTP/1{f' in part: {left[0]}{more}' if left else ''}"


def _is_there(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def _line(name: str, text: str) -> str:
    return textwrap.fill(text, _WIDTH, initial_indent=f"  {name:<16}", subsequent_indent=" " * 18)
