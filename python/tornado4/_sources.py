"""Which code of Tornado's the native code was made from.

What is done natively leaves out functions of Tornado's. That is right only for the functions
that somebody has read: a distribution may have patched its Tornado, and a new version may
decide otherwise. So each has to be, to the letter, one of those in `_sources_known`, which
``tools/tornado_sources.py`` makes of Tornado's releases.
"""

from __future__ import annotations

import functools
import hashlib
import linecache
import re
import types
from collections.abc import Sequence
from typing import Any

__all__ = ["block", "digest", "digest_of"]


def block(lines: Sequence[str], first: int) -> list[str]:
    """Return the lines of a definition that begins there: up to the next one that is indented
    no further. A long signature ends in one that begins with a parenthesis."""
    begin = lines[first]
    indent = len(begin) - len(begin.lstrip())
    found: list[str] = []
    within = False
    for line in lines[first:]:
        text = line.strip()
        shallow = len(line) - len(line.lstrip()) <= indent
        if within and text and shallow and not text.startswith(")"):
            break
        within = within or bool(re.match(r"(async +)?def |class ", text))
        found.append(line.rstrip())
    while not found[-1]:
        found.pop()
    return found


def digest(lines: Sequence[str]) -> str:
    """Return what stands for lines of source."""
    text = "\n".join(line.strip() for line in lines)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _is_of_functools(function: Any) -> bool:
    """Tell whether it is a function with a cache, or one of `functools.singledispatch`."""
    if type(function) is types.FunctionType:
        return function.__code__ in functools.singledispatch.__code__.co_consts
    return type(function) is functools._lru_cache_wrapper


def digest_of(function: Any) -> str:
    """Return what stands for a function's source, or a class of patterns; "" if there is none."""
    if isinstance(function, type):
        patterns = (f"{name}={value.pattern!r}" for name, value in vars(function).items()
                    if isinstance(value, re.Pattern))  # fmt: skip
        return digest(sorted(patterns))
    if isinstance(function, re.Pattern):
        return digest([repr(function.pattern)])
    if type(function) in (classmethod, staticmethod):
        function = function.__func__
    if _is_of_functools(function):
        function = function.__wrapped__
    # Nothing that only says it is a function; and nobody's wrapper, which has a source of its own.
    if type(function) is not types.FunctionType:
        return ""
    code = function.__code__
    lines = linecache.getlines(code.co_filename)
    if not 0 < code.co_firstlineno <= len(lines):
        return ""
    return digest(block(lines, code.co_firstlineno - 1))
