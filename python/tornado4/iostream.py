"""Tornado's streams, with what they do all the time done natively.

`IOStream`, `SSLIOStream` and `PipeIOStream` are subclasses of those of `tornado.iostream`:
with the same methods, errors and limits, and the same attributes, on any loop. Reading,
searching what has come and writing are native, and so is TLS once hands are shaken. A
subclass's own methods (``fileno``, ``close_fd``, ``read_from_fd``, ``write_to_fd``,
``get_fd_error`` and any other) are used: such a stream does by Tornado's code what the native
code would have done without them.

Tornado itself (servers, clients, web sockets, subprocesses) makes streams of its own
classes. `install` has these do the same things natively.

Every other name of `tornado.iostream` is here too, and is the same object.
"""

from __future__ import annotations

import ssl
from abc import ABCMeta
from typing import TYPE_CHECKING, Any, cast

from tornado import iostream as _stock

from tornado4 import _streams
from tornado4._streams import install as _install
from tornado4._streams import uninstall as _uninstall

if TYPE_CHECKING:
    from asyncio import Future

    from tornado.iostream import BaseIOStream as BaseIOStream
    from tornado.iostream import StreamBufferFullError as StreamBufferFullError
    from tornado.iostream import StreamClosedError as StreamClosedError
    from tornado.iostream import UnsatisfiableReadError as UnsatisfiableReadError
else:

    def __getattr__(name: str) -> Any:
        return getattr(_stock, name)


__all__ = [
    "BaseIOStream",
    "IOStream",
    "PipeIOStream",
    "SSLIOStream",
    "StreamBufferFullError",
    "StreamClosedError",
    "UnsatisfiableReadError",
    "install",
    "is_native",
    "uninstall",
]


def __dir__() -> list[str]:
    return __all__


def install() -> None:
    """Have all of Tornado's streams in this process read and write natively.

    That is a matter of a few methods of `tornado.iostream.BaseIOStream` and `IOStream`, which
    are replaced: so it holds at once for every stream and every class of streams, those that
    are there already as well as those of modules that are imported later. A method that
    somebody else has replaced before is left as it is. Calling it again does nothing. Any
    thread may call it.
    """
    _install()


def uninstall() -> None:
    """Undo `install`: Tornado's own methods are back, at once and for every stream.

    The classes of this module stay native. Calling it without `install` does nothing. Any
    thread may call it.
    """
    _uninstall()


def is_native(stream: _stock.BaseIOStream) -> bool:
    """Tell whether a stream reads and writes natively at the moment.

    False where `install` wasn't called and the stream isn't one of this module's; where a
    method that the native code does without is somebody's own, of the stream, its class or
    Tornado's; and with a Tornado that is newer than is known here.
    """
    native = _streams.NATIVE["_handle_events"]
    return getattr(type(stream), "_handle_events", None) is native and _streams.drives(stream)


class _SameKind(ABCMeta):
    """Tornado's own streams are instances of these classes too: there is no difference.

    Code that asks whether a stream that Tornado has made is an `IOStream` must be right
    under both names. `ABCMeta`, so that subclasses may have abstract methods.
    """

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _KIND.get(cls, ())) or super().__instancecheck__(instance)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, _KIND.get(cls, ())) or super().__subclasscheck__(subclass)


class _Native:
    """The methods that are native. To type checkers they are Tornado's, whose types they have."""

    if not TYPE_CHECKING:
        _handle_events = _streams.NATIVE["_handle_events"]
        _try_inline_read = _streams.NATIVE["_try_inline_read"]
        read_bytes = _streams.NATIVE["read_bytes"]
        read_until = _streams.NATIVE["read_until"]
        read_until_regex = _streams.NATIVE["read_until_regex"]
        set_close_callback = _streams.NATIVE["set_close_callback"]
        write = _streams.NATIVE["write"]


class IOStream(_Native, _stock.IOStream, metaclass=_SameKind):
    """A `tornado.iostream.IOStream` that reads and writes natively.

    What it does, takes and raises is Tornado's, and documented there.
    """

    set_nodelay = _streams.NATIVE["set_nodelay"]

    # Tornado's is a Future of Tornado's class, which a Future of a subclass is no subtype of.
    def start_tls(  # type: ignore[override]
        self,
        server_side: bool,
        ssl_options: dict[str, Any] | ssl.SSLContext | None = None,
        server_hostname: str | None = None,
    ) -> Future[SSLIOStream]:
        """Convert this stream to an `SSLIOStream`, one of this module.

        See `tornado.iostream.IOStream.start_tls`.
        """
        future: Any = super().start_tls(server_side, ssl_options, server_hostname)
        # Before anybody else sees it. Its attributes are the same.
        future.add_done_callback(_make_native)
        return cast("Future[SSLIOStream]", future)


class SSLIOStream(IOStream, _stock.SSLIOStream):
    """A `tornado.iostream.SSLIOStream` that reads and writes natively.

    What it does, takes and raises is Tornado's, and documented there.
    """


class PipeIOStream(_Native, _stock.PipeIOStream, metaclass=_SameKind):
    """A `tornado.iostream.PipeIOStream` that reads and writes natively.

    What it does, takes and raises is Tornado's, and documented there.
    """


_KIND: dict[type, Any] = {
    IOStream: _stock.IOStream,
    SSLIOStream: _stock.SSLIOStream,
    PipeIOStream: _stock.PipeIOStream,
}


def _make_native(future: Any) -> None:
    """Make the stream that a future brings one of this module."""
    if not future.cancelled() and future.exception() is None:
        stream = future.result()
        if type(stream) is _stock.SSLIOStream:
            stream.__class__ = SSLIOStream
            state = stream._state
            if state is not None:
                # The loop has the method for events that the class had until now.
                stream.io_loop.remove_handler(stream.fileno())
                stream._state = None
                stream._add_io_state(state)
