"""`install`, and each way to start the loop. The reactor is global, so each
test runs a process of its own."""

from __future__ import annotations

import textwrap

import pytest

from helpers.programs import output_of

PRELUDE = """
import asyncio, sys, threading
import tornado4, tornado4.platform.twisted
events = []
reactor = tornado4.platform.twisted.install()
from tornado.ioloop import IOLoop

def started():
    events.append(("started", asyncio.get_running_loop() is reactor._asyncioEventloop))

reactor.addSystemEventTrigger("before", "startup", events.append, "before")
reactor.callWhenRunning(started)
reactor.addSystemEventTrigger("before", "shutdown", events.append, "shutdown")
reactor.addSystemEventTrigger("after", "shutdown", events.append, "after")
"""


def run(code: str, prelude: str = PRELUDE) -> str:
    return output_of(prelude + textwrap.dedent(code))


ONCE = ["before", ("started", True), "shutdown", "after"]


@pytest.mark.parametrize(
    "start",
    [
        "IOLoop.current().start()",
        "reactor.run()",
        "reactor.run(installSignalHandlers=False)",
        "tornado4.run(wait())",
        "reactor._asyncioEventloop.run_until_complete(wait())",
    ],
)
def test_every_start_fires_startup_once(start: str) -> None:
    out = run(f"""
        async def wait():
            while not done:
                await asyncio.sleep(0.01)
        done = []
        reactor.callLater(0.02, done.append, True)
        if "wait" not in {start!r}:
            reactor.callLater(0.05, reactor.stop)
        {start}
        if "complete" in {start!r}:
            reactor.stop()
            IOLoop.current().start()
        print(events)
    """)
    assert out.strip() == str(ONCE)


def test_starting_again_does_not_fire_startup_again() -> None:
    out = run("""
        for _ in range(3):
            reactor.callLater(0.01, IOLoop.current().stop)
            IOLoop.current().start()
        print(events, reactor.running)
        reactor.callWhenRunning(reactor.stop)
        IOLoop.current().start()
        print(events, reactor.running)
    """)
    assert out.splitlines() == [f"{ONCE[:2]} True", f"{ONCE} False"]


def test_install_inside_a_running_loop() -> None:
    out = run(
        """
        import asyncio, tornado4
        async def main():
            from tornado4.platform.twisted import install
            reactor = install()
            assert reactor._asyncioEventloop is asyncio.get_running_loop()
            started = asyncio.Event()
            reactor.callWhenRunning(started.set)
            reactor.addSystemEventTrigger("before", "shutdown", print, "shutdown")
            await started.wait()
            from twisted.internet.task import deferLater
            return await deferLater(reactor, 0.01, lambda: "slept").asFuture(
                asyncio.get_running_loop())
        print(tornado4.run(main()))
        """,
        prelude="",
    )
    assert out.splitlines() == ["shutdown", "slept"]


def test_run_waits_for_what_shutdown_waits_for() -> None:
    out = run("""
        from twisted.internet.task import deferLater
        reactor.addSystemEventTrigger("before", "shutdown", deferLater, reactor, 0.05,
                                      events.append, "waited")
        async def main():
            await asyncio.sleep(0.01)
        tornado4.run(main())
        print(events)
    """)
    assert out.strip() == str([*ONCE[:3], "waited", "after"])


def test_what_install_returns_is_the_global_reactor() -> None:
    out = run("""
        from twisted.internet import reactor as installed
        from twisted.internet.asyncioreactor import AsyncioSelectorReactor
        print(installed is reactor, isinstance(reactor, AsyncioSelectorReactor))
        print(f"{type(reactor).__module__}.{type(reactor).__qualname__}")
        print(type(IOLoop.current()).__module__)
        print(IOLoop.current().asyncio_loop is reactor._asyncioEventloop)
    """)
    assert out.splitlines() == [
        "True True",
        "tornado4.platform.twisted.TornadoReactor",
        "tornado4.ioloop",
        "True",
    ]


@pytest.mark.parametrize(
    ("before", "name"),
    [
        ("tornado4.platform.twisted.install()", "tornado4.platform.twisted.TornadoReactor"),
        (
            "from twisted.internet import epollreactor; epollreactor.install()",
            "twisted.internet.epollreactor.EPollReactor",
        ),
    ],
)
def test_a_second_install_names_the_reactor_that_is_there(before: str, name: str) -> None:
    out = run(
        f"""
        import tornado4.platform.twisted
        from twisted.internet.error import ReactorAlreadyInstalledError
        {before}
        import sys
        loops = len(sys.modules["tornado.ioloop"].IOLoop._ioloop_for_asyncio)
        try:
            tornado4.platform.twisted.install()
        except ReactorAlreadyInstalledError as error:
            print(error)
        print(len(sys.modules["tornado.ioloop"].IOLoop._ioloop_for_asyncio) - loops)
        """,
        prelude="",
    )
    said, loops = out.splitlines()
    assert said.startswith(f"reactor already installed: {name}. ")
    assert loops == "0"


def test_install_on_a_given_io_loop() -> None:
    out = run(
        """
        import tornado4.platform.twisted
        from tornado4.ioloop import IOLoop
        io_loop = IOLoop(make_current=False)
        reactor = tornado4.platform.twisted.install(io_loop)
        reactor.callLater(0, io_loop.add_callback, reactor.stop)
        io_loop.start()
        print(reactor._io_loop is io_loop, reactor.running)
        """,
        prelude="",
    )
    assert out.strip() == "True False"


@pytest.mark.parametrize("bad", ["3", "object()", "closed"])
def test_install_on_what_is_no_io_loop(bad: str) -> None:
    error = "RuntimeError: Event loop is closed" if bad == "closed" else "TypeError: not an IOLoop"
    out = run(
        f"""
        import asyncio, sys
        import tornado4.platform.twisted
        closed = tornado4.new_event_loop()
        closed.close()
        bad = {bad}
        try:
            tornado4.platform.twisted.install(bad)
        except (TypeError, RuntimeError) as error:
            print(f"{{type(error).__name__}}: {{error}}")
        print("twisted.internet.reactor" in sys.modules)
        if hasattr(bad, "close"):
            bad.close()
        """,
        prelude="",
    )
    refused, installed = out.splitlines()
    assert refused.startswith(error)
    assert installed == "False"


def test_child_processes_end_however_the_loop_was_started() -> None:
    for start in ["reactor.run()", "IOLoop.current().start()"]:
        out = run(f"""
            from twisted.internet.utils import getProcessOutputAndValue
            deferred = getProcessOutputAndValue(sys.executable, ["-c", "print('child')"])
            deferred.addCallback(print).addBoth(lambda _: reactor.stop())
            {start}
        """)
        assert out.strip() == "(b'child\\n', b'', 0)"


def test_sigint_under_io_loop_start_is_the_applications() -> None:
    out = run("""
        import os, signal
        # From a thread, while the loop waits: Twisted logs whatever is raised
        # while it makes a call.
        interrupt = threading.Timer(0.1, os.kill, [os.getpid(), signal.SIGINT])
        reactor.callWhenRunning(interrupt.start)
        try:
            IOLoop.current().start()
        except KeyboardInterrupt:
            print("interrupted", reactor.running)
        reactor.stop()
        IOLoop.current().start()
        print(reactor.running)
    """)
    assert out.splitlines() == ["interrupted True", "False"]


def test_sigint_under_reactor_run_stops_the_reactor() -> None:
    out = run("""
        import os, signal
        reactor.callWhenRunning(os.kill, os.getpid(), signal.SIGINT)
        reactor.run()
        print(events)
    """)
    assert out.strip() == str(ONCE)
