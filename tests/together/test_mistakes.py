"""The likeliest mistakes: each is told once, with what happened, where, and what to do.

docs/mistakes.md shows them. A program of its own for each: most are a matter of the process.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from helpers.mistakes import NOTES, errors, last, told, warnings_in
from tornado4.platform._advice import CLOSED

# Installing


def test_installing_twice(tmp_path: Path) -> None:
    said = told(
        tmp_path,
        """
        from tornado4.platform.twisted import install
        install()
        install()
        """,
        fails=True,
    )
    assert last(said) == (
        "twisted.internet.error.ReactorAlreadyInstalledError: reactor already installed: "
        f"tornado4.platform.twisted.TornadoReactor, by install() in {tmp_path}/program.py, line 2. "
        "There is one for the process: from twisted.internet import reactor."
    )


@pytest.mark.parametrize(
    "imports",
    [
        "from twisted.internet import defer, reactor",
        "import twisted.internet.reactor",
        "from twisted.internet import (\n    defer,\n    reactor,\n)",
        "def imported():\n    from twisted.internet import reactor\nimported()",
    ],
)
def test_installing_late_names_who_was_first(tmp_path: Path, imports: str) -> None:
    (tmp_path / "somebodys.py").write_text(f"# One line.\n{imports}\n")
    said = told(
        tmp_path,
        """
        import somebodys
        from tornado4.platform.twisted import install
        install()
        """,
        fails=True,
    )
    line = 3 if imports.startswith("def") else 2
    assert re.fullmatch(
        r".*ReactorAlreadyInstalledError: reactor already installed: twisted\.internet\.\w+\.\w+, "
        rf"by the import of twisted\.internet\.reactor in {tmp_path}/somebodys\.py, line {line}\. "
        r"Call tornado4\.platform\.twisted\.install\(\) before that, .* below\.",
        last(said),
    )


def test_installing_late_after_an_import_of_ones_own(tmp_path: Path) -> None:
    said = told(
        tmp_path,
        """
        from twisted.internet import reactor
        from tornado4.platform.twisted import install
        install()
        """,
        fails=True,
    )
    assert f"{tmp_path}/program.py, line 1. Call tornado4" in last(said)


def test_forgetting_to_install(tmp_path: Path) -> None:
    said = told(
        tmp_path,
        """
        import asyncio, tornado4
        async def main():
            from twisted.internet import reactor
            reactor.callLater(0.01, print, "called")
            await asyncio.sleep(0.05)
        tornado4.run(main())
        """,
        fails=False,
    )
    (warning,) = warnings_in(said)
    assert re.match(
        rf"{tmp_path}/program\.py:3: RuntimeWarning: Twisted's own \w+ was installed by the "
        rf"import of twisted\.internet\.reactor in {tmp_path}/program\.py, line 3 and given work, "
        r"and never ran, .* Call tornado4\.platform\.twisted\.install\(\) before anything",
        warning,
    )


def test_a_reactor_of_twisteds_that_runs_is_nobodys_mistake(tmp_path: Path) -> None:
    code = """
        import asyncio, tornado4
        from twisted.internet import reactor
        {given}
        tornado4.run(asyncio.sleep(0))
        """
    ran = "reactor.callLater(0, reactor.stop); reactor.run(); reactor.callLater(1, print)"
    for given in ("", ran):
        assert told(tmp_path, code.format(given=given), fails=False) == ""


def test_asyncio_run_beside_an_installed_reactor(tmp_path: Path) -> None:
    said = told(
        tmp_path,
        """
        import asyncio
        from tornado4.platform.twisted import install
        reactor = install()
        reactor.callLater(0.01, print, "called")
        asyncio.run(asyncio.sleep(0.05))
        """,
        fails=False,
    )
    (warning,) = warnings_in(said)
    assert re.match(
        rf"{tmp_path}/program\.py:3: RuntimeWarning: <EventLoop .*> with Twisted's reactor was "
        r"given work .* never ran, "
        r".* by reactor\.run\(\), or tornado4\.run\(main\(\)\) in place of asyncio\.run",
        warning,
    )


def test_a_server_made_before_the_loop_that_runs(tmp_path: Path) -> None:
    said = told(
        tmp_path,
        """
        import asyncio, tornado4, tornado4.ioloop
        from tornado4.web import Application
        server = Application().listen(0, "127.0.0.1")
        tornado4.run(asyncio.sleep(0.05))
        """,
        fails=False,
    )
    (warning,) = warnings_in(said)
    assert f"{tmp_path}/program.py:3: RuntimeWarning: <EventLoop " in warning
    assert "give the work to the loop that runs" in warning


# Running


def test_running_twice(tmp_path: Path) -> None:
    said = told(
        tmp_path,
        """
        from tornado4.platform.twisted import install
        reactor = install()
        reactor.callWhenRunning(reactor.stop)
        reactor.run()
        reactor.run()
        """,
        fails=True,
    )
    assert 'program.py", line 5, in <module>' in said
    assert re.fullmatch(
        r"twisted\.internet\.error\.ReactorNotRestartable: .* "
        r"install\(restartable=True\), or use tornado4\.platform\.twisted\.run_once\(.*",
        last(said),
    )


RUNS = {
    "tornado4.run(other())": "await the coroutine.",
    "IOLoop.current().start()": "In a coroutine, await what is to be run;",
    "IOLoop(make_current=False).start()": "In a coroutine, await what is to be run;",
    "IOLoop.current().run_sync(print)": "In a coroutine, await what is to be run;",
    "asyncio.get_running_loop().run_until_complete(made)": "In a coroutine, await what is to be",
    "tornado4.new_event_loop().run_until_complete(made)": "In a coroutine, await what is to be",
    "TornadoReactor().run()": "a reactor starts with its loop, unasked.",
    "run_once(print)": "Give the function the reactor that runs,",
}


@NOTES
def test_running_within_a_run(tmp_path: Path) -> None:
    code = """
        import tornado4
        from tornado4.ioloop import IOLoop
        from tornado4.platform.twisted import TornadoReactor, run_once
        import asyncio
        async def other(): pass
        async def main():
            made = asyncio.get_running_loop().create_future()
            {calls}
        tornado4.run(main())
        """
    for call, said in errors(tmp_path, code, [*RUNS]).items():
        assert said.startswith("RuntimeError: "), call
        assert RUNS[call] in said, call


def test_running_the_reactor_within_itself(tmp_path: Path) -> None:
    said = told(
        tmp_path,
        """
        import sys
        from twisted.python import log
        log.startLogging(sys.stderr)
        from tornado4.platform.twisted import install
        reactor = install()
        reactor.callLater(0, reactor.run)
        reactor.callLater(0.01, reactor.stop)
        reactor.run()
        """,
        fails=False,
    )
    assert "ReactorAlreadyRunning: reactor.run() was called while the reactor runs: it goes" in said


@NOTES
def test_closing_what_runs(tmp_path: Path) -> None:
    code = """
        import asyncio, tornado4
        from tornado4.ioloop import IOLoop
        async def main():
            {calls}
        tornado4.run(main())
        """
    calls = ["asyncio.get_running_loop().close()", "IOLoop.current().close()"]
    for said in errors(tmp_path, code, calls).values():
        assert re.match(r"RuntimeError: Cannot close a running (event loop|IOLoop)", said)
        assert re.search(r"[Ss]top it first", said)


AFTER = [
    "loop.call_soon(print)",
    "loop.run_forever()",
    "io_loop.start()",
    "io_loop.call_later(1, print)",
    "reactor.callLater(1, print)",
    "reactor.run()",
    "TornadoReactor(io_loop)",
]


@NOTES
def test_use_after_close(tmp_path: Path) -> None:
    code = """
        from tornado4.ioloop import IOLoop
        from tornado4.platform.twisted import TornadoReactor
        io_loop = IOLoop()
        loop, reactor = io_loop.asyncio_loop, TornadoReactor(io_loop)
        io_loop.close()
        {calls}
        """
    for call, said in errors(tmp_path, code, AFTER).items():
        # The same words from Rust and from Python.
        assert said == f"RuntimeError: Event loop is closed | {CLOSED}", call


def test_stopping_what_does_not_run(tmp_path: Path) -> None:
    code = "from tornado4.platform.twisted import install\ninstall().stop()\n"
    said = told(tmp_path, code, fails=True)
    assert last(said).endswith("ReactorNotRunning: Can't stop reactor that isn't running.")


# Forks


def test_a_child_that_goes_on_with_its_parents_loop(tmp_path: Path) -> None:
    said = told(
        tmp_path,
        """
        import os, tornado4
        loop = tornado4.new_event_loop()
        def fork():
            if os.fork():
                os.wait()
                loop.stop()
            loop.call_soon(print, "once")
        loop.call_soon(fork)
        loop.run_forever()
        loop.close()
        """,
        fails=False,
    )
    # The child's: the parent ends well.
    assert said.count("RuntimeError: This event loop is the parent process's, which ran it") == 1
    assert "End the child by os._exit()" in said


@pytest.mark.parametrize("when", ["before", "during"])
def test_a_fork_that_is_nobodys_mistake(tmp_path: Path, when: str) -> None:
    before = "pid = os.fork()\n        " if when == "before" else ""
    during = "os.fork() or os._exit(0)" if when == "during" else "pass"
    said = told(
        tmp_path,
        f"""
        import os, tornado4
        loop = tornado4.new_event_loop()
        {before}def job():
            {during}
        loop.call_soon(job)
        loop.call_later(0.05, loop.stop)
        loop.run_forever()
        loop.close()
        """,
        fails=False,
    )
    assert said == ""


# TLS


def test_tls_without_pyopenssl(tmp_path: Path) -> None:
    said = told(
        tmp_path,
        """
        import sys
        sys.modules["OpenSSL"] = None
        from tornado4.platform.twisted import install
        reactor = install()
        reactor.listenSSL(0, None, None)
        """,
        fails=True,
    )
    assert last(said).startswith("AssertionError: SSL support is not present: ")
    assert "pip install" in last(said)
