"""TwistedIOLoop on reactors of every kind: what Tornado 4.5's documentation says."""

import asyncio
import datetime
import gc
import os
import signal
import threading

import pytest
from tornado import gen
from twisted.internet.error import ReactorNotRestartable
from twisted.internet.task import deferLater
from twisted.python import log

from helpers.programs import output_of
from helpers.reactors import io_loop, reactor, run_all
from helpers.scenarios import open_fds, pipe, run_reactor, socket_pair
from tornado4 import _core
from tornado4.ioloop import IOLoop
from tornado4.platform.twisted import TornadoReactor, TwistedIOLoop

__all__ = ["io_loop", "reactor"]

SLACK = 1e-4  # seconds: the wall clock may be slewed while a timeout waits.

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
    out = output_of(f"""
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
""")
    assert out == "True\nTwistedIOLoop True True\nTrue\n"


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
    gc.collect()  # what earlier tests have left isn't to go meanwhile
    before = reactor.getReaders(), reactor.getWriters(), reactor.getDelayedCalls()
    fds, current = open_fds(), IOLoop.current(instance=False)
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
    assert (open_fds(), IOLoop.current(instance=False)) == (fds, current)


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


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_in_a_child_that_it_forks_no_loop_runs(io_loop):
    statuses = []

    def fork():
        assert IOLoop.current() is io_loop
        child = os.fork()
        if child == 0:
            right = _core.running_loop() is asyncio._get_running_loop() is None
            os._exit(0 if right else 1)
        statuses.append(os.waitpid(child, 0)[1])

    io_loop.add_callback(fork)
    run_all(io_loop)
    assert statuses == [0]
