"""Constants of the native sources, for tests whose sizes lie around them."""

import re
from pathlib import Path

SOURCES = Path(__file__).parent.parent.parent / "src"


def constants(path, known=()):
    """The numbers that a source file names, some of which are made of others."""
    found = dict(known)
    text = (SOURCES / path).read_text(encoding="utf-8")
    for name, value in re.findall(r"^(?:pub )?const (\w+): u\w+ = ([^;]+);", text, re.MULTILINE):
        # Products and sums of numbers and of names that come before.
        assert re.fullmatch(r"[\w\s*+()-]+", value), value
        found[name] = eval(value, {"__builtins__": {}}, dict(found))
    return found


_BUDGET = constants("core/stream/read_budget.rs")
_READING = constants("py/transport/read_buffer.rs", _BUDGET)

# The largest segment of the loopback interface, from which on what is read isn't copied.
SEGMENT = _BUDGET["SEGMENT"]

# How much is read at once, and how often in one iteration.
READ_SIZE = _READING["READ_SIZE"]
READS = _BUDGET["READS"]


def around(size):
    return [size - 1, size, size + 1]
