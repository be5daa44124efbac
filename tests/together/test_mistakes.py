"""The likeliest mistakes: each is told once, with what happened, where, and what to do.

docs/mistakes.md shows them. A program of its own for each: most are a matter of the process.
"""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from helpers.programs import with_path
from tornado4.platform._advice import CLOSED

# What is added to an error of asyncio's is shown from Python 3.11 on.
NOTES = pytest.mark.skipif(sys.version_info < (3, 11), reason="exceptions have no notes yet")


def told(tmp_path: Path, code: str, *options: str, fails: bool | None = None) -> str:
    """Run a program, which is a file, and return what it says on standard error."""
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(code).lstrip())
    done = subprocess.run(
        [sys.executable, *options, program],
        capture_output=True,
        text=True,
        timeout=60,
        env=with_path(tmp_path),
    )
    if fails is not None:
        assert (done.returncode != 0) is fails, done.stderr
    return done.stderr


# Shows the error that a call gives, as a traceback's end shows it.
ERRORS = """
import traceback
def error_of(call):
    try:
        call()
    except Exception as error:
        print("> " + "".join(traceback.format_exception_only(error)).strip().replace("\\n", " | "))
    else:
        print("> nothing")
"""


def errors(tmp_path: Path, code: str, calls: list[str]) -> dict[str, str]:
    """Run a program that makes calls, at "{calls}", and return the error of each."""
    making = "; ".join(f"error_of(lambda: {call})" for call in calls)
    program = ERRORS + textwrap.dedent(code).replace("{calls}", making)
    (tmp_path / "calls.py").write_text(program)
    command = [sys.executable, "-Werror::RuntimeWarning", tmp_path / "calls.py"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line[2:] for line in done.stdout.splitlines() if line.startswith("> ")]
    return dict(zip(calls, lines, strict=True))


def last(said: str) -> str:
    return said.strip().splitlines()[-1]


def warnings_in(said: str) -> list[str]:
    return [line for line in said.splitlines() if "Warning: " in line]


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


# Threads, in debug mode

CALLS = {
    "loop.call_soon(print)": "use loop.call_soon_threadsafe()",
    "loop.call_later(1, print)": "use loop.call_soon_threadsafe()",
    "io_loop.add_handler(end, print, 1)": "IOLoop.add_callback()",
    "io_loop.update_handler(other, 1)": "IOLoop.add_callback()",
    "io_loop.remove_handler(other)": "IOLoop.add_callback()",
    "io_loop.add_timeout(1e10, print)": "IOLoop.add_callback()",
    "reactor.callLater(1, print)": "use reactor.callFromThread(reactor.callLater,",
    "reactor.addReader(None)": "use reactor.callFromThread(reactor.addReader,",
    "reactor.removeWriter(None)": "use reactor.callFromThread(reactor.removeWriter,",
}
SAFE = [
    "reactor.callFromThread(reactor.callLater, 1, print)",
    "io_loop.add_callback(id, 1)",
    "loop.call_soon_threadsafe(id, 1)",
]

IN_A_THREAD = """
    import asyncio, socket, threading, tornado4
    from tornado4.ioloop import IOLoop
    from tornado4.platform.twisted import TornadoReactor
    async def main():
        loop = asyncio.get_running_loop()
        reactor = TornadoReactor(loop)
        io_loop = IOLoop.current()
        await asyncio.sleep(0.01)
        end, other = socket.socketpair()
        io_loop.add_handler(other, print, 1)
        def calls():
            {calls}
        thread = threading.Thread(target=calls, name="Mine")
        thread.start()
        thread.join()
        io_loop.remove_handler(other)
        if DEBUG is False:
            io_loop.remove_handler(end)
        end.close()
        other.close()
    RUN(main(), debug=DEBUG)
    """


