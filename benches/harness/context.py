"""What a run has: its options, the programs it has built, and who is compared."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from .processes import Child, cpus
from .programs import Programs
from .rows import ALONE, FALLBACK, OURS, Failed

# Tells ours to do without what it does with the OpenSSL that it knows.
DO_WITHOUT = {"TORNADO4_TLS": "fallback"}


@dataclass(frozen=True)
class Options:
    """How long things take.

    ``seconds`` is how long a round loads a server, ``patience`` how long anybody may say
    nothing, and ``fresh`` how many rounds a server serves before a new one takes its place.
    """

    seconds: float = 0.25
    patience: float = 30.0
    fresh: int = 3


class Context:
    """A run. A ``with`` ends whatever is left of it.

    ``builds`` are peers that are ours, each in a folder of its own.
    """

    def __init__(self, options: Options, builds: Mapping[str, Path] | None = None) -> None:
        self.options = options
        self._builds = dict(builds or {})
        self._stack = ExitStack()
        folder = self._stack.enter_context(TemporaryDirectory(prefix="tornado4-bench-"))
        self.programs = Programs(Path(folder))
        self._workers: dict[tuple[str, str], Child] = {}

    def __enter__(self) -> Context:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close_workers()
        self._stack.close()

    def name(self, peer: str) -> str:
        """Tell under which name a peer's process knows what it is to use."""
        return OURS if peer in (ALONE, FALLBACK, *self._builds) else peer

    def start(self, what: str, peer: str, *words: str, pinned: bool = True) -> Child:
        """Start a Python program for a peer, on the first CPU."""
        more = dict(DO_WITHOUT) if peer == FALLBACK else {}
        if peer in self._builds:
            # Found before what is installed.
            more["PYTHONPATH"] = str(self._builds[peer])
        cpu = cpus()[0] if pinned else None
        return Child(f"{what} on {peer}", [sys.executable, *words], cpu, more)

    def worker(self, face: str, peer: str) -> Child:
        """Return a process with a loop in it, which waits unless it is told to work.

        There is one for each peer of a face, because the interpreter adapts code to what
        it is used with: a function that serves several loops is slower on each of them.
        """
        key = (face, peer)
        found = self._workers.get(key)
        if found is None or found.ended:
            if found is not None:
                found.close()
            words = ("-m", "calls.worker", face, self.name(peer))
            found = self._workers[key] = self.start(f"{face}'s work", peer, *words)
        return found

    def ask(self, face: str, peer: str, question: dict[str, Any]) -> dict[str, Any]:
        """Ask a worker. One that doesn't answer is ended."""
        worker = self.worker(face, peer)
        try:
            return worker.ask(question, self.options.patience)
        except Failed:
            worker.close()
            self._workers.pop((face, peer), None)
            raise

    def close_workers(self) -> None:
        """End all of them."""
        for worker in self._workers.values():
            worker.close()
        self._workers.clear()
