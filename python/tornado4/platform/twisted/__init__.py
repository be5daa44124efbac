"""The Twisted face: a Twisted reactor on a Tornado IOLoop.

``install()`` makes it the global reactor; then ``IOLoop.current().start()``
or ``reactor.run()`` runs Twisted, Tornado and asyncio together. Follows the
documentation of ``tornado.platform.twisted`` of Tornado 4.5.
"""

from __future__ import annotations

from tornado4.platform.twisted._install import install
from tornado4.platform.twisted._reactor import TornadoReactor

__all__ = ["TornadoReactor", "install"]

# Settings such as Scrapy's name the reactor by the place where users find it.
TornadoReactor.__module__ = __name__
