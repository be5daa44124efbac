"""What type checkers are told of the reactor beyond what its code says."""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["DelayedCallOfOurs", "NoSuchAttribute", "Provides"]

if TYPE_CHECKING:
    # Twisted's interfaces mean nothing to a type checker without zope's plugin: by this base
    # a reactor may be passed on as IReactorTime, IReactorTCP or whatever is asked for.
    from typing import Any as Provides

    from twisted.internet.base import DelayedCall

    class DelayedCallOfOurs(DelayedCall, Provides):  # type: ignore[misc]
        """What `callLater` returns: to `isinstance` it is Twisted's."""

    class NoSuchAttribute:
        """Can't be called, so that mypy finds a misspelt name in spite of that base."""

else:
    DelayedCallOfOurs = NoSuchAttribute = None
    Provides = object
