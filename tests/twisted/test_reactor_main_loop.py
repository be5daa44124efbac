"""The reactor's main loop: where it can't run, and what it does about exceptions."""

import asyncio
import os
import signal
import threading
import time

import pytest
import tornado.ioloop
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.error import ReactorAlreadyRunning, ReactorNotRestartable

import tornado4
from helpers.foreign_hosts import discard, factory, host
from helpers.loops import on_reactors, watchdog
from helpers.programs import output_of
from helpers.scenarios import described, handlers_restored
from tornado4.ioloop import IOLoop
from tornado4.platform.twisted import TornadoReactor, TwistedIOLoop

__all__ = ["factory", "host"]

RUNNING = "This event loop is already running|Cannot run the event loop while another"


@pytest.fixture(params=["tornado4", "asyncio", "uvloop"])
def loop(request):
    if request.param == "uvloop":
        made = pytest.importorskip("uvloop", reason="uvloop is not installed").new_event_loop()
    else:
        made = {"tornado4": tornado4.new_event_loop, "asyncio": asyncio.SelectorEventLoop}[
            request.param
        ]()
    with handlers_restored(), watchdog(lambda: made.call_soon_threadsafe(made.stop)):
        yield made
        made.close()


def started(reactor):
    events = []
    reactor.addSystemEventTrigger("before", "startup", events.append, "startup")
    reactor.callWhenRunning(events.append, "running")
    reactor.addSystemEventTrigger("after", "shutdown", events.append, "shutdown")
    return events


@pytest.mark.parametrize("signals", [False, True])
def test_run_in_a_running_loop_is_refused_and_the_reactor_starts_all_the_same(loop, signals):
    async def main():
        reactor = TornadoReactor()
        events = started(reactor)
        before = signal.getsignal(signal.SIGTERM)
        with pytest.raises(RuntimeError, match=r"(?i)already running"):
            reactor.run(installSignalHandlers=signals)
        assert (events, reactor.running) == ([], False), "refused before anything is started"
        assert signal.getsignal(signal.SIGTERM) == before
        called = loop.create_future()
        reactor.callLater(0, called.set_result, "called")
        assert await called == "called"
        assert events == ["startup", "running"]
        with pytest.raises(ReactorAlreadyRunning):
            reactor.run(installSignalHandlers=signals)
        discard(reactor)
        return events

    assert loop.run_until_complete(main()) == ["startup", "running", "shutdown"]


def test_run_in_a_callback_before_the_reactor_has_started(loop):
    seen = []

    def run():
        with pytest.raises(RuntimeError, match=r"(?i)already running"):
            reactor.run()
        seen.append(reactor.running)
        loop.call_later(0.02, loop.stop)

    loop.call_soon(run)
    reactor = TornadoReactor(loop)
    events = started(reactor)
    loop.run_forever()
    assert (seen, events) == ([False], ["startup", "running"])
    discard(reactor)


def test_run_while_another_loop_runs_in_this_thread(loop):
    reactor = TornadoReactor(loop)
    events = started(reactor)

    async def main():
        with pytest.raises(RuntimeError):
            reactor.run(installSignalHandlers=False)
        return list(events), reactor.running

    assert asyncio.run(main()) == ([], False)
    reactor.callWhenRunning(reactor.stop)
    reactor.run(installSignalHandlers=False)
    assert events == ["startup", "running", "shutdown"]
    discard(reactor)


def test_run_in_another_thread_while_the_loop_runs(loop):
    async def main():
        reactor = TornadoReactor()
        events = started(reactor)
        errors = []

        def run():
            try:
                reactor.run(installSignalHandlers=False)
            except RuntimeError as error:
                errors.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        seen = len(errors), list(events)
        await asyncio.sleep(0.02)
        assert reactor.running
        discard(reactor)
        return seen

    assert loop.run_until_complete(main()) == (1, [])


def test_a_main_loop_that_cannot_run_raises(loop):
    async def main():
        reactor = TornadoReactor(loop)
        reactor.startRunning(installSignalHandlers=False)
        with pytest.raises(RuntimeError, match=r"(?i)already running"):
            reactor.mainLoop()
        assert not reactor.running
        discard(reactor)

    loop.run_until_complete(main())


