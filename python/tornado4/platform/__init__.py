"""The faces of the loop, named as Tornado 4.5 names its platform modules.

Each is imported when it is first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tornado4.platform import asyncio as asyncio
    from tornado4.platform import twisted as twisted

__all__ = ["asyncio", "twisted"]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name in __all__:
            return importlib.import_module(f"{__name__}.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
