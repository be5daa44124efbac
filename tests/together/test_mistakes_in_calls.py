"""The likeliest mistakes, continued: calls from a wrong thread, of coroutines, of what is no
function, and those that block."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from helpers.mistakes import NOTES, errors, last, told, warnings_in

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
