"""Where a module of ours stands in the place of one of Tornado's, a program that was
written for Tornado's names finds them: those of the installed Tornado, and those that
Tornado 4.5 documents."""

from __future__ import annotations

import asyncio
import importlib
import sys
import warnings
from types import ModuleType

import pytest
import tornado.ioloop
from tornado import gen
from twisted.internet.defer import Deferred

import tornado4
import tornado4.ioloop
import tornado4.iostream
from helpers.aliases import run
from helpers.documented import DOCUMENTED, IOLOOP_DOCUMENTED, IOSTREAM_DOCUMENTED
from helpers.programs import output_of
from tornado4.platform.twisted import as_future

MODULES = ["ioloop", "platform", "platform.asyncio", "platform.twisted"]

SLOW = "gone since Tornado 5.0, whose IOLoop is asyncio's: its debug mode reports slow callbacks"
MISSING = {
    "set_blocking_signal_threshold": SLOW,
    "set_blocking_log_threshold": SLOW,
    "log_stack": SLOW,
}


def modules(name: str) -> tuple[ModuleType, ModuleType]:
    """Return Tornado's module of this name, and ours."""
    ours = importlib.import_module(f"tornado4.{name}")
    theirs = importlib.import_module(f"tornado.{name}")
    # Tornado registers its own way to convert Deferreds when it is imported. Before 6.5 that
    # may be now, and other tests in this process want ours.
    gen.convert_yielded.register(Deferred, as_future)  # type: ignore[attr-defined]
    return theirs, ours


def provided(module: ModuleType) -> set[str]:
    """Return the names that a module defines, and doesn't merely import."""
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    }


@pytest.mark.parametrize("name", MODULES)
def test_what_the_installed_tornado_provides(name: str) -> None:
    theirs, ours = modules(name)
    assert {name for name in provided(theirs) if not hasattr(ours, name)} == set()


def test_that_something_is_looked_for() -> None:
    assert provided(tornado.ioloop) >= {"IOLoop", "PeriodicCallback"}
    assert provided(modules("platform.asyncio")[0]) >= {"AsyncIOMainLoop", "to_asyncio_future"}
    assert provided(modules("platform.twisted")[0]) >= {"install"}


@pytest.mark.parametrize("name", DOCUMENTED)
def test_what_tornado_4_5_documents(name: str) -> None:
    _, ours = modules(name)
    assert [name for name in DOCUMENTED[name] if not hasattr(ours, name)] == []


def test_an_ioloop_has_what_tornado_4_5_documents() -> None:
    for io_loop_class in (tornado4.ioloop.IOLoop, modules("platform.twisted")[1].TwistedIOLoop):
        missing = {name for name in IOLOOP_DOCUMENTED.split() if not hasattr(io_loop_class, name)}
        assert missing == set(MISSING)
        names = {name for name in dir(tornado.ioloop.IOLoop) if not name.startswith("_")}
        assert names <= set(dir(io_loop_class))


def test_streams_have_what_tornado_4_5_documents() -> None:
    names = set(IOSTREAM_DOCUMENTED.split())
    of_one_class = {"connect", "start_tls", "wait_for_handshake"}
    for stream_class in (tornado4.iostream.BaseIOStream, tornado4.iostream.PipeIOStream):
        assert names - of_one_class <= set(dir(stream_class))
    assert names - {"wait_for_handshake"} <= set(dir(tornado4.iostream.IOStream))
    assert names <= set(dir(tornado4.iostream.SSLIOStream))


@pytest.mark.parametrize("name", sorted(provided(modules("platform.asyncio")[0])))
def test_tornados_names_beside_our_event_loop_are_its_own(name: str) -> None:
    theirs, ours = modules("platform.asyncio")
    assert getattr(ours, name) is getattr(theirs, name)


def test_a_policy_for_any_thread() -> None:
    theirs, ours = modules("platform.asyncio")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of policies, since Python 3.14
        assert ours.AnyThreadEventLoopPolicy is theirs.AnyThreadEventLoopPolicy


@pytest.mark.parametrize("name", ["nothing", "_private", "IOLoop", "__wrapped__"])
def test_a_name_that_nobody_has(name: str) -> None:
    _, ours = modules("platform.asyncio")
    with pytest.raises(AttributeError, match=rf"'tornado4.platform.asyncio' .*'{name}'$"):
        getattr(ours, name)


def test_the_error_of_run_sync() -> None:
    assert tornado4.ioloop.TimeoutError is tornado.ioloop.TimeoutError is asyncio.TimeoutError
    io_loop = tornado4.ioloop.IOLoop(make_current=False)
    with pytest.raises(tornado4.ioloop.TimeoutError):
        io_loop.run_sync(lambda: asyncio.sleep(10), timeout=0.01)
    io_loop.close()


def test_tornados_version() -> None:
    assert tornado4.version == tornado.version
    assert tornado4.version_info is tornado.version_info
    assert tornado4.version_info >= (6, 4)


def test_nothing_is_imported_before_a_name_is_asked_for() -> None:
    out = run("""
        import sys, tornado4.platform.asyncio
        def loaded():
            return sorted(name for name in sys.modules if name.partition(".")[0] == "tornado")
        print(hasattr(tornado4.platform.asyncio, "nothing"), loaded())
        from tornado4 import version, version_info
        print(version.split(".")[:2] == [str(part) for part in version_info[:2]], loaded())
        from tornado4.platform.asyncio import AsyncIOMainLoop
        print(AsyncIOMainLoop.__module__)
    """)
    assert out.splitlines() == ["False []", "True ['tornado']", "tornado.platform.asyncio"]


@pytest.mark.parametrize("set_loop", ["asyncio.new_event_loop()", "tornado4.new_event_loop()"])
def test_asyncios_main_loop_as_tornado_4_5_has_it(set_loop: str) -> None:
    out = output_of(f"""
        import asyncio, tornado4
        loop = {set_loop}
        asyncio.set_event_loop(loop)
        from tornado4.platform.asyncio import AsyncIOMainLoop, to_asyncio_future
        from tornado import gen
        io_loop = AsyncIOMainLoop()
        io_loop.install()
        @gen.coroutine
        def job():
            yield gen.sleep(0.01)
            return asyncio.get_running_loop() is loop
        async def main():
            return await to_asyncio_future(job())
        io_loop.call_later(0.01, print, "called")
        print(loop.run_until_complete(main()))
        io_loop.call_later(0.02, loop.stop)
        loop.run_forever()
        io_loop.close(all_fds=True)
        print(loop.is_closed())
        asyncio.set_event_loop(None)
    """)
    assert sorted(out.splitlines()) == ["True", "True", "called"]


def test_asyncio_loops_made_by_their_class() -> None:
    io_loop = modules("platform.asyncio")[1].AsyncIOLoop(make_current=False)
    assert io_loop.run_sync(lambda: asyncio.sleep(0, "slept")) == "slept"
    io_loop.close()
    assert sys.modules["tornado4.platform.asyncio"] is modules("platform.asyncio")[1]
