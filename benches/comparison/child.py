"""The process of one host.

Each host has a process of its own, because the interpreter adapts code to what
it is used with: a function that serves several loops is slower on each of them.
"""

from __future__ import annotations

import gc
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection

from .catalogue import WORK
from .hosts import new_host
from .work import Round, Work


class Child:
    """A process with one host in it, which waits unless it is told to work."""

    def __init__(self, face: str, name: str) -> None:
        context = get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(
            name=f"{face} on {name}", target=serve, args=(theirs, face, name), daemon=True
        )
        self._process.start()
        # Now a child that ends is noticed here.
        theirs.close()

    @contextmanager
    def prepared(self, work: Work) -> Iterator[Round]:
        """Prepare the work there. What is returned does a round of it."""
        self._ask(work.title)
        try:
            yield lambda: self._ask(True)
        finally:
            self._ask(False)

    def close(self) -> None:
        """End the process."""
        with suppress(BrokenPipeError):
            self._connection.send(None)
        self._process.join()

    def _ask(self, question: object) -> float:
        try:
            self._connection.send(question)
            answer: float = self._connection.recv()
        except (BrokenPipeError, EOFError):
            raise RuntimeError(f"{self._process.name} ended; see what it wrote") from None
        return answer


def serve(connection: Connection, face: str, name: str) -> None:
    """Do what the other side of the connection asks for; runs in the child."""
    # An interrupt is for the parent; this process ends when that closes it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    host = new_host(face, name)
    while (title := connection.recv()) is not None:
        with WORK[title].prepare(host) as measured:
            # What there is by now needn't be looked at before each round.
            gc.collect()
            gc.freeze()
            connection.send(0.0)
            while connection.recv():
                connection.send(without_collector(measured))
        gc.unfreeze()
        connection.send(0.0)


def without_collector(measured: Round) -> float:
    """Do a round in which no garbage is collected."""
    gc.collect()
    gc.disable()
    try:
        return measured()
    finally:
        gc.enable()
