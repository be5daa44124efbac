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
from pathlib import Path
from typing import Any

BENCHES = Path(__file__).parent.parent
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class Failed(Exception):
    """A child process ended, or said nothing, or something unexpected."""


def cpus() -> tuple[int, int]:
    """Choose a CPU for the server, and another for its load if there is one."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[-1]


class Child:
    """A process that answers with lines of JSON. A ``with`` ends it."""

    def __init__(self, name: str, command: list[str], cpu: int) -> None:
        self.name = name
        self._rest = b""

        def prepare() -> None:
            # Should this process be killed, its children are too.
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            os.sched_setaffinity(0, {cpu})
            _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

        # What it writes to stderr is for whoever reads ours.
        self._process = subprocess.Popen(
            command,
            cwd=BENCHES,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            preexec_fn=prepare,
        )

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_exception: object) -> None:
        # Nothing it does at its end is of interest.
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

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
                raise Failed(f"{self.name} said nothing for {timeout:.0f} s")
            piece = os.read(out.fileno(), 65_536)
            if not piece:
                raise Failed(f"{self.name} ended; see what it wrote")
            self._rest += piece
        line, _, self._rest = self._rest.partition(b"\n")
        try:
            answer: dict[str, Any] = json.loads(line)
        except ValueError:
            raise Failed(f"{self.name} said {line!r}") from None
        return answer

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
            raise Failed(f"{self.name} ended with status {status}")

    def worked(self) -> float:
        """Tell for how many seconds its main thread has had a CPU.

        :raises Failed: It ended.
        """
        if self._process.poll() is not None:
            raise Failed(f"{self.name} ended; see what it wrote")
        return int(Path(f"/proc/{self.pid}/schedstat").read_text().split()[0]) / 1e9

    def open_files(self) -> int:
        """Count its open files."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def resident(self) -> int:
        """Tell how many bytes of memory it uses, exactly."""
        for line in Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Rss:"):
                return int(line.split()[1]) * 1_024
        raise Failed("the system doesn't tell how much memory a process uses")