@pytest.mark.parametrize("by", [tornado4.run, asyncio.run, "start"])
def test_twisted_io_loop_start_in_a_running_loop(by):
    async def main():
        reactor = TornadoReactor()
        io_loop = TwistedIOLoop(reactor, make_current=False)
        with pytest.raises(RuntimeError, match=RUNNING):
            io_loop.start()
        io_loop.close()
        discard(reactor)
        return "refused"

    if by == "start":
        own = IOLoop(make_current=False)
        assert own.run_sync(main) == "refused"
        own.close()
    else:
        assert by(main()) == "refused"


def test_errors_of_order_come_first(loop):
    reactor = TornadoReactor(loop)
    reactor.callWhenRunning(reactor.stop)
    reactor.run(installSignalHandlers=False)

    async def main():
        with pytest.raises(ReactorNotRestartable):
            reactor.run()

    loop.run_until_complete(main())
    discard(reactor)


def test_a_refused_run_leaves_no_handlers_of_the_reactor_behind(loop):
    async def main():
        reactor = TornadoReactor()
        before = signal.getsignal(signal.SIGCHLD)
        await asyncio.sleep(0.01)
        assert signal.getsignal(signal.SIGCHLD) != before
        with pytest.raises(ReactorAlreadyRunning):
            reactor.run()
        discard(reactor)
        assert signal.getsignal(signal.SIGCHLD) == before

    loop.run_until_complete(main())


def test_a_poll_that_fails_ends_the_run():
    code = """
import os, tornado4.platform.twisted
reactor = tornado4.platform.twisted.install()
reactor.callInThread(int)
poll = reactor._asyncioEventloop._poll_fd()
reactor.callLater(0.01, os.close, poll)
try:
    reactor.run()
except OSError as error:
    print(type(error).__name__, reactor.running, flush=True)
os._exit(0)  # somebody else may have got the descriptor's number
"""
    assert output_of(code) == "OSError False\n"


# What signal handlers raise. EPollReactor is the judge.

ERRORS = [LookupError, KeyboardInterrupt, SystemExit, GeneratorExit]


def raising(error, reactor):
    def handler(number, frame):
        reactor.callLater(0.05, reactor.stop)
        raise error("in a handler")

    signal.signal(signal.SIGUSR1, handler)


def kill():
    os.kill(os.getpid(), signal.SIGUSR1)
    # The handler runs here, in the main thread.
    time.sleep(0)


@on_reactors
@pytest.mark.parametrize("error", ERRORS)
def test_a_signal_handler_raises_while_the_reactor_waits(run, error):
    def scenario(reactor, trace):
        raising(error, reactor)
        for phase in ["before", "after"]:
            reactor.addSystemEventTrigger(phase, "shutdown", trace.append, f"{phase} shutdown")
        later = threading.Timer(0.05, kill)
        reactor.callWhenRunning(later.start)
        reactor.run(installSignalHandlers=False)
        later.join()

    with handlers_restored(), usr1_restored():
        logged = ("logged", *described(error("in a handler")))
        assert run(scenario) == [logged, "before shutdown", "after shutdown"]


@on_reactors
@pytest.mark.parametrize("place", ["timer", "thread", "read", "lost", "prefix", "startup"])
@pytest.mark.parametrize("error", ERRORS)
def test_a_signal_handler_raises_in_a_call(run, error, place):
    class Reads:
        def __init__(self):
            self.left, self.right = os.pipe()
            os.write(self.right, b"x")

        def fileno(self):
            return self.left

        def logPrefix(self):
            if place == "prefix" and self.right is not None:
                self.end()
                kill()
            return "reads"

        def end(self):
            os.close(self.right)
            self.right = None

        def doRead(self):
            if self.right is not None:
                self.end()
                if place == "read":
                    kill()
            return ValueError("over")

        def connectionLost(self, reason):
            trace_of[0].append(("lost", type(reason.value).__name__))
            os.close(self.left)
            if place == "lost":
                kill()

    trace_of = []

    def scenario(reactor, trace):
        trace_of[:] = [trace]
        raising(error, reactor)
        reactor.addSystemEventTrigger("after", "shutdown", trace.append, "after shutdown")
        if place == "timer":
            reactor.callLater(0, kill)
        elif place == "thread":
            reactor.callFromThread(kill)
        elif place == "startup":
            reactor.callWhenRunning(reactor.callLater, 0, kill)
        else:
            reactor.addReader(Reads())
        reactor.run(installSignalHandlers=False)

    with handlers_restored(), usr1_restored():
        assert run(scenario)[-1] == "after shutdown"


