"""The asyncio loop that was set for the thread."""

from __future__ import annotations

import asyncio
import sys
from typing import Any


def asyncio_loop_of_thread() -> Any:
    """Return the asyncio loop that was set for the thread, if any; it may be closed.

    None is made, unless by a policy of somebody's own, which may say what it likes.
    """
    if sys.version_info < (3, 14):
        # `get_event_loop` would make one here.
        local = getattr(asyncio.get_event_loop_policy(), "_local", None)
        if local is not None:
            return getattr(local, "_loop", None)
    try:
        return asyncio.get_event_loop()
    except RuntimeError:
        return None
