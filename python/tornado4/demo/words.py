"""What is said and heard: every word carries the name of the loop it was spoken on."""

from __future__ import annotations

import asyncio
import threading

HOST = "127.0.0.1"


def loop_name() -> str:
    """Name the running loop and this thread: equal names mean the same loop."""
    loop = asyncio.get_running_loop()
    kind = type(loop)
    return f"{kind.__module__}.{kind.__qualname__}@{id(loop):x}/{threading.get_ident():x}"


def said(service: str, text: str) -> bytes:
    """A service's answer, made where the service runs."""
    return f"{service} says {text.upper()} on {loop_name()}\n".encode()


def heard(answer: bytes) -> bytes:
    """The same answer, signed where the client received it."""
    return answer + f"heard on {loop_name()}\n".encode()


def expect(got: object, wanted: object) -> None:
    """Like ``assert got == wanted``, also under ``python -O``."""
    if got != wanted:
        raise AssertionError(f"got {got!r}, expected {wanted!r}")
