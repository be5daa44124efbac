"""TwistedIOLoop on reactors of every kind: what Tornado 4.5's documentation says."""

import asyncio
import contextlib
import datetime
import gc
import json
import os
import signal
import subprocess
import sys
import threading

import pytest
import tornado.ioloop
from tornado import gen, httpclient, httpserver, web
from tornado.testing import bind_unused_port
from twisted.internet import threads
from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.error import ReactorNotRestartable
from twisted.internet.pollreactor import PollReactor
from twisted.internet.selectreactor import SelectReactor
from twisted.internet.task import Clock, deferLater
from twisted.internet.utils import getProcessOutput
from twisted.python import log

from loops import LIMIT, as_global, watchdog
from scenarios import pipe, run_reactor, socket_pair
from tornado4.ioloop import IOLoop
from tornado4.platform._guest import Guest
from tornado4.platform.twisted import TornadoReactor, TwistedIOLoop

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGUSR1]
SLACK = 1e-4  # seconds: the wall clock may be slewed while a timeout waits.


def on_uvloop():
    uvloop = pytest.importorskip("uvloop", reason="uvloop is not installed")
    return AsyncioSelectorReactor(uvloop.new_event_loop())


REACTORS = {
    "epoll": EPollReactor,
    "select": SelectReactor,
    "poll": PollReactor,
    "asyncio": lambda: AsyncioSelectorReactor(asyncio.SelectorEventLoop()),
    "uvloop": on_uvloop,
    "tornado4": lambda: TornadoReactor(IOLoop(make_current=False)),
}


def discard(reactor):
    reactor._signals.uninstall()
    reactor.fireSystemEvent("shutdown")
    reactor.disconnectAll()
    for reader in list(reactor._internalReaders):
        reactor._removeInternalReader(reader)
        reader.connectionLost(None)
    if isinstance(reactor, EPollReactor):
        reactor._poller.close()
    if isinstance(reactor, AsyncioSelectorReactor):
        # The IOLoop of ours goes too.
        getattr(reactor, "_io_loop", reactor._asyncioEventloop).close()


@contextlib.contextmanager
def handlers_restored():
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


@pytest.fixture(params=REACTORS)
def reactor(request):
    reactor = REACTORS[request.param]()
    with (
        handlers_restored(),
        as_global(reactor),
        watchdog(lambda: reactor.callFromThread(reactor.crash)),
    ):
        yield reactor
        discard(reactor)


@pytest.fixture
def io_loop(reactor):
    io_loop = TwistedIOLoop(reactor)
    yield io_loop
    io_loop.close()


def run_all(io_loop):
    """Runs what is there to run, and what that adds at once."""
    io_loop.call_later(0.02, io_loop.stop)
    io_loop.start()


INSTALL = {
    **{f"{name}reactor": f"import twisted.internet.{name}reactor as r; r.install()"
       for name in ["epoll", "select", "poll", "asyncio"]},
    "tornado4": "import tornado4.platform.twisted as r; r.install()",
}  # fmt: skip

MAKE = {
    "directly": "from tornado4.platform.twisted import TwistedIOLoop; made = TwistedIOLoop()",
    "configured": "IOLoop.configure('tornado4.platform.twisted.TwistedIOLoop'); made = IOLoop()",
}


