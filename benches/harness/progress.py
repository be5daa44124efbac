"""A bar for somebody who watches, and nothing for a file."""

from __future__ import annotations

import shutil
import sys
import time

BAR = 24


class Progress:
    """How much of so many seconds of work is done. Written to stderr."""

    def __init__(self, expected: float) -> None:
        self._expected = max(expected, 0.001)
        self._done = 0.0
        self._began = time.monotonic()
        self._shown = sys.stderr.isatty()

    def add(self, text: str, seconds: float) -> None:
        """Say what is under way, and how much more of the work is done."""
        self._done = min(self._done + seconds, self._expected)
        if not self._shown:
            return
        share = self._done / self._expected
        full = int(share * BAR)
        left = self._expected - self._done
        if share > 0.05:
            # By how long it has taken so far, from when that says something.
            left = (time.monotonic() - self._began) * (1 - share) / share
        line = f"[{'#' * full}{'.' * (BAR - full)}] {share:4.0%} {_minutes(left)} left  {text}"
        width = shutil.get_terminal_size().columns - 1
        print(f"\r\033[K{line[:width]}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Make room for other lines."""
        if self._shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
