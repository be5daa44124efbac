"""What the native half of a reactor takes from Twisted: reasons, errors, logs.

Each report logs as Twisted's own reactors do, whatever the exception is.
"""

from __future__ import annotations

from traceback import format_stack
from types import FunctionType, ModuleType
from typing import Any

from twisted.internet import posixbase, protocol
from twisted.internet.base import DelayedCall as TwistedDelayedCall
from twisted.internet.error import (
    AlreadyCalled,
    AlreadyCancelled,
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
)
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.internet.posixbase import _NO_FILEDESC, PosixReactorBase
from twisted.logger import Logger
from twisted.python import log
from twisted.python.context import theContextTracker
from twisted.python.failure import Failure
from twisted.python.log import ILogContext

from tornado4.platform._handling import call_handling
from tornado4.platform.twisted._checks import check_function, check_thread, not_run

__all__ = [
    "CONNECTION_DONE",
    "CONNECTION_LOST",
    "_NO_FILEDESC",
    "AlreadyCalled",
    "AlreadyCancelled",
    "ConnectionAborted",
    "ConnectionDone",
    "ConnectionLost",
    "Failure",
    "ILogContext",
    "TwistedDelayedCall",
    "check_function",
    "check_thread",
    "creation_stack",
    "datagram",
    "delayed_call",
    "delayed_call_repr",
    "disconnect_selectable",
    "log_prefix",
    "main_loop",
    "main_loop_terminated",
    "not_run",
    "selectable",
    "theContextTracker",
    "thread_call",
]


def _of_twisted(function: Any, module: ModuleType) -> Any:
    """Return a function of a module, None if somebody has put another in its place."""
    own = isinstance(function, FunctionType) and function.__module__ == module.__name__
    return function if own and not hasattr(function, "__wrapped__") else None


disconnect_selectable = _of_twisted(PosixReactorBase._disconnectSelectable, posixbase)
log_prefix = _of_twisted(protocol.Protocol.logPrefix, protocol)

# Under the name that Twisted's own reactors log with.
_log = Logger("twisted.internet.base")


def main_loop_terminated() -> None:
    """Log that `reactor.run` is over."""
    _log.info("Main loop terminated.")


def main_loop(exception: BaseException) -> None:
    """Log what Twisted's main loop catches."""
    _log.failure("Unexpected error in main loop", Failure(exception))


def thread_call(exception: BaseException) -> None:
    """Log an exception of a `callFromThread`."""
    call_handling(exception, _log.failure, "while calling from thread")


def datagram(exception: BaseException) -> None:
    """Log an exception of a protocol that received a datagram."""
    call_handling(exception, log.err)


def delayed_call(exception: BaseException, creator: list[str] | None) -> None:
    """Log an exception of a `callLater`, with where the call was made."""
    if not creator:
        call_handling(exception, _log.failure, "while handling timed call")
        return
    origin = "".join(creator).rstrip().replace("\n", "\n C:")
    previous = f"\n C: from a DelayedCall created here:\n C:{origin}\n"
    message = "while handling timed call {previous()}"
    call_handling(exception, lambda: _log.failure(message, previous=lambda: previous))


def selectable(exception: BaseException, system: str | None) -> None:
    """Log an exception of a descriptor object."""
    where = {} if system is None else {"system": system}
    call_handling(exception, lambda: log.err(**where))


def creation_stack() -> list[str]:
    """Return the stack of the code that makes a delayed call."""
    return format_stack()[:-1]


def delayed_call_repr(call: object) -> str:
    """Return the repr that Twisted gives a delayed call."""
    return TwistedDelayedCall.__repr__(call)  # type: ignore[arg-type]
