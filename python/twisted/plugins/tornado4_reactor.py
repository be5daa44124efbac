"""Tells Twisted of the reactor, for ``--reactor=tornado4`` of its tools.

Twisted looks for plugins in every directory of this name on the path. Neither this
directory nor the one above may have an ``__init__.py``: they aren't packages.
"""

from twisted.application.reactors import Reactor

tornado4 = Reactor(
    "tornado4",
    "tornado4.platform.twisted",
    "One Rust event loop for Twisted, Tornado and asyncio.",
)
