"""What the loops and what they give say of themselves, and that they always say it."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib
import pickle
import re
import socket
import threading

import pytest
from twisted.internet.protocol import Factory
from twisted.internet.selectreactor import SelectReactor

import tornado4.http
import tornado4.iostream
import tornado4.platform
import tornado4.platform.asyncio
import tornado4.platform.twisted
from helpers.programs import output_of
from tornado4.ioloop import IOLoop
from tornado4.platform.asyncio import EventLoop
from tornado4.platform.twisted import TornadoReactor, TwistedIOLoop, TwistedResolver

MODULES = [
    tornado4,
    tornado4.http,
    tornado4.ioloop,
    tornado4.iostream,
    tornado4.platform,
    tornado4.platform.asyncio,
    tornado4.platform.twisted,
]


def in_thread(function):
    said = []
    thread = threading.Thread(target=lambda: said.append(function()))
    thread.start()
    thread.join(30)
    return said[0]


def end(reactor: TornadoReactor) -> None:
    reactor.fireSystemEvent("shutdown")
    reactor.disconnectAll()


def test_an_ioloop() -> None:
    io_loop = IOLoop(make_current=False)
    assert repr(io_loop) == "<IOLoop stopped, 0 handlers, 0 timers>"
    one, other = socket.socketpair()
    io_loop.add_handler(one, print, IOLoop.READ)
    io_loop.add_handler(other.fileno(), print, IOLoop.READ)
    first = io_loop.call_later(100, print)
    io_loop.asyncio_loop.call_later(100, print)
    io_loop.asyncio_loop.add_reader(socket.socket(), print)  # none of Tornado's
    assert repr(io_loop) == "<IOLoop stopped, 2 handlers, 2 timers>"
    io_loop.remove_timeout(first)
    io_loop.remove_handler(one)
    running = []
    io_loop.add_callback(lambda: running.extend([repr(io_loop), in_thread(lambda: repr(io_loop))]))
    io_loop.add_callback(io_loop.stop)
    io_loop.start()
    assert running == ["<IOLoop running, 1 handler, 1 timer>"] * 2
    io_loop.close(all_fds=True)
    assert repr(io_loop) == "<IOLoop closed>"
    assert repr(tornado4._core.IOLoop.__new__(IOLoop)) == "<IOLoop not initialized>"


def test_an_asyncio_loop_says_what_asyncios_own_does() -> None:
    loop = EventLoop()
    assert repr(loop) == "<EventLoop running=False closed=False debug=False>"
    loop.close()
    assert repr(loop) == "<EventLoop running=False closed=True debug=False>"


def test_metrics() -> None:
    loop = EventLoop()
    metrics = tornado4.metrics(loop)
    assert repr(metrics) == f"<Metrics of {loop!r}>"
    loop.close()
    assert "closed=True" in repr(metrics)


def test_a_reactor() -> None:
    io_loop = IOLoop(make_current=False)
    reactor = TornadoReactor(io_loop)
    nothing = "0 readers, 0 writers, 0 delayed calls>"
    assert repr(reactor) == f"<TornadoReactor not running on EventLoop, {nothing}"
    reactor.listenTCP(0, Factory(), interface="127.0.0.1")
    reactor.callLater(100, print)
    said = []
    reactor.callWhenRunning(lambda: said.append(repr(reactor)))
    reactor.callWhenRunning(lambda: said.append(in_thread(lambda: repr(reactor))))
    reactor.callWhenRunning(reactor.stop)
    reactor.run(installSignalHandlers=False)
    some = "1 reader, 0 writers, 1 delayed call>"
    assert said == [f"<TornadoReactor running on EventLoop, {some}"] * 2
    assert repr(reactor).startswith("<TornadoReactor stopped on EventLoop, 0 readers")
    io_loop.close()
    assert repr(reactor) == f"<TornadoReactor on closed EventLoop, {nothing}"
    assert repr(TornadoReactor.__new__(TornadoReactor)) == "<TornadoReactor not initialized>"


def test_a_reactor_on_a_foreign_loop() -> None:
    loop = asyncio.SelectorEventLoop()
    reactor = TornadoReactor(loop)
    assert repr(reactor).startswith(f"<TornadoReactor not running on {type(loop).__name__}, 0 ")
    end(reactor)
    loop.close()
    assert repr(reactor).startswith(f"<TornadoReactor on closed {type(loop).__name__}, ")


def test_an_ioloop_on_a_reactor() -> None:
    class Own(TwistedIOLoop):
        pass

    io_loop = Own(SelectReactor(), make_current=False)
    assert repr(io_loop) == "<Own stopped, 0 handlers, 0 timers, on SelectReactor>"
    io_loop.close()
    assert repr(io_loop) == "<Own closed, on SelectReactor>"


def test_a_timeout() -> None:
    class Silent:
        def __call__(self) -> None: ...
        def __repr__(self) -> str:
            raise ValueError("no")

    io_loop = IOLoop(make_current=False)
    timeout = io_loop.call_later(100, print)
    assert repr(timeout) == "<Timeout pending <built-in function print>>"
    io_loop.remove_timeout(timeout)
    assert repr(timeout) == "<Timeout done or removed>"
    assert repr(io_loop.call_later(100, Silent())) == "<Timeout pending>"
    io_loop.close()


@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemExit])
def test_a_timeout_lets_out_what_ends_a_program(raised: type[BaseException]) -> None:
    class Ends:
        def __call__(self) -> None: ...
        def __repr__(self) -> str:
            raise raised

    io_loop = IOLoop(make_current=False)
    timeout = io_loop.call_later(100, Ends())
    with pytest.raises(raised):
        repr(timeout)
    io_loop.close()


def test_a_timeout_whose_callback_says_what_its_timeout_is() -> None:
    @dataclasses.dataclass
    class Connection:
        timeout: object = None

        def late(self) -> None: ...

    class Removing:
        def __call__(self) -> None: ...
        def __repr__(self) -> str:
            io_loop.remove_timeout(timeout)
            return "removed"

    io_loop = IOLoop(make_current=False)
    connection = Connection()
    connection.timeout = io_loop.call_later(100, connection.late)
    assert re.fullmatch(r"<Timeout pending <bound .*<Timeout .*>>", repr(connection.timeout))
    timeout = io_loop.call_later(100, Removing())
    assert repr(timeout) == "<Timeout pending removed>"
    assert repr(timeout) == "<Timeout done or removed>"
    io_loop.close()


def test_a_resolver() -> None:
    io_loop = IOLoop(make_current=False)
    resolver = TwistedResolver(io_loop, servers=[("127.0.0.1", 53)])
    assert re.fullmatch(r"<TwistedResolver open, on <IOLoop stopped, .*>>", repr(resolver))
    resolver.close()
    assert repr(resolver).startswith("<TwistedResolver closed, on <IOLoop ")
    io_loop.close()
    assert repr(resolver) == "<TwistedResolver closed, on <IOLoop closed>>"
    assert repr(object.__new__(TwistedResolver)) == "<TwistedResolver not initialized>"


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_what_is_public_is_named_by_where_it_is(module) -> None:
    for name in module.__all__:
        thing = getattr(module, name)
        if getattr(thing, "__module__", "tornado").startswith("tornado4"):
            assert thing.__module__ == module.__name__, name
            assert pickle.loads(pickle.dumps(thing)) is thing


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_dir_shows_what_is_public(module) -> None:
    names = dir(module)
    assert set(module.__all__) <= set(names)
    assert {name for name in names if name.startswith("_")} <= {"__version__"}
    for name in names:
        value = getattr(module, name)
        # No module that is merely used there.
        home = getattr(value, "__name__", "tornado").partition(".")[0]
        assert not isinstance(value, type(socket)) or home in ("tornado", "tornado4"), name


def test_the_faces_are_imported_when_they_are_asked_for() -> None:
    out = output_of("""
        import sys, tornado4
        print("twisted" in sys.modules, dir(tornado4.platform))
        print(hasattr(tornado4.platform, "nowhere"), hasattr(tornado4.platform, "__wrapped__"))
        print("tornado4.platform.asyncio" in sys.modules)
        print(tornado4.platform.twisted.install().__class__.__name__)
    """)
    assert out.splitlines() == [
        "False ['asyncio', 'twisted']",
        "False False",
        "False",
        "TornadoReactor",
    ]


def test_native_types_are_named_by_their_module() -> None:
    loop = EventLoop()
    for thing in (loop.call_soon(print), loop.call_later(1, print), loop.create_task):
        kind = type(thing)
        assert getattr(importlib.import_module(kind.__module__), kind.__name__) is kind
    loop.close()
