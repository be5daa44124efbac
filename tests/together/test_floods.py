"""Somebody asks too much of a loop: it is done, at bounded memory, and a quiet connection
beside it is served meanwhile.

`python -m helpers.floods FACE FLOOD SIZE` in this folder does one of any size by hand.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from helpers.faults.sweep import FACES
from helpers.floods import MESSAGES

TESTS = Path(__file__).parent.parent


def flooded(face: str, flood: str, size: int) -> Any:
    command = [sys.executable, "-m", "helpers.floods", face, flood, str(size)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=TESTS, timeout=290)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    # Nobody was forgotten, and who comes later is served.
    assert (result["quiet"], result["late"], result["told"]) == (MESSAGES, MESSAGES, [])
    return result


def check_connections(face: str, size: int) -> None:
    result = flooded(face, "connections", size)
    assert result["answered"] == size
    assert result["served"] == size + 2
    # Some kilobytes each.
    assert result["megabytes taken"] < 20 + size * 0.01


def check_calls(face: str, size: int) -> None:
    result = flooded(face, "calls", size)
    assert result["calls"] == size
    # Those that wait are all that there is.
    assert result["megabytes taken"] < 20 + size * 0.001


def check_timers(face: str, size: int) -> None:
    result = flooded(face, "timers", size)
    assert result["timers"] == size
    assert result["megabytes taken"] < 20 + size * 0.001


@pytest.mark.parametrize("face", FACES)
def test_many_connections(face: str) -> None:
    check_connections(face, 300)


@pytest.mark.parametrize("face", FACES)
def test_many_who_send_a_byte_at_a_time(face: str) -> None:
    result = flooded(face, "slow writers", 100)
    assert result["answered"] == 100


@pytest.mark.parametrize("face", FACES)
def test_peers_who_never_read(face: str) -> None:
    """The server stops to read from them, and keeps no more than the water marks allow, and
    what it had read when it stopped."""
    result = flooded(face, "never read", 4)
    assert result["megabytes taken"] < 30


@pytest.mark.parametrize("face", FACES)
def test_a_thread_that_makes_calls_as_fast_as_it_can(face: str) -> None:
    check_calls(face, 20_000)


@pytest.mark.parametrize("face", FACES)
def test_many_timers(face: str) -> None:
    check_timers(face, 20_000)


few_descriptors = pytest.mark.skipif(
    resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 11_000,
    reason="a process may have too few descriptors here",
)


@pytest.mark.slow  # Some twenty seconds each, for one face.
@few_descriptors
def test_ten_thousand_connections() -> None:
    check_connections("asyncio", 10_000)


@pytest.mark.slow
def test_a_million_timers() -> None:
    check_timers("twisted", 1_000_000)


@pytest.mark.slow
def test_a_million_calls_of_a_thread() -> None:
    check_calls("tornado", 1_000_000)
