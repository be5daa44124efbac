"""Deferreds as asyncio sees them: futures that cancel what they wait for.

Cancelling one cancels the Deferred, and waits for what that comes to, as asyncio
does when an awaited task is cancelled. A failure then means that it is cancelled,
whatever the failure is: many of Twisted's cancellers give one of their own. A value
means that the cancellation was refused, and is the result.
"""

from __future__ import annotations

import asyncio
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

_log = Logger()

_Future = asyncio.Future


class DeferredFuture(_Future[Any]):
    """The result of a Deferred, which is consumed, as a future of a loop."""

    # Of a cancellation that was asked for.
    _message: tuple[()] | tuple[Any] | None = None

    def __init__(self, deferred: Deferred[Any], loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self._deferred: Deferred[Any] | None = deferred
        self._listen(deferred)

    def _listen(self, deferred: Deferred[Any]) -> None:
        deferred.addBoth(self._fired)

    def cancel(self, msg: Any = None) -> bool:
        """Cancel the Deferred; see the module. Tells whether that was possible."""
        deferred = self._deferred
        if self.done() or deferred is None:
            return False
        self._message = () if msg is None else (msg,)
        if self._cancel_deferred(deferred) or self.done():
            return True
        # Whatever comes of it is the Deferred's own.
        self._deferred = None
        return super().cancel(msg)

    def _cancel_deferred(self, deferred: Deferred[Any]) -> bool:
        """Tell whether the Deferred is going to fire because of this."""
        try:
            deferred.cancel()
        except Exception:
            # Of the canceller. `Future.cancel` raises nothing.
            _log.failure("Exception raised by the canceller of {deferred}", deferred=deferred)
            return False
        # One that has fired is held: by another Deferred, which was cancelled for
        # it, or by somebody who paused it, which is not to be cancelled.
        return not deferred.called or isinstance(deferred.result, Deferred)

    def _fired(self, result: Any) -> Any:
        if self.done():
            return result
        self._deferred = None
        if not isinstance(result, Failure):
            self.set_result(result)
        elif self._message is not None or isinstance(result.value, asyncio.CancelledError):
            super().cancel(*(self._message or ()))
        else:
            self.set_exception(_raisable(result))
        return None


class DeferredWait(DeferredFuture):
    """What a task waits for while its coroutine awaits a Deferred.

    The coroutine takes its next step where Twisted has it: in a callback of the
    Deferred, so that it gets the result of that place, and what was added later
    gets None. Until the task comes to it, a gate holds the Deferred.
    """

    _gate: Deferred[Any] | None = None
    _left = False
    _next: Any = None
    _outcome: tuple[Any, BaseException | None] | None = None

    def _listen(self, deferred: Deferred[Any]) -> None:
        # For the task: this has been awaited.
        self._asyncio_future_blocking = True
        deferred.addBoth(self._fired)
        deferred.addBoth(self._step)

    def _fired(self, result: Any) -> Any:
        if self._left or self.done():
            return result
        # Paused, it has a result that a cancellation doesn't change any more.
        gate: Deferred[Any] = Deferred()
        self._gate = gate
        gate.pause()
        gate.callback(result)
        self.set_result(None)
        return gate

    def resume(self, coro: Any) -> tuple[Any, BaseException | None]:
        """Step the coroutine on; return what it yields and what it raises."""
        self._next = coro
        deferred = self._open()
        self._next = None
        return self._take_outcome(deferred)

    def _take_outcome(self, deferred: Any) -> tuple[Any, BaseException | None]:
        outcome, self._outcome = self._outcome, None
        # Without one, the Deferred is still held, by somebody else: wait again.
        return outcome or (deferred, None)

    def leave(self) -> None:
        """Let the Deferred go on with its result."""
        self._left = True
        self._open()

    def _open(self) -> Deferred[Any] | None:
        gate, self._gate = self._gate, None
        deferred, self._deferred = self._deferred, None
        if gate is not None:
            gate.unpause()
        return deferred

    def _step(self, result: Any) -> Any:
        if self._next is None:
            return result
        coro, self._next = self._next, None
        # From Python 3.12 on the traceback of what the coroutine raises leads to this
        # frame, and to that of `resume`: neither may refer to an exception.
        given = [self._given(result)]
        fails = isinstance(result, Failure)
        del result
        try:
            # A Deferred's iterator looks for itself; a bare `yield` gets the value.
            yielded = coro.throw(given.pop()) if fails else coro.send(given.pop())
        except BaseException as error:
            self._outcome = None, without_this_frame(error)
        else:
            self._outcome = yielded, None
        return None

    def _given(self, result: Any) -> Any:
        """Return what the coroutine gets: a value, or an exception."""
        if not isinstance(result, Failure):
            return result
        if self._message is None:
            return _raisable(result)
        error = asyncio.CancelledError(*self._message)
        error.__cause__ = result.value
        return error


def without_this_frame(error: BaseException) -> BaseException:
    """Take the caller's frame, which would refer to the exception, off its traceback."""
    trace = error.__traceback__
    return error.with_traceback(None if trace is None else trace.tb_next)


def _raisable(failure: Failure) -> BaseException:
    """Return the exception of a failure, with the traceback if there is one left."""
    error: Any = failure.value
    if failure.tb is not None:
        error = error.with_traceback(failure.tb)
    if isinstance(error, StopIteration):
        # Neither a future nor a coroutine can raise it.
        wrapped = RuntimeError("Deferred raised StopIteration")
        wrapped.__cause__ = error
        return wrapped
    return error  # type: ignore[no-any-return]
