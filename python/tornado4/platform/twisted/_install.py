"""Installing the global reactor."""

from __future__ import annotations

import asyncio
import logging
import sys

import tornado.ioloop
from twisted.internet.error import ReactorAlreadyInstalledError
from twisted.internet.main import installReactor

from tornado4._io_loop import ask_for_ours
from tornado4.platform._advice import place_in_users_code
from tornado4.platform._importers import importers_of_reactor, told
from tornado4.platform._runner import prefer
from tornado4.platform.asyncio import EventLoop
from tornado4.platform.twisted._reactor import TornadoReactor


def install(
    io_loop: tornado.ioloop.IOLoop | asyncio.AbstractEventLoop | None = None,
    *,
    restartable: bool = False,
) -> TornadoReactor:
    """Install a `TornadoReactor` as Twisted's global reactor and return it.

    To be called before anything imports ``twisted.internet.reactor``. ``io_loop`` and
    ``restartable`` are as for `TornadoReactor`. On a loop of ours, it is also ours that
    Tornado makes from then on for a thread that has none, and that `tornado4.run` runs in
    this thread; that another loop drives the reactor is logged, at level INFO by
    ``tornado4``. Raises Twisted's `ReactorAlreadyInstalledError`, with the name of the
    reactor, if there is a global one. Follows the documentation of Tornado 4.5.
    """
    check_not_installed()
    reactor = TornadoReactor(io_loop, restartable=restartable)
    installReactor(reactor)
    reactor._installedAt = place_in_users_code()
    prefer(reactor._asyncioEventloop)
    if isinstance(reactor._asyncioEventloop, EventLoop):
        ask_for_ours()
    else:
        logging.getLogger("tornado4").info(
            "%r is the current event loop, and drives Twisted's reactor", reactor._asyncioEventloop
        )
    return reactor


def check_not_installed() -> None:
    """Raise `ReactorAlreadyInstalledError` if there is a global reactor."""
    installed = sys.modules.get("twisted.internet.reactor")
    if installed is None:
        return
    said = f"reactor already installed: {type(installed).__module__}.{type(installed).__qualname__}"
    place = getattr(installed, "_installedAt", None)
    if isinstance(installed, TornadoReactor):
        by = f", by install() in {place[0]}, line {place[1]}" if place is not None else ""
        what_to_do = "There is one for the process: from twisted.internet import reactor."
    else:
        importers = told(importers_of_reactor())
        by = f", by the import of twisted.internet.reactor in {importers}" if importers else ""
        what_to_do = (
            "Call tornado4.platform.twisted.install() before that, at the top of the program, "
            "and import what imports the reactor below."
        )
    raise ReactorAlreadyInstalledError(f"{said}{by}. {what_to_do}")