@pytest.mark.parametrize("make", MAKE)
@pytest.mark.parametrize("install", INSTALL)
def test_recommended_usage(install, make):
    program = f"""
{INSTALL[install]}
from tornado.ioloop import IOLoop
{MAKE[make]}
made.install()
from twisted.internet import reactor
import asyncio, tornado4.ioloop
async def main():
    await asyncio.sleep(0.01)
    print(type(made).__name__, made.reactor is reactor, IOLoop.current() is made)
    print(tornado4.ioloop.IOLoop.instance() is made)
    reactor.callLater(0, reactor.stop)
print(IOLoop.current() is made)
IOLoop.current().add_callback(main)
reactor.run()
"""
    command = [sys.executable, "-W", "error::ResourceWarning", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("True\nTwistedIOLoop True True\nTrue\n", "")


def test_start_runs_until_one_of_the_callbacks_calls_stop(io_loop, reactor):
    seen = []
    for _ in range(3):  # it may be started again
        io_loop.add_callback(lambda: seen.append(reactor.running))
        io_loop.add_callback(io_loop.stop)
        io_loop.add_callback(seen.append, "the iteration is completed")
        io_loop.start()
    assert seen == [True, "the iteration is completed"] * 3


def test_after_stop_the_reactor_can_be_run(io_loop, reactor):
    run_all(io_loop)
    reactor.callLater(0.01, io_loop.stop)
    run_reactor(reactor)
    io_loop.add_callback(reactor.stop)
    run_reactor(reactor)
    assert not reactor.running


def test_stop_by_twisted_code_and_from_a_thread(io_loop, reactor):
    for stop in [io_loop.stop, lambda: io_loop.add_callback(io_loop.stop)]:
        reactor.callLater(0.01, stop)
        io_loop.start()
    thread = threading.Thread(target=io_loop.add_callback, args=[io_loop.stop])
    io_loop.add_callback(thread.start)
    io_loop.start()
    thread.join()


def test_stop_before_start_lets_the_next_start_return_at_once(io_loop):
    io_loop.stop()
    io_loop.start()
    assert io_loop.run_sync(lambda: gen.sleep(0)) is None


def test_reactor_stop_ends_start_for_good(io_loop, reactor):
    seen = []
    reactor.addSystemEventTrigger("before", "shutdown", seen.append, "shutdown")
    waited = deferLater, reactor, 0.01, io_loop.add_callback, seen.append, "callback"
    reactor.addSystemEventTrigger("before", "shutdown", *waited)
    io_loop.call_later(0.01, reactor.stop)
    io_loop.start()
    assert seen[0] == "shutdown"
    io_loop.call_later(0.05, io_loop.stop)  # should it start nevertheless
    with pytest.raises(ReactorNotRestartable):
        io_loop.start()


def test_start_while_it_runs_is_refused(io_loop, reactor):
    seen = []

    def start():
        with pytest.raises(RuntimeError):  # ReactorAlreadyRunning is one
            io_loop.start()
        seen.append("refused")

    io_loop.add_callback(start)
    reactor.callLater(0, start)
    run_all(io_loop)
    assert seen == ["refused"] * 2


def test_add_callback_from_any_thread_at_any_time(io_loop):
    seen = []

    def many(name):
        for number in range(100):
            io_loop.add_callback(seen.append, (name, number))
        io_loop.add_callback(ended, name)

    def ended(name):
        left.remove(name)
        if not left:
            io_loop.stop()

    left = list("abcd")
    threads = [threading.Thread(target=many, args=name) for name in left]
    for thread in threads[:2]:
        thread.start()
    for thread in threads[2:]:
        io_loop.add_callback(thread.start)
    io_loop.start()
    for thread in threads:
        thread.join()
    for name in "abcd":
        assert [call for call in seen if call[0] == name] == [(name, n) for n in range(100)]


def test_add_callback_from_signal(io_loop):
    signal.signal(signal.SIGUSR1, lambda *_: io_loop.add_callback_from_signal(io_loop.stop))
    kill = threading.Timer(0.05, os.kill, [os.getpid(), signal.SIGUSR1])
    io_loop.add_callback(kill.start)
    io_loop.start()
    kill.join()


def test_timeouts_are_never_early_and_can_be_removed(io_loop):
    early, ran = [], []

    def due(deadline):
        ran.append(deadline)
        early.extend([deadline] if io_loop.time() < deadline - SLACK else [])

    for delay in [0, 0.001, 0.0105, 0.02, 0.03]:
        deadline = io_loop.time() + delay
        io_loop.add_timeout(deadline, due, deadline)
        io_loop.call_at(deadline, due, deadline=deadline)
        io_loop.call_later(delay, due, deadline)
        io_loop.add_timeout(datetime.timedelta(seconds=delay), due, deadline)
    removed = io_loop.add_timeout(io_loop.time(), ran.append, "removed")
    io_loop.remove_timeout(removed)
    last = io_loop.call_later(0.05, io_loop.stop)
    io_loop.start()
    assert (len(ran), early) == (20, [])
    io_loop.remove_timeout(last)  # has run already


def test_a_handler_of_a_descriptor_or_a_file_object(io_loop):
    with socket_pair() as (left, right):
        for watched in [left, left.fileno()]:
            seen = []

            def handle(fd, events, seen=seen):
                # A loop that stops may turn once more.
                if (fd, events) not in seen:
                    seen.append((fd, events))
                io_loop.stop()

            io_loop.add_handler(watched, handle, io_loop.WRITE)
            io_loop.start()
            right.send(b"x")
            io_loop.update_handler(watched, io_loop.READ)
            io_loop.start()
            io_loop.remove_handler(watched)
            run_all(io_loop)
            assert seen == [(watched, io_loop.WRITE), (watched, io_loop.READ)]
            left.recv(1)


@pytest.mark.parametrize("all_fds", [False, True])
def test_close_closes_descriptors_if_asked(reactor, all_fds):
    io_loop = TwistedIOLoop(reactor)
    with socket_pair() as (left, _), pipe() as (r, _):
        io_loop.add_handler(left, print, io_loop.READ)
        io_loop.add_handler(r, print, io_loop.READ)
        io_loop.close(all_fds)
        io_loop.close()
        assert (left.fileno() == -1) is all_fds
        if all_fds:
            with pytest.raises(OSError, match="Bad file"):
                os.fstat(r)


def test_close_leaves_nothing_in_the_reactor(reactor):
    before = reactor.getReaders(), reactor.getWriters(), reactor.getDelayedCalls()
    fds, current = os.listdir("/proc/self/fd"), IOLoop.current(instance=False)
    ran = []
    with socket_pair() as (left, right):
        right.send(b"x")
        for used in [False, True]:
            io_loop = TwistedIOLoop(reactor)
            if used:
                run_all(io_loop)
            io_loop.add_handler(left, lambda *_: ran.append("handler"), io_loop.READ)
            io_loop.add_callback(ran.append, "callback")
            io_loop.call_later(0, ran.append, "timeout")
            io_loop.close()
            io_loop.add_callback(ran.append, "after")
            reactor.callLater(0.02, reactor.crash)
            run_reactor(reactor)
    assert ran == []
    assert (reactor.getReaders(), reactor.getWriters(), reactor.getDelayedCalls()) == before
    assert (os.listdir("/proc/self/fd"), IOLoop.current(instance=False)) == (fds, current)


def test_run_sync(io_loop):
    async def fail():
        await gen.sleep(0)
        raise ValueError("mine")

    assert io_loop.run_sync(lambda: gen.sleep(0)) is None
    assert io_loop.run_sync(lambda: gen.multi([gen.maybe_future(1)])) == [1]
    with pytest.raises(ValueError, match="mine"):
        io_loop.run_sync(fail)
    with pytest.raises(tornado.ioloop.TimeoutError):
        io_loop.run_sync(lambda: gen.sleep(LIMIT), timeout=0.01)


def test_current_inside_callbacks_is_it(io_loop):
    seen = []

    def look(*_):
        seen.extend([IOLoop.current(), tornado.ioloop.IOLoop.current()])
        seen.append(tornado.ioloop.IOLoop.current(instance=False))

    async def main():
        look()
        assert asyncio.get_running_loop() is io_loop.asyncio_loop
        io_loop.remove_handler(r)
        io_loop.stop()

    with pipe() as (r, w):
        os.write(w, b"x")
        io_loop.add_callback(look)
        io_loop.spawn_callback(look)
        io_loop.call_later(0, look)
        io_loop.add_future(io_loop.run_in_executor(None, int), look)
        io_loop.add_handler(r, look, io_loop.READ)
        io_loop.call_later(0.05, main)
        io_loop.start()
    assert len(seen) >= 6 * 3
    assert {id(current) for current in seen} == {id(io_loop)}


def test_exceptions_of_callbacks_are_logged(io_loop, caplog):
    io_loop.add_callback(int, "x")
    run_all(io_loop)
    assert [record.exc_info[0] for record in caplog.records] == [ValueError]
    assert io_loop.run_sync(lambda: gen.sleep(0.01)) is None, "it goes on"


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_ends_other_loops_is_logged_by_twisted(io_loop, reactor, error):
    if isinstance(reactor, TornadoReactor):
        pytest.skip("on a loop of ours it ends the run; see test_ioloop_running")

    def fail():
        raise error("mine")

    def observe(event):
        if event["isError"]:
            seen.append(event["failure"].type)

    seen = []
    log.addObserver(observe)
    io_loop.call_later(0.01, seen.append, "a timeout")
    io_loop.add_callback(fail)
    io_loop.add_callback(seen.append, "a callback")
    reactor.callLater(0.1, reactor.crash)
    run_reactor(reactor)
    log.removeObserver(observe)
    assert seen == [error, "a callback", "a timeout"]


class Hello(web.RequestHandler):
    async def get(self):
        await asyncio.sleep(0.001)
        self.write({"current": IOLoop.current() is self.settings["io_loop"]})


def test_a_web_application(io_loop):
    async def main():
        sock, port = bind_unused_port()
        server = httpserver.HTTPServer(web.Application([("/", Hello)], io_loop=io_loop))
        server.add_sockets([sock])
        client = httpclient.AsyncHTTPClient()
        fetches = [client.fetch(f"http://127.0.0.1:{port}/") for _ in range(5)]
        answers = [json.loads(answer.body) for answer in await asyncio.gather(*fetches)]
        client.close()
        server.stop()
        await server.close_all_connections()
        return answers

    assert io_loop.run_sync(main, timeout=LIMIT) == [{"current": True}] * 5


def test_asyncio_streams_and_child_processes(io_loop):
    async def echo(reader, writer):
        writer.write(await reader.readline())
        await writer.drain()
        writer.close()

    async def main():
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"line\n")
        line = await reader.read()
        writer.close()
        server.close()
        await server.wait_closed()
        child = await asyncio.create_subprocess_exec("cat", stdin=-1, stdout=-1)
        return line, (await child.communicate(b"child"))[0], await child.wait()

    assert io_loop.run_sync(main, timeout=LIMIT) == (b"line\n", b"child", 0)


