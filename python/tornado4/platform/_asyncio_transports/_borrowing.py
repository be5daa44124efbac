"""Classes that take over the functions of asyncio's."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T", bound=type)

# The special methods that asyncio's transports have.
_SPECIAL = {"__init__", "__repr__", "__del__"}


def borrowing(stock: type) -> Callable[[T], T]:
    """Give a class what `stock` and its bases have and itself has not.

    Its instances have to say in ``__class__`` that they are `stock`'s: for `isinstance`,
    and for the ``super()`` of the functions taken over, which goes by that.
    """

    def borrow(cls: T) -> T:
        own = {name for base in cls.__mro__[:-1] for name in vars(base)}
        for base in stock.__mro__[:-1]:
            for name, value in vars(base).items():
                is_special = name.startswith("__") and name not in _SPECIAL
                is_slot = isinstance(value, types.MemberDescriptorType)
                if name not in own and not is_special and not is_slot:
                    setattr(cls, name, value)
                    own.add(name)
        return cls

    return borrow
