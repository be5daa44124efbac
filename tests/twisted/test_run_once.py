"""run_once: a reactor that lives for one call."""

import asyncio
import contextvars
import gc
import os
import signal
import subprocess
import sys
import threading
import traceback

import pytest
import twisted.internet
from tornado.ioloop import IOLoop
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint, connectProtocol
from twisted.internet.error import ReactorAlreadyInstalledError
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool
from twisted.internet.utils import getProcessOutput
from twisted.python import threadable

import tornado4
from helpers.loops import epoll_reactor, watchdog
from helpers.scenarios import run_reactor
from tornado4.platform.twisted import TornadoReactor, run_once

ROUNDS = 100
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGCHLD]


class Bye(Protocol):
    def connectionMade(self):
        self.transport.write(b"bye")
        self.transport.loseConnection()


class Reader(Protocol):
    def __init__(self):
        self.data, self.closed = b"", Deferred()

    def dataReceived(self, data):
        self.data += data

    def connectionLost(self, reason):
        self.closed.callback(self.data)


async def everything(reactor):
    """Uses a socket, a thread, a child process, delayed calls and asyncio."""
    endpoint = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
    port = await endpoint.listen(Factory.forProtocol(Bye))
    reactor.callLater(3600, print)
    reader = Reader()
    client = TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)
    await connectProtocol(client, reader)
    answer = await reader.closed
    ident = await deferToThreadPool(reactor, reactor.getThreadPool(), threading.get_ident)
    output = await getProcessOutput("/bin/echo", [b"child"], reactor=reactor)
    asyncio.get_running_loop().create_task(asyncio.sleep(3600))
    await asyncio.sleep(0)
    return answer, ident != threading.get_ident(), output


def test_each_kind_of_result():
    async def coroutine(reactor):
        await asyncio.sleep(0)
        return await succeed("coroutine")

    assert run_once(lambda reactor: "value") == "value"
    assert run_once(lambda reactor: succeed("fired")) == "fired"
    assert run_once(lambda reactor: deferLater(reactor, 0.01, lambda: "late")) == "late"
    assert run_once(lambda reactor: asyncio.sleep(0, "awaited")) == "awaited"
    assert run_once(coroutine) == "coroutine"


def test_the_arguments():
    def function(reactor, *args, **kwargs):
        return isinstance(reactor, TornadoReactor), args, kwargs

    assert run_once(function, 1, function=2) == (True, (1,), {"function": 2})


def test_the_reactor_runs_and_the_ioloop_is_current():
    def function(reactor):
        return reactor.running, IOLoop.current().asyncio_loop is reactor._asyncioEventloop

    assert run_once(function) == (True, True)


def test_exceptions_and_failures_with_their_tracebacks():
    def raises(*_):
        raise ValueError("mine")

    def errs(reactor):
        return deferLater(reactor, 0.01, raises)

    for function in [raises, errs, lambda reactor: fail(ValueError("mine"))]:
        with pytest.raises(ValueError, match="mine"):
            run_once(function)
    with pytest.raises(ValueError, match="mine") as caught:
        run_once(errs)
    assert traceback.extract_tb(caught.tb)[-1].name == "raises"


def test_shutdown_triggers_are_fired_and_waited_for():
    def function(reactor):
        reactor.addSystemEventTrigger("before", "shutdown", wait, reactor)
        reactor.addSystemEventTrigger("after", "shutdown", seen.append, "after")

    def wait(reactor):
        return deferLater(reactor, 0.01, seen.append, "before")

    seen = []
    run_once(function)
    assert seen == ["before", "after"]


def test_the_context_is_a_copy_of_the_callers():
    variable = contextvars.ContextVar("variable", default=None)

    def function(reactor):
        found = variable.get()
        variable.set("changed")
        return found

    variable.set("mine")
    assert run_once(function) == "mine"
    assert variable.get() == "mine"


def state():
    return {
        "fds": len(os.listdir("/proc/self/fd")),
        "threads": threading.active_count(),
        "signals": [signal.getsignal(number) for number in SIGNALS],
        "wakeup": wakeup(),
        "reactor": sys.modules.get("twisted.internet.reactor"),
        "io thread": threadable.ioThread,
        "loops": len(IOLoop._ioloop_for_asyncio),
    }


def wakeup():
    fd = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(fd)
    return fd


@pytest.mark.parametrize("install", [False, True])
def test_many_rounds_leave_everything_as_it_was(install):
    expected = b"bye", True, b"child\n"
    for _ in range(3):  # what is imported or cached once doesn't count
        assert run_once(everything, install=install) == expected
    gc.collect()
    before, objects = state(), len(gc.get_objects())
    for _ in range(ROUNDS):
        assert run_once(everything, install=install) == expected
    gc.collect()
    assert state() == before
    assert len(gc.get_objects()) - objects < ROUNDS / 10


