"""Servers that fork, see `forks_world`, and what must come of it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.forks_world import REFUSED, TICKS
from helpers.programs import with_path

HERE = Path(__file__).parent.parent

# There a forked child has no running loop, and on stock too the step of a task that has forked
# can't end in it: "is not the running loop".
before_3_14 = pytest.mark.skipif(
    sys.version_info >= (3, 14), reason="Python 3.14 itself reports it in the child"
)

# With what status a child ends that does this; see `forks_world`.
STATUSES = {"r": REFUSED, "x": 6, "e": 7, "o": REFUSED, "g": REFUSED, "m": REFUSED, "t": REFUSED}

WORLDS = [
    ("asyncio", "tcp"),
    ("asyncio", "unix"),
    ("asyncio", "tls"),
    ("asyncio", "udp"),
    ("tornado", "tcp"),
    ("tornado", "tls"),
    ("twisted", "tcp"),
    ("twisted", "unix"),
    ("twisted", "tls"),
    ("twisted", "udp"),
]


def outcome_of(face, kind, seed, actions, stock=False):
    """What a server that forks says at its end, and the processes on stderr."""
    words = json.dumps([face, kind, stock, seed, actions])
    done = subprocess.run(
        [sys.executable, "-m", "helpers.forks_world", words],
        capture_output=True,
        text=True,
        timeout=120,
        env=with_path(HERE),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout), done.stderr


def check(face, kind, seed, actions):
    outcome, said = outcome_of(face, kind, seed, actions)
    # Each byte came back, once.
    assert outcome["peer"] == [None, None], said
    # Each timer, each byte in the pipe and the end of the other child were the parent's.
    log = sorted(outcome["log"])
    expected = [f"True tick {left}" for left in range(TICKS)]
    expected += ["True read"] * TICKS
    assert log == sorted([*expected, "True child 3"]), said
    # `sys.exit` is an error like others to Twisted, which logs it.
    statuses = STATUSES | {"s": REFUSED if face == "twisted" else 5}
    # The first one is forked while connections are accepted.
    made = ["r"] * (kind != "udp") + [action for action in actions if action != "."]
    assert outcome["children"] == [[action, statuses[action]] for action in made], said
    for sign in ("Exception ignored", "panicked", "never awaited"):
        assert sign not in said
