"""A row whose work is done in one process, by calling a function again and again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from harness.context import Context
from harness.peers import check_installed
from harness.rows import Failed, Round, Row, Sample

# The share of a server's round that one of these takes: there are many short ones in it.
SHARE = 0.2


class Taken(NamedTuple):
    """Seconds, and those of CPU time, of all threads."""

    wall: float
    cpu: float | None


Measured = Callable[[], Taken]


@dataclass(frozen=True)
class Calls:
    """What every host of a face does in the same way.

    ``prepare`` takes a host and gives a function that does ``operations`` operations; it
    is called again and again. What it needs lasts as long as the context. With
    ``threads`` both CPUs are used.
    """

    operations: int
    prepare: Callable[[Any], AbstractContextManager[Measured]]
    threads: bool = False

    @contextmanager
    def open(self, context: Context, row: Row, peer: str) -> Iterator[Round]:
        check_installed(peer, row.needs)
        seconds = context.options.seconds * SHARE
        question = {"prepare": row.name, "seconds": seconds, "threads": self.threads}
        context.ask(row.face, peer, question)
        alive = True

        def measured() -> Sample:
            nonlocal alive
            alive = False
            answer = context.ask(row.face, peer, {"measure": True})
            alive = True
            return Sample(**answer)

        try:
            yield measured
        finally:
            if alive:
                with suppress(Failed):
                    context.ask(row.face, peer, {})

    def seconds(self, context: Context) -> float:
        # Rounds that take longer than that are those of very many timers.
        return max(context.options.seconds * SHARE * 1.3, self.operations * 5e-6)