def test_signal_handlers_beside_spawn_process(io_loop, reactor):
    if type(getattr(reactor, "_asyncioEventloop", None)).__module__.startswith("uvloop"):
        pytest.skip("Twisted's own reactor on uvloop loses SIGCHLD now and then, without us too")
    seen = []

    async def main():
        loop, signalled = asyncio.get_running_loop(), asyncio.Event()
        for _ in range(2):
            loop.add_signal_handler(signal.SIGUSR1, signalled.set)
            child = getProcessOutput("/bin/echo", [b"child"], reactor=reactor)
            kill = threading.Timer(0.02, os.kill, [os.getpid(), signal.SIGUSR1])
            kill.start()
            await signalled.wait()
            signalled.clear()
            seen.append(await child.asFuture(loop))
            seen.append(loop.remove_signal_handler(signal.SIGUSR1))

    io_loop.run_sync(main, timeout=LIMIT)
    assert seen == [b"child\n", True] * 2
    assert signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL


@pytest.mark.parametrize("bad", [3, "reactor", object(), EPollReactor, Clock()])
def test_what_is_no_reactor_is_refused(bad):
    fds, current = os.listdir("/proc/self/fd"), IOLoop.current(instance=False)
    for make in [lambda: TwistedIOLoop(bad), lambda: TwistedIOLoop(reactor=bad)]:
        with pytest.raises(TypeError, match="not a reactor"):
            make()
    assert (os.listdir("/proc/self/fd"), IOLoop.current(instance=False)) == (fds, current)


