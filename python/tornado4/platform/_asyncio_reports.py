"""What the native loop reports of callbacks, in asyncio's words."""

from __future__ import annotations

import inspect
from asyncio import base_events, events, format_helpers
from typing import TYPE_CHECKING, Any

from tornado4 import _core
from tornado4.platform._handling import call_handling

if TYPE_CHECKING:
    from asyncio import SelectorEventLoop as _Base
else:
    _Base = object

# Some versions show the arguments in debug mode only.
_SOURCE_TAKES_DEBUG = (
    "debug" in inspect.signature(format_helpers._format_callback_source).parameters
)


class ReportsCalls(_Base):
    """Reports errors and slow calls as asyncio's own handles and its debug mode do."""

    def _report_callback_error(self, handle: _core.Handle, exception: BaseException) -> None:
        options = {"debug": self.get_debug()} if _SOURCE_TAKES_DEBUG else {}
        source = format_helpers._format_callback_source(
            handle._callback, handle._args or (), **options
        )
        context: dict[str, Any] = {
            "message": f"Exception in callback {source}",
            "exception": exception,
            "handle": handle,
        }
        if handle._source_traceback:
            context["source_traceback"] = handle._source_traceback
        call_handling(exception, self.call_exception_handler, context)

    def _report_slow_call(self, subject: object, seconds: float) -> None:
        if seconds < self.slow_callback_duration:
            return
        if isinstance(subject, (_core.Handle, events.Handle)):
            subject = base_events._format_handle(subject)  # type: ignore[attr-defined]
        logger = base_events.logger  # type: ignore[attr-defined]
        logger.warning("Executing %s took %.3f seconds", subject, seconds)