@NOTES
def test_a_wrong_thread(tmp_path: Path) -> None:
    code = IN_A_THREAD.replace("RUN", "tornado4.run").replace("DEBUG", "True")
    said = errors(tmp_path, code, [*CALLS, *SAFE])
    for call, advice in CALLS.items():
        assert said[call].startswith("RuntimeError: "), call
        assert "thread 'Mine'" in said[call]
        assert "in thread 'MainThread'" in said[call]
        assert advice in said[call]
    assert [said[call] for call in SAFE] == ["nothing"] * len(SAFE)


def test_a_wrong_thread_for_a_reactor_on_a_foreign_loop(tmp_path: Path) -> None:
    call = "reactor.callLater(1, print)"
    code = IN_A_THREAD.replace("RUN", "asyncio.run").replace("DEBUG", "True")
    said = errors(tmp_path, code, [call, SAFE[0]])
    assert "thread 'Mine'" in said[call]
    assert CALLS[call] in said[call]
    assert said[SAFE[0]] == "nothing"


def test_threads_are_not_looked_at_without_debug_mode(tmp_path: Path) -> None:
    code = IN_A_THREAD.replace("RUN", "tornado4.run").replace("DEBUG", "False")
    calls = [call for call in CALLS if "None" not in call]
    assert set(errors(tmp_path, code, [*calls, *SAFE]).values()) == {"nothing"}


# Coroutines

FIXTURE = """
    import asyncio, functools, logging, tornado4
    from tornado4.ioloop import IOLoop
    from tornado4.platform.twisted import as_deferred, as_future, install, run_once
    from twisted.internet.defer import Deferred, succeed
    reactor = install()
    async def job():
        print("job runs")
    {code}
    reactor.callLater(0.05, reactor.stop)
    reactor.run()
    """


@pytest.mark.parametrize("method", ["callLater(0, ", "callFromThread("])
def test_a_coroutine_in_the_place_of_a_function(tmp_path: Path, method: str) -> None:
    said = told(tmp_path, FIXTURE.format(code=f"reactor.{method}job())"), fails=True)
    assert 'program.py", line 8, in <module>' in said
    assert re.fullmatch(
        r"TypeError: reactor\.\w+\(\) takes a function and its arguments, got <coroutine object .*>"
        r": to run a coroutine, pass .* lambda: Deferred\.fromCoroutine\(job\(\)\), or, .*",
        last(said),
    )
    # Nothing beside it: as of a coroutine that was never awaited.
    assert warnings_in(said) == []


@pytest.mark.parametrize("method", ["callLater(0, ", "callFromThread("])
def test_a_coroutine_function_where_nobody_awaits(tmp_path: Path, method: str) -> None:
    said = told(tmp_path, FIXTURE.format(code=f"reactor.{method}job)"), fails=False)
    (warning,) = warnings_in(said)
    assert re.match(
        rf"{tmp_path}/program\.py:6: RuntimeWarning: reactor\.\w+\(\) calls job\(\), which only "
        r"makes a coroutine: nothing of it is run\. Instead, pass a function that starts it: ",
        warning,
    )
    # In debug mode at once, where it is passed.
    debug = f"reactor._asyncioEventloop.set_debug(True)\n    reactor.{method}job)"
    said = told(tmp_path, FIXTURE.format(code=debug), fails=True)
    assert 'program.py", line 9, in <module>' in said
    assert last(said).startswith("TypeError: reactor.")
    assert "calls job(), which only makes a coroutine" in last(said)
    said = told(
        tmp_path, FIXTURE.format(code=debug.replace("job)", "functools.partial(job))")), fails=True
    )
    assert "calls job(), which only makes a coroutine" in last(said)


def test_a_coroutine_that_somebody_has_is_left_alone(tmp_path: Path) -> None:
    code = """made = job()
    reactor.callLater(0, lambda: made)
    reactor.callLater(0.01, lambda: Deferred.fromCoroutine(made) and None)
    reactor.callLater(0, job().close)"""
    assert told(tmp_path, FIXTURE.format(code=code), fails=False) == ""