@on_reactors
def test_many_signals_each_raise(run):
    def scenario(reactor, trace):
        count = []

        def handler(number, frame):
            count.append(1)
            if len(count) == 20:
                reactor.callLater(0, reactor.stop)
            else:
                reactor.callLater(0.002, later)
            raise KeyboardInterrupt

        def later():
            threading.Timer(0.002, kill).start()

        def beat():
            reactor.callLater(0.05, beat)

        signal.signal(signal.SIGUSR1, handler)
        reactor.callWhenRunning(later)
        if isinstance(reactor, EPollReactor):
            # Stock doesn't hear of a signal that comes just before it waits.
            reactor.callWhenRunning(beat)
        reactor.run(installSignalHandlers=False)
        trace.append(len(count))

    with usr1_restored():
        trace = run(scenario)
        assert trace[-1] == 20
        assert len(trace) == 21


@pytest.mark.parametrize("reactor", ["tornado4", "epoll"])
@pytest.mark.parametrize("error", ["KeyboardInterrupt", "SystemExit"])
def test_the_process_ends_with_its_threads_after_a_signal(reactor, error):
    code = f"""
import os, signal, sys, threading
if {reactor!r} == "tornado4":
    import tornado4.platform.twisted
    tornado4.platform.twisted.install()
from twisted.internet import reactor
from twisted.logger import globalLogBeginner
globalLogBeginner.beginLoggingTo([lambda event: None], redirectStandardIO=False)
def handler(number, frame):
    reactor.callLater(0.01, reactor.stop)
    raise {error}
signal.signal(signal.SIGUSR1, handler)
reactor.callInThread(int)
reactor.callLater(0.05, threading.Timer(0.02, os.kill, [os.getpid(), signal.SIGUSR1]).start)
reactor.run(installSignalHandlers=False)
print("over", reactor.running)
"""
    assert output_of(code) == "over False\n"


@pytest.mark.parametrize("made", ["tornado4.new_event_loop()", "asyncio.SelectorEventLoop()"])
@pytest.mark.parametrize("error", ["KeyboardInterrupt", "SystemExit"])
def test_the_process_ends_with_its_threads_after_what_ends_the_loop(made, error):
    code = f"""
import asyncio, tornado4.platform.twisted
loop = {made}
reactor = tornado4.platform.twisted.install(loop)
def end():
    raise {error}
reactor.callInThread(int)
loop.call_later(0.05, end)
try:
    reactor.run(installSignalHandlers=False)
except {error}:
    print("left", reactor.running)
"""
    assert output_of(code) == "left False\n"


def test_what_ends_the_loop_is_no_signals_error(loop):
    # One that came first, in a nested turn, was handled by its caller.
    reactor = TornadoReactor(loop)

    def nested():
        loop.call_soon(end)
        later = threading.Timer(0.02, kill)
        later.start()
        try:
            while True:
                reactor.iterate(0.05)
        except LookupError:
            later.join()

    def end():
        loop.call_later(0.1, leave)

    def leave():
        raise SystemExit("mine")

    def handler(number, frame):
        raise LookupError

    with usr1_restored():
        signal.signal(signal.SIGUSR1, handler)
        reactor.callLater(0, nested)
        with pytest.raises(SystemExit, match="mine"):
            reactor.run(installSignalHandlers=False)
    assert not reactor.running
    discard(reactor)


class usr1_restored:
    def __enter__(self):
        self.before = signal.getsignal(signal.SIGUSR1)

    def __exit__(self, *exc):
        signal.signal(signal.SIGUSR1, self.before)


def test_an_io_loop_of_tornados_own_is_refused_too():
    reactor = None

    async def main():
        nonlocal reactor
        reactor = TornadoReactor(tornado.ioloop.IOLoop.current())
        with pytest.raises(RuntimeError, match="already running"):
            reactor.run()
        discard(reactor)
        return True

    assert asyncio.run(main())
