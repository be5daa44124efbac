"""Pipe transports: subprocesses' standard streams too."""

from __future__ import annotations

from asyncio import unix_events
from asyncio.log import logger
from typing import Any

from tornado4 import _core
from tornado4.platform._asyncio_transports._borrowing import borrowing

_StockRead: Any = unix_events._UnixReadPipeTransport  # type: ignore[attr-defined]
_StockWrite: Any = unix_events._UnixWritePipeTransport  # type: ignore[attr-defined]


# Both are named as the handles of their methods are to show it.
@borrowing(_StockRead)
class _UnixReadPipeTransport(_core.ReadPipe):
    """asyncio's transport for the reading end of a pipe, with native reading."""

    __class__ = property(lambda self: _StockRead)
    _loop: Any
    _closing: bool
    _fatal_error: Any
    _call_connection_lost: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.max_size = _StockRead.max_size
        _StockRead.__init__(self, *args, **kwargs)

    def _at_end(self) -> None:
        # As asyncio's `_read_ready`, which would read once more: a terminal has more
        # after its end.
        if self._loop.get_debug():
            logger.info("%r was closed by peer", self)
        self._closing = True
        self._loop._remove_reader(self._fileno)
        self._loop.call_soon(self._protocol.eof_received)
        self._loop.call_soon(self._call_connection_lost, None)

    def _read_failed(self, failure: OSError) -> None:
        try:
            raise failure
        except OSError as error:
            # It has this frame in its traceback.
            del failure
            self._fatal_error(error, "Fatal read error on pipe transport")


@borrowing(_StockWrite)
class _UnixWritePipeTransport(_core.WritePipe):
    """asyncio's transport for the writing end of a pipe, with native writing."""

    __class__ = property(lambda self: _StockWrite)
    _loop: Any
    _fatal_error: Any
    _write_ready: Any
    _maybe_pause_protocol: Any
    _write_rare = _StockWrite.write

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _StockWrite.__init__(self, *args, **kwargs)

    # The rest of asyncio's `write`, after the pipe has taken so many bytes or none.

    def _write_rest(self, data: bytes, count: int) -> None:
        self._loop._add_writer(self._fileno, self._write_ready)
        self._buffer += memoryview(data)[count:]
        self._maybe_pause_protocol()

    def _write_failed(self, failure: OSError) -> None:
        try:
            raise failure
        except OSError as error:
            # It has this frame in its traceback.
            del failure
            self._conn_lost += 1
            self._fatal_error(error, "Fatal write error on pipe transport")


ReadPipe = _UnixReadPipeTransport
WritePipe = _UnixWritePipeTransport
