"""What Tornado's streams do all the time, by native code, and Tornado's code for the rest.

All state stays in a stream's own attributes, under Tornado's names. Each function here asks
the native code first, which does all of what Tornado's method of that name does, or nothing;
then that method is called. So a stream may change from one to the other at any call: when
somebody puts a method of their own on it, on its class or on Tornado's.
"""

from __future__ import annotations

import functools
import re
import threading
from asyncio import CancelledError
from collections.abc import Callable
from typing import Any

import tornado
from tornado import iostream as stock
from tornado.concurrent import Future
from tornado.ioloop import IOLoop
from tornado.log import gen_log

from tornado4._core import Streams

#: The versions of Tornado whose methods are those that are done natively.
KNOWN = (6, 4), (6, 7)


#: The methods that the native code does without. Where one of them isn't Tornado's, it does
#: nothing.
_LEFT_OUT = frozenset(
    {
        "_add_io_state",
        "_check_closed",
        "_check_max_bytes",
        "_consume",
        "_find_read_pos",
        "_finish_read",
        "_handle_read",
        "_handle_write",
        "_maybe_add_error_listener",
        "_read_from_buffer",
        "_read_to_buffer",
        "_read_to_buffer_loop",
        "_start_read",
        "_try_inline_read",
        "closed",
        "read_from_fd",
        "reading",
        "write_to_fd",
        "writing",
    }
)

#: The attributes that it looks for in the stream itself.
_FIELDS = (
    "_close_callback",
    "_closed",
    "_connecting",
    "_fio",
    "_read_buffer",
    "_read_buffer_size",
    "_read_bytes",
    "_read_delimiter",
    "_read_future",
    "_read_max_bytes",
    "_read_partial",
    "_read_regex",
    "_ssl_accepting",
    "_state",
    "_total_write_done_index",
    "_total_write_index",
    "_user_read_buffer",
    "_write_futures",
    "fd",
    "max_buffer_size",
    "max_write_buffer_size",
    "read_chunk_size",
    "socket",
)

#: Tornado's classes, as `Streams` numbers what they are over.
_KINDS: dict[type[stock.BaseIOStream], int] = {
    stock.SSLIOStream: 2,
    stock.IOStream: 1,
    stock.PipeIOStream: 3,
}

#: The methods that are native, and the class whose they are.
_OWNERS: dict[str, type[stock.BaseIOStream]] = {
    **dict.fromkeys(
        (
            "_handle_events",
            "_try_inline_read",
            "read_bytes",
            "read_until",
            "read_until_regex",
            "set_close_callback",
            "write",
        ),
        stock.BaseIOStream,
    ),
    "set_nodelay": stock.IOStream,
}

_STOCK: dict[str, Callable[..., Any]] = {
    name: getattr(owner, name) for name, owner in _OWNERS.items()
}


def _is_original(method: object) -> bool:
    return getattr(method, "__globals__", None) is vars(stock)


#: What the methods are where they are Tornado's, for each class.
_ORIGINAL = {class_: {name: getattr(class_, name) for name in _LEFT_OUT} for class_ in _KINDS}


def _knows_tornado() -> bool:
    first, last = KNOWN
    methods = [*_STOCK.values(), *(m for found in _ORIGINAL.values() for m in found.values())]
    return first <= tornado.version_info[:2] < last and all(map(_is_original, methods))


_KNOWN = _knows_tornado()


def _kind(class_: type) -> int:
    """Tell what a class's streams are over; 0 if its methods aren't all Tornado's."""
    base = next((base for base in _KINDS if issubclass(class_, base)), None)
    if base is None or not _KNOWN:
        return 0
    if getattr(class_, "__getattribute__", None) is not object.__getattribute__:
        return 0
    for name, original in _ORIGINAL[base].items():
        found = getattr(class_, name)
        if found is not original and found is not NATIVE.get(name):
            return 0
    for name in _FIELDS:
        # One that would go before the stream's own.
        if hasattr(type(getattr(class_, name, None)), "__set__"):
            return 0
    return _KINDS[base]