def test_the_delayed_calls_are_dropped():
    def function(reactor):
        reactors.append(reactor)
        reactor.callLater(0, reactor.callLater, 0.01, print)
        reactor.callLater(3600, print)

    reactors = []
    run_once(function)
    assert reactors[0].getDelayedCalls() == []
    assert not reactors[0].running


def test_the_current_loops_are_as_before():
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        run_once(lambda reactor: None)
        assert asyncio.get_event_loop() is loop
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def test_in_another_thread():
    def function(reactor):
        return deferToThreadPool(reactor, reactor.getThreadPool(), threading.get_ident)

    def body():
        seen.append(run_once(function) != threading.get_ident())

    seen, before = [], threadable.ioThread
    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert seen == [True]
    assert threadable.ioThread == before


# The global reactor


def test_by_default_the_global_reactor_is_left_alone():
    def function(reactor):
        return sys.modules.get("twisted.internet.reactor")

    before = sys.modules.get("twisted.internet.reactor")
    assert run_once(function) is before


def test_install_makes_it_the_global_one_for_the_time():
    def function(reactor):
        from twisted.internet import reactor as found

        return found is reactor

    for _ in range(2):
        assert run_once(function, install=True)
        assert "twisted.internet.reactor" not in sys.modules
        assert not hasattr(twisted.internet, "reactor")
    with pytest.raises(ZeroDivisionError):
        run_once(lambda reactor: 1 / 0, install=True)
    assert "twisted.internet.reactor" not in sys.modules


def test_install_beside_a_global_reactor_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "twisted.internet.reactor", object())
    with pytest.raises(ReactorAlreadyInstalledError):
        run_once(lambda reactor: None, install=True)
    assert run_once(lambda reactor: "value") == "value"


# What is refused, and what ends it


def refused():
    with pytest.raises(RuntimeError, match="while a loop runs in this thread"):
        run_once(print)
    return "refused"


@pytest.mark.parametrize("run", [asyncio.run, tornado4.run])
def test_in_a_running_loop_it_is_refused(run):
    async def main():
        return refused()

    assert run(main()) == "refused"


def test_in_itself_it_is_refused():
    assert run_once(lambda reactor: refused()) == "refused"


def test_in_the_running_global_reactor_it_is_refused(monkeypatch):
    seen = []
    with epoll_reactor() as reactor, watchdog(lambda: reactor.callFromThread(reactor.crash)):
        monkeypatch.setitem(sys.modules, "twisted.internet.reactor", reactor)
        reactor.callWhenRunning(lambda: seen.append(refused()))
        reactor.callWhenRunning(reactor.crash)
        run_reactor(reactor)
    assert seen == ["refused"]


@pytest.mark.parametrize("end", ["stop", "crash"])
def test_a_reactor_that_is_stopped_before_the_result_is_an_error(end):
    def function(reactor):
        reactor.addSystemEventTrigger("before", "shutdown", seen.append, "shut down")
        reactor.callInThread(int)
        reactor.callLater(0.01, getattr(reactor, end))
        return Deferred()

    seen, threads = [], threading.active_count()
    with pytest.raises(RuntimeError, match="stopped before the result"):
        run_once(function)
    assert seen == ["shut down"]
    assert threading.active_count() == threads


def test_a_loop_that_is_stopped_before_the_result_is_an_error():
    def function(reactor):
        reactor.callLater(0.01, IOLoop.current().stop)
        return Deferred()

    with pytest.raises(RuntimeError, match="stopped before the result"):
        run_once(function)


def test_a_result_that_comes_with_the_stop_counts():
    def function(reactor):
        reactor.stop()
        return "value"

    assert run_once(function) == "value"


def test_an_error_of_the_functions_own_is_not_mistaken():
    def function(reactor):
        reactor.stop()
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        run_once(function)


def test_ctrl_c_ends_it():
    code = """
import os, signal, sys, threading
from twisted.internet.defer import Deferred
from tornado4.platform.twisted import run_once

def function(reactor):
    reactor.addSystemEventTrigger("before", "shutdown", print, "shut down")
    reactor.callInThread(int)
    reactor.callLater(0.05, os.kill, os.getpid(), signal.SIGINT)
    return Deferred(lambda _: print("cancelled"))

try:
    run_once(function)
except KeyboardInterrupt:
    print("interrupted", threading.active_count())
print(run_once(lambda reactor: "again"))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.split("\n")[:-1] == ["cancelled", "shut down", "interrupted 1", "again"], (
        done.stderr
    )
