"""What code that looks into an asyncio loop finds as its selector."""

from __future__ import annotations

import selectors
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tornado4 import _core


class HasFileno(Protocol):
    """A file object."""

    def fileno(self) -> int:
        """Return the file's descriptor."""


class SelectorView:
    """A read-only view of the descriptors that a loop watches.

    asyncio's base class wants a selector to close, and some code looks up
    descriptors in it; the polling itself is native.
    """

    def __init__(self, loop: _core.EventLoop) -> None:
        self._loop = loop

    def get_map(self) -> Mapping[int, selectors.SelectorKey]:
        """Return the watched descriptors, as `selectors.BaseSelector` does."""
        return {fd: self._key(fd, *pair) for fd, pair in self._loop._handles().items()}

    def get_key(self, fileobj: int | HasFileno) -> selectors.SelectorKey:
        """Return the key of a descriptor; `KeyError` if it isn't watched."""
        fd = fileobj if isinstance(fileobj, int) else fileobj.fileno()
        return self.get_map()[fd]

    def close(self) -> None:
        """Do nothing: the loop closes its poll itself."""

    @staticmethod
    def _key(
        fd: int, reader: _core.Handle | None, writer: _core.Handle | None
    ) -> selectors.SelectorKey:
        events = selectors.EVENT_READ if reader is not None else 0
        if writer is not None:
            events |= selectors.EVENT_WRITE
        return selectors.SelectorKey(fd, fd, events, (reader, writer))
