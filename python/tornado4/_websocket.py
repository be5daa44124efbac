"""What Tornado does for each message of WebSocket, by native code, and Tornado's for the rest.

As `tornado4._http` does it, for two functions: the one that receives a frame, and the one that
sends a message.
"""

from __future__ import annotations

import asyncio
import struct
import sys
from collections.abc import Iterator
from typing import Any

import tornado
from tornado import escape, util, websocket
from tornado.concurrent import Future
from tornado.iostream import StreamClosedError

from tornado4._core import HttpFunction, WebSocket
from tornado4._functions import Functions
from tornado4._streams import NATIVE
from tornado4._streams import native as streams

__all__ = ["FUNCTIONS", "SOURCES", "find", "install", "stock_functions", "uninstall"]

#: The functions of Tornado's that are done natively.
FUNCTIONS = {
    "receive_frame": "websocket:WebSocketProtocol13._receive_frame",
    "write_message": "websocket:WebSocketProtocol13.write_message",
}

#: What each leaves out.
_LEFT_OUT: dict[str, tuple[str, ...]] = {
    "receive_frame": (
        "util:_websocket_mask_python",
        "websocket:WebSocketProtocol13.FIN",
        "websocket:WebSocketProtocol13.OPCODE_MASK",
        "websocket:WebSocketProtocol13.RSV1",
        "websocket:WebSocketProtocol13.RSV_MASK",
        "websocket:WebSocketProtocol13._handle_message",
        "websocket:WebSocketProtocol13._read_bytes",
        "websocket:_websocket_mask",
        "websocket:struct",
    ),
    "write_message": (
        "escape:utf8",
        "util:_websocket_mask_python",
        "websocket:WebSocketProtocol13.FIN",
        "websocket:WebSocketProtocol13.RSV1",
        "websocket:WebSocketProtocol13._write_frame",
        "websocket:_websocket_mask",
        "websocket:asyncio",
        "websocket:struct",
        "websocket:tornado",
    ),
}

#: What of that is no code, and has to be this.
_NO_CODE = {
    "websocket:WebSocketProtocol13.FIN": 0x80,
    "websocket:WebSocketProtocol13.OPCODE_MASK": 0x0F,
    "websocket:WebSocketProtocol13.RSV1": 0x40,
    "websocket:WebSocketProtocol13.RSV_MASK": 0x70,
    # That of its extension module, if there is one.
    "websocket:_websocket_mask": (
        getattr(sys.modules.get("tornado.speedups"), "websocket_mask", None)
        or vars(util).get("_websocket_mask_python")
    ),
    "websocket:asyncio": asyncio,
    "websocket:struct": struct,
    "websocket:tornado": tornado,
}

#: The attributes that the native code looks for in the object itself.
_FIELDS = (
    "_compressor",
    "_decompressor",
    "_fragmented_message_buffer",
    "_frame_compressed",
    "_frame_length",
    "_frame_mask",
    "_message_bytes_in",
    "_message_bytes_out",
    "_wire_bytes_in",
    "_wire_bytes_out",
    "client_terminated",
    "mask_outgoing",
    "params",
    "stream",
)

_Protocol: Any = getattr(websocket, "WebSocketProtocol13", object)

_functions = Functions((escape, util, websocket), FUNCTIONS, _LEFT_OUT, _NO_CODE)
find = _functions.find
SOURCES = _functions.sources


def _more(step: str) -> Iterator[tuple[Any, str, tuple[Any, ...]]]:
    """Yield what has to be Tornado's or Python's own too."""
    for special in ("__getattribute__", "__setattr__"):
        yield _Protocol, special, (vars(object)[special],)
    yield _Protocol, "__getattr__", ()
    for name in _FIELDS:
        # Older versions have None there.
        default = getattr(_Protocol, name, _Protocol)
        yield _Protocol, name, (None,) if default is None else ()
    if step == "write_message":
        yield asyncio, "ensure_future", (asyncio.ensure_future,)


class Rare:
    """What happens rarely: Tornado's code for it."""

    @staticmethod
    def give_back(protocol: Any, data: bytes) -> None:
        """Put what was read back into the stream's buffer."""
        stream = protocol.stream
        stream._read_buffer[:0] = data
        stream._read_buffer_size += len(data)

    @staticmethod
    def given_up(protocol: Any, read: Future[bytes]) -> None:
        """Have a read of all that comes take no more than Tornado's, or put back what came.

        Whoever was cancelled before there was a frame may receive it another time.
        """
        if getattr(protocol.stream, "_read_future", None) is read:
            protocol.stream._read_bytes = 2
            protocol.stream._read_partial = False
        elif read.done() and not read.cancelled() and read.exception() is None:
            Rare.give_back(protocol, read.result())

    @staticmethod
    def refused(error: Exception) -> None:
        """End `write_message` with what the stream has raised."""
        try:
            raise error
        except StreamClosedError:
            # With that for its context, as Tornado's has.
            raise websocket.WebSocketClosedError()  # noqa: B904

    @staticmethod
    def sending(future: Future[None]) -> Future[None]:
        """End `write_message` when not all is sent yet, or never will be."""

        async def wrapper() -> None:
            try:
                await future
            except StreamClosedError:
                raise websocket.WebSocketClosedError()  # noqa: B904

        return asyncio.ensure_future(wrapper())


_websocket = WebSocket(
    streams,
    {
        "Future": Future,
        "WebSocketProtocol13": _Protocol,
        "rare": Rare,
        "websocket": vars(websocket),
        **{name: NATIVE[name] for name in ("_handle_events", "read_bytes", "write")},
    },
    {step: _functions.originals(step, _more(step)) for step in FUNCTIONS},
)
_functions.make(lambda step, stock: HttpFunction(_websocket, step, stock))

install = _functions.install
uninstall = _functions.uninstall


def stock_functions() -> dict[str, str]:
    """Return the functions that are Tornado's own at the moment, each with the reason."""
    return _functions.reasons(_websocket.does)
