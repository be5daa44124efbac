"""Compiles the shim, and plans from inside a process what it lets fail."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).with_name("shim.c")
COMPILER = shutil.which("cc") or shutil.which("gcc")


def compiled(folder: Path) -> Path:
    """Return the shim as a library, made in a folder."""
    assert COMPILER, "there is a C compiler, as skip_reason says"
    library = folder / "shim.so"
    command = [COMPILER, "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([*command, "-o", str(library), str(SOURCE), "-ldl"], check=True)
    return library


def environment(library: Path) -> dict[str, str]:
    """Return the environment for a process with the shim."""
    return {**os.environ, "LD_PRELOAD": str(library)}


@functools.cache
def loaded() -> Any:
    """Return the shim of this process."""
    library = ctypes.PyDLL(None)
    library.faults_name.restype = ctypes.c_char_p
    library.faults_seen.restype = library.faults_harmed.restype = ctypes.c_long
    integer, long = ctypes.c_int, ctypes.c_long
    library.faults_plan.argtypes = [integer, integer, long, long, integer, long]
    return library


@functools.cache
def calls() -> list[str]:
    """Return the names of the calls that can be harmed, by their numbers."""
    names = []
    while name := loaded().faults_name(len(names)):
        names.append(name.decode())
    return names


# A descriptor that no call is of.
NOBODY = -2


@dataclass(frozen=True)
class Fault:
    """What happens to a call: an error, or so much of what was asked for."""

    call: str
    error: int = 0
    most: int = 0
    # The first one that it happens to, counted from the plan on, and how many in a row.
    first: int = 1
    times: int = 1

    def at(self, first: int, times: int = 1) -> Fault:
        return replace(self, first=first, times=times)

    def __str__(self) -> str:
        what = errno.errorcode[self.error] if self.error else f"no more than {self.most}"
        times = f", {self.times} times" if self.times > 1 else ""
        return f"{self.call} {self.first}: {what}{times}"

    def plan(self, fd: int = -1) -> None:
        number = calls().index(self.call)
        loaded().faults_plan(number, fd, self.first, self.times, self.error, self.most)


def plan_nothing() -> None:
    loaded().faults_plan(-1, -1, 0, 0, 0, 0)


def seen() -> dict[str, int]:
    """Return how many calls of each kind there were since the plan."""
    counts = ((name, loaded().faults_seen(index)) for index, name in enumerate(calls()))
    return {name: count for name, count in counts if count}


def harmed() -> int:
    """Return how many calls have been harmed since the plan."""
    count: int = loaded().faults_harmed()
    return count


@contextlib.contextmanager
def here() -> Iterator[None]:
    """Let the plan be about this thread's calls."""
    loaded().faults_here(1)
    try:
        yield
    finally:
        loaded().faults_here(0)
