"""What code that looks into an asyncio loop finds as its selector and its queues.

Some code makes asyncio's iteration itself (nest_asyncio), or puts a ``select`` of its
own into the selector (looptime): it works on a loop of ours as on asyncio's own.
"""

from __future__ import annotations

import selectors
from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import methodcaller
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from tornado4 import _core


class HasFileno(Protocol):
    """A file object."""

    def fileno(self) -> int:
        """Return the file's descriptor."""
        ...


class SelectorView:
    """A read-only view of the descriptors that a loop watches.

    asyncio's base class wants a selector to close, and some code looks up
    descriptors in it; the loop itself polls natively. A ``select`` that is put on the
    view is used.
    """

    def __init__(self, loop: Any) -> None:
        self._loop = loop

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        if name == "select":
            self._loop._drive(True)

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        if name == "select":
            self._loop._drive(False)

    @property
    def is_driven(self) -> bool:
        """Whether somebody's own ``select`` is to be used."""
        return "select" in self.__dict__

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait as `selectors.BaseSelector` does. What is ready is queued already."""
        self._loop._ready.restart()
        ready = self._loop._poll_once(timeout)
        if not ready:
            return []
        handles = self._loop._handles()
        keys = [(self._key(fd, *handles[fd]), mask) for fd, mask in ready if fd in handles]
        return keys

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


class _Rest:
    """The ready calls of a turn as one handle: they are run natively."""

    # asyncio names it in its report of a slow call.
    _callback = None
    _cancelled = False

    def __init__(self, run: Callable[[], object]) -> None:
        self._run = run

    def cancelled(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "<the ready calls>"


def _nothing() -> None:
    """Run what the rest of the turn has run already."""


class ReadyView:
    """What looks like a loop's queue of ready handles.

    Whoever takes the first one out and runs it runs all that is ready then; the others
    that there were do nothing.
    """

    def __init__(self, loop: _core.EventLoop) -> None:
        self._loop = loop
        self._spent = 0

    def restart(self) -> None:
        """Another iteration begins."""
        self._spent = 0

    def __len__(self) -> int:
        return self._loop._ready_count()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._loop._ready_calls())

    def __getitem__(self, index: int) -> Any:
        return self._loop._ready_calls()[index]

    def __repr__(self) -> str:
        return f"deque({self._loop._ready_calls()!r})"

    def popleft(self) -> Any:
        """Take out the next handle; `IndexError` if there is none."""
        if self._spent:
            self._spent -= 1
            return _Rest(_nothing)
        count = len(self)
        if not count:
            raise IndexError("pop from an empty deque")

        def run() -> None:
            self._loop._run_ready()
            # A nested iteration may have begun meanwhile.
            self._spent = count - 1

        return _Rest(run)

    def clear(self) -> None:
        """Drop what is ready."""
        self._loop._clear_ready()

    def append(self, handle: Any) -> None:
        """Queue a handle."""
        self._loop._add_ready(handle)

    def extend(self, handles: Iterable[Any]) -> None:
        """Queue handles."""
        for handle in handles:
            self.append(handle)

    def extendleft(self, handles: Iterable[Any]) -> None:
        """Queue handles, the last one first. They don't overtake what is ready."""
        self.extend(reversed([*handles]))


class ShowsQueues:
    """What a loop has in the place of the attributes in which asyncio's own keeps its queues."""

    if TYPE_CHECKING:

        def _timer_handles(self) -> list[_core.TimerHandle]: ...

    _ready_view: ReadyView | None

    @property
    def _ready(self) -> ReadyView:
        view = self._ready_view
        return ReadyView(self) if view is None else view  # type: ignore[arg-type]

    @_ready.setter
    def _ready(self, queue: object) -> None:
        self._ready_view = ReadyView(self)  # type: ignore[arg-type]

    @property
    def _scheduled(self) -> list[_core.TimerHandle]:
        # The next one first: a heap, as `heapq` has it.
        return sorted(self._timer_handles(), key=methodcaller("when"))

    @_scheduled.setter
    def _scheduled(self, timers: object) -> None:
        """Ignore it: asyncio sorts out what was cancelled, which isn't there."""