class Rare:
    """What happens rarely: Tornado's code for it, after a part was done natively."""

    @staticmethod
    def read(stream: Any, size: int) -> bytes | bool | None:
        """Read once, as `_read_to_buffer`; False: it has failed, and the stream is closed."""
        room = bytearray(size)
        try:
            count = stream.read_from_fd(room)
        except OSError as error:
            Rare.lost(stream, error)
            return False
        return None if count is None else bytes(room[:count])

    @staticmethod
    def read_into(stream: Any) -> int | None:
        """Read once into the application's memory; -1: it has failed."""
        start = stream._read_buffer_size
        with memoryview(stream._read_buffer) as memory, memory[start:] as room:
            try:
                count: int | None = stream.read_from_fd(room)
            except OSError as error:
                failure = error
            else:
                return count
        Rare.lost(stream, failure)
        return -1

    @staticmethod
    def lost(stream: Any, error: OSError) -> None:
        """Close a stream that can't be read from."""
        stream.close(exc_info=error)
        if not stream._is_connreset(error):
            raise error

    @staticmethod
    def buffer_full(stream: Any) -> None:
        """Close a stream that has too much in its buffer."""
        gen_log.error("Reached maximum read buffer size")
        error = stock.StreamBufferFullError("Reached maximum read buffer size")
        stream.close(exc_info=error if _TELLS_WHEN_FULL else False)
        raise error

    @staticmethod
    def start_failed(stream: Any, future: Any, error: BaseException) -> Any:
        """End a method that has started a read in vain."""
        if isinstance(error, stock.UnsatisfiableReadError):
            gen_log.info("Unsatisfiable read, closing connection: %s", error)
            stream.close(exc_info=error)
            return future
        future.add_done_callback(_look_at_error)
        raise error

    @staticmethod
    def event_failed(stream: Any, error: BaseException, reading: bool) -> None:
        """End `_handle_events`, or `_handle_read` in it, by an exception."""
        try:
            if isinstance(error, stock.UnsatisfiableReadError):
                raise error
            if not reading or not isinstance(error, Exception):
                raise error
            gen_log.warning("error on read: %s", error)
            stream.close(exc_info=error)
        except stock.UnsatisfiableReadError as unsatisfiable:
            gen_log.info("Unsatisfiable read, closing connection: %s", unsatisfiable)
            stream.close(exc_info=unsatisfiable)
        except CancelledError:
            raise
        except Exception as uncaught:
            gen_log.error("Uncaught exception, closing connection.", exc_info=True)
            stream.close(exc_info=uncaught)
            raise

    @staticmethod
    def write_waits(stream: Any, data: _Data, sent: int, future: Any) -> Any:
        """Keep what wasn't sent."""
        _keep(stream, data, sent, future)
        stream._add_io_state(IOLoop.WRITE)
        stream._maybe_add_error_listener()
        return future

    @staticmethod
    def write_goes_on(stream: Any, data: _Data, sent: int, future: Any) -> Any:
        """Keep what wasn't sent, and find out why."""
        _keep(stream, data, sent, future)
        stream._handle_write()
        if stream._write_buffer:
            stream._add_io_state(IOLoop.WRITE)
        stream._maybe_add_error_listener()
        return future

    @staticmethod
    def write_failed(stream: Any, data: _Data, sent: int, future: Any, error: OSError) -> Any:
        """Close a stream that can't be written to."""
        _keep(stream, data, sent, future)
        if not stream._is_connreset(error):
            gen_log.warning("Write error on %s: %s", stream.fileno(), error)
        stream.close(exc_info=error)
        stream._maybe_add_error_listener()
        return future


#: What is written: at once, or in parts.
_Data = bytes | memoryview | tuple[bytes, ...]


def _keep(stream: Any, data: _Data, sent: int, future: Any) -> None:
    """Leave a stream as `write` does after so many bytes were sent."""
    if isinstance(data, memoryview):
        data = data.cast("B")
    for part in data if isinstance(data, tuple) else (data,):
        stream._write_buffer.append(part)
        stream._total_write_index += len(part)
    if sent:
        stream._write_buffer.advance(sent)
    stream._total_write_done_index += sent
    future.add_done_callback(_look_at_error)
    stream._write_futures.append((stream._total_write_index, future))


