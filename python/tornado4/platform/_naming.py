"""How things are named: their module, and what `repr` says."""

from __future__ import annotations

from collections.abc import Iterable


def make_public(module: str, names: Iterable[str], namespace: dict[str, object]) -> None:
    """Let functions and classes tell the public module where users find them.

    Settings such as Scrapy's, pickles and documentation name things by that.
    """
    for name in names:
        thing = namespace[name]
        if getattr(thing, "__module__", "").startswith(module.partition(".")[0]):
            thing.__module__ = module


def counted(number: int, noun: str) -> str:
    """Return "1 timer", "2 timers"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
