"""Clocks of somebody's own: a subclass's, an instance's, a reactor's."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tornado4.ioloop import IOLoop
from tornado4.platform.asyncio import EventLoop
from tornado4.platform.twisted import TornadoReactor


class Ahead(EventLoop):
    """A loop whose clock is an hour ahead."""

    def time(self) -> float:
        return super().time() + 3600


def test_an_asyncio_loop_with_a_clock_of_its_own() -> None:
    loop = Ahead()
    ran: list[str] = []
    loop.call_at(loop.time() + 0.02, ran.append, "at")
    later = loop.call_later(0.01, ran.append, "later")
    assert abs(later.when() - loop.time()) < 1000
    loop.call_later(0.03, loop.stop)
    loop.run_forever()
    loop.close()
    assert ran == ["later", "at"]


@pytest.mark.parametrize("where", ["subclass", "instance"])
def test_an_io_loop_with_a_clock_of_its_own(where: str) -> None:
    class Behind(IOLoop):
        def time(self) -> float:
            return time.time() - 3600

    io_loop: Any = Behind(make_current=False) if where == "subclass" else IOLoop(make_current=False)
    if where == "instance":
        io_loop.time = lambda: time.time() - 3600
    ran: list[str] = []
    io_loop.call_at(io_loop.time() + 0.02, ran.append, "at")
    io_loop.add_timeout(io_loop.time() + 0.01, ran.append, "timeout")
    io_loop.call_later(0.03, io_loop.stop)
    io_loop.start()
    io_loop.close()
    assert ran == ["timeout", "at"]


def test_a_reactor_with_a_clock_of_its_own() -> None:
    io_loop = IOLoop(make_current=False)
    reactor: Any = TornadoReactor(io_loop)
    reactor.seconds = lambda: 100.0
    call = reactor.callLater(5, int)
    assert (call.getTime(), call.seconds()) == (105.0, 100.0)
    call.reset(7)
    assert call.getTime() == 107.0
    call.delay(1)
    assert call.getTime() == 108.0
    call.cancel()
    io_loop.close()