def _look_at_error(future: Any) -> None:
    """Let nobody be told that the exception was never retrieved.

    Raises that of a future that was cancelled, as Tornado's does.
    """
    future.exception()


#: Whether Tornado closes a stream whose buffer is full with that for a reason.
_TELLS_WHEN_FULL = "buffer_full_error" in stock.BaseIOStream._read_to_buffer.__code__.co_varnames

_native = Streams(_kind, _LEFT_OUT.isdisjoint, Future, re.compile, Rare)

#: For who reads natively what streams have received.
native = _native

#: Whether a stream's methods are native at the moment.
drives = _native.drives


@functools.wraps(_STOCK["write"])
def _write(self: Any, data: bytes | memoryview) -> Any:
    future = _native_write(self, data)
    return _stock_write(self, data) if future is None else future


@functools.wraps(_STOCK["read_bytes"])
def _read_bytes(self: Any, num_bytes: int, partial: bool = False) -> Any:
    future = _native_read_bytes(self, num_bytes, partial)
    return _stock_read_bytes(self, num_bytes, partial) if future is None else future


@functools.wraps(_STOCK["read_until"])
def _read_until(self: Any, delimiter: bytes, max_bytes: int | None = None) -> Any:
    future = _native_read_until(self, delimiter, max_bytes)
    return _stock_read_until(self, delimiter, max_bytes) if future is None else future


@functools.wraps(_STOCK["read_until_regex"])
def _read_until_regex(self: Any, regex: bytes, max_bytes: int | None = None) -> Any:
    future = _native_read_until_regex(self, regex, max_bytes)
    return _stock_read_until_regex(self, regex, max_bytes) if future is None else future


@functools.wraps(_STOCK["set_close_callback"])
def _set_close_callback(self: Any, callback: Any) -> None:
    if not _native_set_close_callback(self, callback):
        _STOCK["set_close_callback"](self, callback)


@functools.wraps(_STOCK["set_nodelay"])
def _set_nodelay(self: Any, value: bool) -> None:
    if not _native_set_nodelay(self, value):
        _STOCK["set_nodelay"](self, value)


# Tornado's has that of the method which it overrides.
_set_nodelay.__doc__ = stock.BaseIOStream.set_nodelay.__doc__


@functools.wraps(_STOCK["_try_inline_read"])
def _try_inline_read(self: Any) -> None:
    if not _native.try_inline_read(self):
        _STOCK["_try_inline_read"](self)


@functools.wraps(_STOCK["_handle_events"])
def _handle_events(self: Any, fd: Any, events: int) -> None:
    if not _native_handle_events(self, events):
        _stock_handle_events(self, fd, events)


# Module globals are looked up faster than attributes of an object.
_native_write = _native.write
_native_read_bytes = _native.read_bytes
_native_read_until = _native.read_until
_native_read_until_regex = _native.read_until_regex
_native_set_close_callback = _native.set_close_callback
_native_set_nodelay = _native.set_nodelay
_native_handle_events = _native.handle_events
_stock_write = _STOCK["write"]
_stock_read_bytes = _STOCK["read_bytes"]
_stock_read_until = _STOCK["read_until"]
_stock_read_until_regex = _STOCK["read_until_regex"]
_stock_handle_events = _STOCK["_handle_events"]

#: The methods of Tornado's classes that stand here.
NATIVE: dict[str, Callable[..., Any]] = {
    "_handle_events": _handle_events,
    "_try_inline_read": _try_inline_read,
    "read_bytes": _read_bytes,
    "read_until": _read_until,
    "read_until_regex": _read_until_regex,
    "set_close_callback": _set_close_callback,
    "set_nodelay": _set_nodelay,
    "write": _write,
}

_native.stand_for(_handle_events, _write)

_installing = threading.Lock()


def install() -> None:
    """See `tornado4.iostream.install`."""
    with _installing:
        for name, native in NATIVE.items():
            if getattr(_OWNERS[name], name) is _STOCK[name]:
                setattr(_OWNERS[name], name, native)


def uninstall() -> None:
    """See `tornado4.iostream.uninstall`."""
    with _installing:
        for name, native in NATIVE.items():
            if getattr(_OWNERS[name], name) is native:
                setattr(_OWNERS[name], name, _STOCK[name])
