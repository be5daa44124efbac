"""The loops under measurement, in the processes that serve or work."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import Any

from .peers import EPOLL, REACTOR
from .rows import OURS


def new_loop(name: str) -> Any:
    """Make the asyncio loop of that name, or by a ``module:function``."""
    loop: Any
    if name == OURS:
        import tornado4

        return tornado4.new_event_loop()
    if ":" in name:
        module, _, function = name.partition(":")
        return getattr(import_module(module), function)()
    if name == "uvloop":
        import uvloop

        return uvloop.new_event_loop()
    if name == "asyncio":
        return asyncio.SelectorEventLoop()
    if name == "aiofastnet":
        import aiofastnet
        import uvloop

        loop = aiofastnet.patch_loop(uvloop.new_event_loop())
    elif name == "rloop":
        import rloop

        loop = rloop.new_event_loop()
    else:
        raise ValueError(f"no loop is called {name!r}")
    # They report, at length, each client that leaves in the middle, as the load does.
    loop.set_exception_handler(lambda *_: None)
    return loop


def new_io_loop(name: str) -> Any:
    """Make a Tornado IOLoop: ours, or Tornado's on the asyncio loop named."""
    if name == OURS:
        import tornado4.ioloop

        return tornado4.ioloop.IOLoop(make_current=False)
    from tornado.platform.asyncio import AsyncIOLoop

    return AsyncIOLoop(make_current=False, asyncio_loop=new_loop(name))


def new_reactor(name: str) -> Any:
    """Make a reactor, which isn't the global one: ours, or one of Twisted's."""
    if name == OURS:
        from tornado4.platform.twisted import TornadoReactor

        return TornadoReactor(new_io_loop(name))
    if name == EPOLL:
        from twisted.internet.epollreactor import EPollReactor

        return EPollReactor()
    from twisted.internet.asyncioreactor import AsyncioSelectorReactor

    return AsyncioSelectorReactor(new_loop(name.removesuffix(REACTOR)))


def install_reactor(name: str) -> Any:
    """Make such a reactor the global one, and return it."""
    if name == OURS:
        from tornado4.platform.twisted import install

        install()
    elif name == EPOLL:
        from twisted.internet import epollreactor

        epollreactor.install()
    else:
        from twisted.internet.asyncioreactor import install as install_on

        install_on(new_loop(name.removesuffix(REACTOR)))
    from twisted.internet import reactor

    return reactor
