"""Child processes: each on one CPU, none of which outlives its use."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import select
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from .rows import Failed

BENCHES = Path(__file__).parent.parent
PR_SET_PDEATHSIG = 1
# How much of what a child wrote to stderr is looked at when it has failed, in bytes.
LAST_WORDS = 4_096
_libc = ctypes.CDLL(None, use_errno=True)


def cpus() -> tuple[int, int]:
    """Choose a CPU for the server, and another for its load if there is one."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[-1]


class Child:
    """A process that answers with lines of JSON. A ``with`` ends it."""

    def __init__(
        self,
        name: str,
        command: list[str],
        cpu: int | None,
        more: dict[str, str] | None = None,
    ) -> None:
        """Start it, on a CPU if there is one, with more in its environment."""
        self.name = name
        self._rest = b""
        self._errors = TemporaryFile()  # noqa: SIM115, as long as the process

        def prepare() -> None:
            # Should this process be killed, its children are too.
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if cpu is not None:
                os.sched_setaffinity(0, {cpu})
            _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

        self._process = subprocess.Popen(
            command,
            cwd=BENCHES,
            env=os.environ | (more or {}),
            stderr=self._errors,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            preexec_fn=prepare,
        )

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End it."""
        # Nothing it does at its end is of interest.
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        self._errors.close()

    @property
    def ended(self) -> bool:
        """Whether it has come to its end."""
        return self._process.poll() is not None

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def answer(self, timeout: float) -> dict[str, Any]:
        """Wait for a line from it.

        :raises Failed: It ended, or there was none in so many seconds.
        """
        out = self._process.stdout
        assert out is not None
        deadline = time.monotonic() + timeout
        while b"\n" not in self._rest:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([out], [], [], left)[0]:
                raise Failed(f"{self.name} said nothing for {timeout:g} s{self._last_words()}")
            piece = os.read(out.fileno(), 65_536)
            if not piece:
                raise self._ended()
            self._rest += piece
        line, _, self._rest = self._rest.partition(b"\n")
        try:
            answer: dict[str, Any] = json.loads(line)
        except ValueError:
            raise Failed(f"{self.name} said {line!r}") from None
        return answer

    def ask(self, question: object, timeout: float) -> dict[str, Any]:
        """Write a line to it, and wait for its answer; as `answer`."""
        into = self._process.stdin
        assert into is not None
        try:
            into.write(json.dumps(question).encode() + b"\n")
        except BrokenPipeError:
            raise self._ended() from None
        return self.answer(timeout)

    def _ended(self) -> Failed:
        """Say how it ended, and the last that it wrote of why."""
        try:
            status = self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            return Failed(f"{self.name} closed its output")
        how = f"ended with status {status}"
        if status < 0:
            how = f"was ended by {signal.Signals(-status).name}"
        return Failed(f"{self.name} {how}{self._last_words()}")

    def _last_words(self) -> str:
        """Tell the last that it wrote to stderr."""
        size = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, size - LAST_WORDS))
        lines = self._errors.read().decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f": {last}" if last else ""

    def finish(self, timeout: float) -> None:
        """End its input, and wait until it has come to its own end.

        :raises Failed: It did so with a status other than 0, or didn't.
        """
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            status = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name} didn't end within {timeout:.0f} s") from None
        if status:
            raise self._ended()

    def worked(self) -> float:
        """Tell for how many seconds its threads have had a CPU.

        :raises Failed: It ended.
        """
        if self._process.poll() is not None:
            raise self._ended()
        nanoseconds = 0
        for thread in Path(f"/proc/{self.pid}/task").iterdir():
            # One may have ended meanwhile.
            with suppress(OSError):
                nanoseconds += int((thread / "schedstat").read_text().split()[0])
        return nanoseconds / 1e9

    def open_files(self) -> int:
        """Count its open files."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def most_open_files(self) -> int:
        """Tell how many open files it may have."""
        return resource.prlimit(self.pid, resource.RLIMIT_NOFILE)[0]

    def resident(self) -> int:
        """Tell how many bytes of memory it uses, exactly."""
        for line in Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Rss:"):
                return int(line.split()[1]) * 1_024
        raise Failed("the system doesn't tell how much memory a process uses")
