"""A Twisted reactor on a Tornado IOLoop, and a Tornado IOLoop on a Twisted reactor.

`install` makes a `TornadoReactor` the global reactor; then ``reactor.run()``,
``IOLoop.current().start()`` or `tornado4.run` runs Twisted, Tornado and asyncio together.
Follows the documentation of ``tornado.platform.twisted`` of Tornado 4.5.
"""

from __future__ import annotations

import twisted

from tornado4 import _private_names

# Before the imports below, which may fail by it.
# ruff: noqa: E402
_private_names.warn_if_newer("Twisted", twisted.__version__)

from tornado4.platform._naming import make_public
from tornado4.platform.twisted._awaiting import as_deferred, as_future, task_factory
from tornado4.platform.twisted._install import install
from tornado4.platform.twisted._io_loop import TwistedIOLoop
from tornado4.platform.twisted._reactor import TornadoReactor
from tornado4.platform.twisted._resolver import TwistedResolver
from tornado4.platform.twisted._run_once import run_once

__all__ = [
    "TornadoReactor",
    "TwistedIOLoop",
    "TwistedResolver",
    "as_deferred",
    "as_future",
    "install",
    "run_once",
    "task_factory",
]

make_public(__name__, __all__, globals())


def __dir__() -> list[str]:
    return __all__