def test_subclasses_and_arguments(reactor):
    class Named(TwistedIOLoop):
        def initialize(self, name, **kwargs):
            super().initialize(**kwargs)
            self.name = name

    for make in [
        lambda: TwistedIOLoop(),
        lambda: TwistedIOLoop(None),
        lambda: TwistedIOLoop(reactor),
        lambda: TwistedIOLoop(reactor=reactor, make_current=True),
        lambda: Named("mine", reactor=reactor),
    ]:
        made = make()
        assert isinstance(made, tornado.ioloop.IOLoop)
        assert (made.reactor, getattr(made, "name", "mine")) == (reactor, "mine")
        assert made.run_sync(lambda: gen.sleep(0)) is None
        made.close()


def test_several_on_several_reactors():
    def live(make, name):
        reactor = make()
        reactor._registerAsIOThread = False
        io_loop = TwistedIOLoop(reactor)

        async def main():
            await asyncio.sleep(0.01)
            return IOLoop.current() is io_loop

        seen[name] = io_loop.run_sync(main, timeout=LIMIT)
        io_loop.close()
        discard(reactor)

    seen = {}
    kinds = [kind for kind in REACTORS if kind != "uvloop"]
    threads = [threading.Thread(target=live, args=(REACTORS[kind], kind)) for kind in kinds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
    assert seen == dict.fromkeys(kinds, True)


@pytest.mark.parametrize("first", [0, 1])
def test_several_on_one_reactor(reactor, first):
    seen = []
    loops = [TwistedIOLoop(reactor), TwistedIOLoop(reactor)]
    for io_loop in loops:
        io_loop.add_callback(seen.append, io_loop)
    run_all(loops[0])
    assert set(seen) == set(loops)
    loops.pop(first).close()
    assert loops[0].run_sync(lambda: gen.sleep(0.01)) is None
    loops[0].close()
    if isinstance(reactor, TornadoReactor):
        # What the reactor's loop had before is current there again.
        assert reactor._io_loop.run_sync(see_current) is reactor._io_loop


async def see_current():
    return tornado.ioloop.IOLoop.current()


@pytest.mark.parametrize("wait", [None, LIMIT])
def test_idle_it_makes_no_turns(reactor, monkeypatch, wait):
    if isinstance(reactor, TornadoReactor):
        pytest.skip("no guest: it shares the reactor's loop")
    turns, turn = [], Guest.turn
    monkeypatch.setattr(Guest, "turn", lambda guest: (turns.append(guest), turn(guest))[1])
    io_loop = TwistedIOLoop(reactor)
    if wait is not None:
        io_loop.call_later(wait, print)
    io_loop.run_sync(lambda: gen.sleep(0.01))
    turns.clear()
    counts = []
    for seconds in [0.05, 0.1]:
        reactor.callLater(seconds, lambda: counts.append(len(turns)))
    reactor.callLater(0.1, reactor.crash)
    run_reactor(reactor)
    io_loop.close()
    assert len(counts) == 2
    assert counts[0] == counts[1]


def on_ours():
    host = IOLoop(make_current=False)
    return TornadoReactor(host), host.close


def on_foreign():
    loop = asyncio.SelectorEventLoop()
    return TornadoReactor(loop), loop.close


def on_epoll():
    under = EPollReactor()
    host = TwistedIOLoop(under, make_current=False)
    return TornadoReactor(host), lambda: (host.close(), discard(under))


@pytest.mark.parametrize("make", [on_ours, on_foreign, on_epoll])
def test_layered(make):
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    with handlers_restored():  # Twisted leaves its own, which hold the reactor
        live_layered(make)
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before


def live_layered(make):
    reactor, close = make()
    io_loop = TwistedIOLoop(reactor)

    async def main():
        loop, seen = asyncio.get_running_loop(), [IOLoop.current() is io_loop]
        seen.append(await deferLater(reactor, 0.01, str, "slept").asFuture(loop))
        child = getProcessOutput("/bin/echo", [b"child"], reactor=reactor)
        seen.append(await child.asFuture(loop))
        seen.append(
            await threads.deferToThreadPool(
                reactor, reactor.getThreadPool(), str, "thread"
            ).asFuture(loop)
        )
        return seen

    with as_global(reactor), watchdog(lambda: reactor.callFromThread(reactor.crash)):
        for _ in range(2):
            found = io_loop.run_sync(main, timeout=LIMIT)
            assert found == [True, "slept", b"child\n", "thread"]
        reactor.addSystemEventTrigger("before", "shutdown", found.append, "shutdown")
        reactor.callLater(0.01, reactor.stop)
        io_loop.start()
    assert found[4:] == ["shutdown"]
    io_loop.close()
    close()


def test_on_a_reactor_that_runs_again():
    loop = asyncio.SelectorEventLoop()
    reactor = TornadoReactor(loop, restartable=True)
    io_loop, ran = TwistedIOLoop(reactor), []
    with watchdog(lambda: reactor.callFromThread(reactor.crash)):
        for number in range(3):
            io_loop.call_later(0.01, ran.append, number)
            reactor.callLater(0.05, reactor.stop)
            reactor.run()
    io_loop.close()
    loop.close()
    assert ran == [0, 1, 2]
