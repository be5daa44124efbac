"""The programs of examples/recipes, each run as its reader runs it: a process of its own,
which is talked to from outside and ends as it says."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

PLACE = Path(__file__).parent.parent.parent / "examples" / "recipes"
# Set where everything that the recipes need is installed.
COMPLETE = os.environ.get("TORNADO4_RECIPES") == "1"
LIMIT = 60.0  # seconds. Only a hang takes this long.


def needs(*modules: str) -> None:
    """Skip a test module without these; in `make test-recipes` nothing is skipped."""
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    if missing and COMPLETE:
        raise ImportError(f"test-recipes lacks {', '.join(missing)}")
    if missing:
        pytest.skip(f"{', '.join(missing)}: only in test-recipes", allow_module_level=True)


def free_port() -> int:
    """A port that nobody listens to now."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def fetch(url: str, body: bytes | None = None) -> bytes:
    """The answer of a server, which may be about to listen."""
    end = time.monotonic() + LIMIT
    while True:
        try:
            with urllib.request.urlopen(url, body, timeout=LIMIT) as answer:
                return bytes(answer.read())
        except urllib.error.URLError as error:
            refused = isinstance(error.reason, ConnectionRefusedError)
            if not refused or time.monotonic() > end:
                raise
        time.sleep(0.05)


class Program:
    """A process and what it has said, on stdout and stderr alike."""

    def __init__(self, command: list[str], **options: object) -> None:
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # As a group, which can be ended as a whole should it hang.
            start_new_session=True,
            **options,  # type: ignore[call-overload]
        )
        self.output = ""
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            with self._changed:
                self.output += line
                self._changed.notify_all()

    def says(self, pattern: str) -> re.Match[str]:
        """Wait until its output has a match, and return that."""
        end = time.monotonic() + LIMIT
        with self._changed:
            while (found := re.search(pattern, self.output)) is None:
                assert self._reader.is_alive(), f"ended without {pattern!r}:\n{self.output}"
                assert time.monotonic() < end, f"no {pattern!r} in:\n{self.output}"
                self._changed.wait(0.2)
        return found

    def ends(self, number: int | None = None, status: int = 0, harmless: str = "$^") -> str:
        """Wait for its end, after a signal if one is given; return all that it has said.

        Nothing of that may be a complaint, but for what matches `harmless`.
        """
        if number is not None:
            self.process.send_signal(number)
        try:
            ended = self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            pytest.fail(f"still runs, having said:\n{self.output}")
        self._reader.join(LIMIT)
        assert ended == status, self.output
        for sign in ("Traceback", "Exception ignored", "was never", "ResourceWarning", "Unhandled"):
            assert sign not in re.sub(harmless, "", self.output), self.output
        return self.output


@contextlib.contextmanager
def running(*command: str, **options: object) -> Iterator[Program]:
    """A program in a directory of its own, killed with its children should it be left."""
    env = os.environ | {"PYTHONUNBUFFERED": "1"} | options.pop("env", {})  # type: ignore[operator]
    program = Program([sys.executable, *command], env=env, **options)
    try:
        yield program
    finally:
        # The group outlives its leader as long as there are children.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(program.process.pid, signal.SIGKILL)
        program.process.wait()


def recipe(name: str) -> str:
    """The path of a recipe."""
    return str(PLACE / name)


def output_of(name: str, *arguments: str, **options: object) -> str:
    """Run a recipe that ends by itself; return what it says."""
    with running(recipe(name), *arguments, **options) as program:
        return program.ends()
