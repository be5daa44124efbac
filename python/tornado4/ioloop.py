"""`IOLoop`, a real Tornado IOLoop on the loop in Rust.

The names that Tornado's own ``ioloop`` module has beside it are here too. Tornado 4.5's
``set_blocking_signal_threshold``, ``set_blocking_log_threshold`` and ``log_stack`` aren't,
as in Tornado since 5.0: asyncio's debug mode reports callbacks that are slow.

To import this module is to ask for our loop: where Tornado itself needs an IOLoop in
a thread that has none (`tornado.ioloop.IOLoop.current`, a server's ``listen``), it is
one of ours from then on. A loop that is there already, of whatever kind, stays.
"""

from __future__ import annotations

from tornado.ioloop import PeriodicCallback
from tornado.util import TimeoutError

from tornado4._io_loop import IOLoop, ask_for_ours

__all__ = ["IOLoop", "PeriodicCallback", "TimeoutError"]


def __dir__() -> list[str]:
    return __all__


ask_for_ours()