def test_such_a_warning_that_is_an_error_is_logged(tmp_path: Path) -> None:
    code = """from twisted.python import log; import sys; log.startLogging(sys.stderr)
    reactor.callLater(0, job)"""
    option = "-Werror::RuntimeWarning"
    said = told(tmp_path, FIXTURE.format(code=code), option, fails=False)
    assert "while calling job" in said
    assert "Main loop terminated." in said


def test_a_coroutine_in_the_place_of_tornados_callback(tmp_path: Path) -> None:
    said = told(tmp_path, FIXTURE.format(code="IOLoop.current().add_callback(job())"), fails=True)
    assert re.fullmatch(
        r"TypeError: the first argument must be callable, got <coroutine .*>: pass the function "
        r"itself, and its arguments after it",
        last(said),
    )
    assert warnings_in(said) == []


WRONG = {
    "as_future(job)": "TypeError: not a Deferred: <function job at",
    "as_future(job())": ">: asyncio's code can await it as it is",
    "as_deferred(7)": "TypeError: not an awaitable: 7",
    "as_deferred(job)": ">: call it",
    "run_once(job())": "TypeError: run_once() takes a function of the reactor, and its other "
    "arguments, not <coroutine object job",
    "run_once(7)": "TypeError: run_once() takes a function of the reactor, ",
}
# Where there are notes.
NOTED = {
    "tornado4.run(job)": " | Call it: run(job()).",
    "tornado4.run(functools.partial(job))": " | Call it: run(job()).",
}
if sys.version_info < (3, 14):  # which runs any awaitable
    NOTED["tornado4.run(succeed(7))"] = " | Await it in a coroutine, and run that."


def test_wrong_types(tmp_path: Path) -> None:
    wrong = WRONG if sys.version_info < (3, 11) else {**WRONG, **NOTED}
    code = """
        import functools, tornado4
        from tornado4.platform.twisted import as_deferred, as_future, run_once
        from twisted.internet.defer import succeed
        async def job(): pass
        {calls}
        """
    said = errors(tmp_path, code, [*wrong])
    assert {call: error for call, error in said.items() if wrong[call] not in error} == {}


# Debug mode

SLOW = {
    "loop.call_soon(soon)": "soon",
    "loop.call_later(0, later)": "later",
    "io_loop.add_callback(callback)": "callback",
    "io_loop.call_later(0, timeout)": "timeout",
    "io_loop.add_handler(one, handler, 1)": "handler",
    "reactor.callLater(0, delayed)": "delayed",
    "reactor.callFromThread(from_thread)": "from_thread",
    "reactor.addReader(Reads())": "Reads",
}


def test_a_callback_that_blocks_is_named(tmp_path: Path) -> None:
    code = """
        import socket, time
        from tornado4.ioloop import IOLoop
        from tornado4.platform.twisted import install
        reactor, io_loop = install(), IOLoop.current()
        loop = io_loop.asyncio_loop
        loop.set_debug(True)
        loop.slow_callback_duration = 0.02
        one, another = socket.socketpair()
        two, yet_another = socket.socketpair()
        another.send(b"data"), yet_another.send(b"data")
        def soon(): time.sleep(0.03)
        def later(): time.sleep(0.03)
        def callback(): time.sleep(0.03)
        def timeout(): time.sleep(0.03)
        def handler(file, events): time.sleep(0.03), io_loop.remove_handler(file)
        def delayed(): time.sleep(0.03)
        def from_thread(): time.sleep(0.03)
        class Reads:
            def fileno(self): return two.fileno()
            def doRead(self): time.sleep(0.03), reactor.removeAll()
            def logPrefix(self): return ""
            def connectionLost(self, reason): pass
        CALLS
        reactor.callLater(0.4, reactor.stop)
        reactor.run()
        """
    said = told(tmp_path, code.replace("CALLS", "; ".join(SLOW)), fails=False)
    slow = "\n".join(line for line in said.splitlines() if line.startswith("Executing "))
    for name in SLOW.values():
        assert re.search(rf"\b{name}\b", slow), (name, slow)
    assert "None" not in slow


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
