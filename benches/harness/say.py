"""What a server tells about itself: a line of JSON each time."""

from __future__ import annotations

import json


def say(**what: object) -> None:
    """Tell it."""
    print(json.dumps(what), flush=True)


def say_transport(transport: object) -> None:
    """Tell which transports these are."""
    kind = type(transport)
    say(transport=f"{kind.__module__}.{kind.__qualname__}")
