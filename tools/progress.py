"""Run a command that takes a while: ``progress.py LOG TITLE COMMAND...``.

Everything that the command says goes to the file LOG. What is worth a line of that is shown,
on a terminal or not, and how long it has been at it when it says nothing for a while. A
command that fails shows the end of LOG. No other line is longer than 80 columns.
"""

from __future__ import annotations

import os
import queue
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path

WIDTH = 79
QUIET = 10.0  # seconds without a word, until the time is told
#: The words of cargo and pip; without "(from ...)", which tells who wants it.
SHOWN = re.compile(
    r"\s*((?:Compiling|Collecting|Downloading crates|Building|Installing|Finished) .*?)"
    r"(?: \(from|$)"
)
LAST_LINES = 40


def main(arguments: list[str]) -> int:
    log, title, *command = arguments
    begun = told = time.monotonic()
    say(title)
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    # Or what a Python program has printed would come when it ends, after what it failed with.
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    with (
        open(log, "w", encoding="utf-8") as file,
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=environment,
        ) as process,
    ):
        assert process.stdout
        threading.Thread(target=read, args=(process.stdout, lines), daemon=True).start()
        while True:
            try:
                line = lines.get(timeout=max(told + QUIET - time.monotonic(), 0))
            except queue.Empty:
                told = time.monotonic()
                say(f"  ... {told - begun:.0f} seconds")
                continue
            if line is None:
                break
            file.write(line)
            if found := SHOWN.match(line):
                told = time.monotonic()
                say(f"  {found[1]}")
    if process.returncode:
        text = Path(log).read_text(encoding="utf-8")
        # As it is: nothing of an error may be cut off.
        print(*text.splitlines()[-LAST_LINES:], sep="\n")
        print(f"This failed: {title}\nAll that it said: {log}", flush=True)
    else:
        say(f"  done in {time.monotonic() - begun:.0f} seconds")
    return process.returncode


def read(stream: Iterable[str], lines: queue.SimpleQueue[str | None]) -> None:
    for line in stream:
        lines.put(line)
    lines.put(None)


def say(text: str) -> None:
    print(text if len(text) <= WIDTH else f"{text[: WIDTH - 3]}...", flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)  # as shells have it; the command was interrupted as well
