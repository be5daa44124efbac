"""Signals: Python's handlers, the loop's handlers, and whose the wake-up is."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from twisted.internet.protocol import Factory
from twisted.protocols.wire import Echo

import tornado4
from helpers.scenarios import handlers_restored
from tornado4.ioloop import IOLoop
from tornado4.platform.asyncio import EventLoop
from tornado4.platform.twisted import TornadoReactor


@pytest.fixture
def loop() -> Iterator[EventLoop]:
    loop = tornado4.new_event_loop()
    yield loop
    loop.close()


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    with handlers_restored():
        yield
    assert signal.set_wakeup_fd(-1) == -1, "the wake-up was left behind"


def kill_soon(number: int) -> threading.Thread:
    """Send a signal from another thread, when the loop most likely waits."""

    def kill() -> None:
        threading.Event().wait(0.05)
        os.kill(os.getpid(), number)

    thread = threading.Thread(target=kill)
    thread.start()
    return thread


def spin(loop: EventLoop) -> Callable[[], None]:
    """Keep the loop busy with native callables only, which check no signals."""

    def again() -> None:
        loop.call_soon(again)

    return again


@pytest.mark.parametrize("busy", [False, True])
def test_a_python_handler_runs_while_the_loop_runs(loop: EventLoop, busy: bool) -> None:
    seen = []

    def handler(number: int, frame: object) -> None:
        seen.append(number)
        loop.call_soon_threadsafe(loop.stop)

    signal.signal(signal.SIGUSR1, handler)
    if busy:
        loop.call_soon(spin(loop))
    thread = kill_soon(signal.SIGUSR1)
    loop.run_forever()
    thread.join()
    assert seen == [signal.SIGUSR1]


@pytest.mark.parametrize("busy", [False, True])
def test_keyboard_interrupt_ends_the_run_and_the_loop_is_usable(
    loop: EventLoop, busy: bool
) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if busy:
        loop.call_soon(spin(loop))
    thread = kill_soon(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        loop.run_forever()
    thread.join()
    assert not loop.is_running()
    loop.call_soon(loop.stop)
    loop.run_forever()


def test_a_busy_loop_lets_other_threads_run(loop: EventLoop) -> None:
    rounds = 100
    bound = time.monotonic() + 30

    def work() -> None:
        for _ in range(rounds):
            time.sleep(0)  # releases the GIL, and must get it back
            progress.append(None)

    def again() -> None:
        if thread.is_alive() and time.monotonic() < bound:
            loop.call_soon(again)
        else:
            loop.stop()

    progress: list[None] = []
    thread = threading.Thread(target=work)
    thread.start()
    loop.call_soon(again)
    loop.run_forever()
    made = len(progress)
    thread.join()
    assert made == rounds


def test_an_exception_of_a_handler_ends_the_run_with_nothing_lost(loop: EventLoop) -> None:
    class Stop(Exception):
        pass

    def handler(number: int, frame: object) -> None:
        raise Stop

    ran = []
    signal.signal(signal.SIGUSR1, handler)
    thread = kill_soon(signal.SIGUSR1)
    with pytest.raises(Stop):
        loop.run_forever()
    thread.join()
    loop.call_soon(ran.append, 1)
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert ran == [1]


def test_a_handler_that_turns_the_loop_loses_no_wake_up_of_a_thread() -> None:
    """It runs between looking for events and waiting for them; each has its turn here."""
    io_loop = IOLoop(make_current=False)
    reactor: Any = TornadoReactor(io_loop)
    factory = Factory.forProtocol(Echo)
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    address = ("127.0.0.1", port.getHost().port)
    rounds: list[bool] = []

    def play() -> None:
        with socket.create_connection(address) as peer:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while len(rounds) < 100 and all(rounds):
                for _ in range(20):
                    # Soon answered, so that the loop expects more.
                    peer.send(b"x")
                    peer.recv(1)
                os.kill(os.getpid(), signal.SIGUSR1)
                time.sleep(0.003)
                told = threading.Event()
                reactor.callFromThread(told.set)
                rounds.append(told.wait(60))
            reactor.callFromThread(reactor.crash)

    def begin() -> None:
        # Else the interpreter writes to the loop about each signal, which ends a wait.
        signal.set_wakeup_fd(-1)
        thread.start()

    thread = threading.Thread(target=play)
    signal.signal(signal.SIGUSR1, lambda *_: reactor.iterate(0.0002))
    reactor.callLater(0, begin)
    reactor.run(installSignalHandlers=False)
    thread.join()
    port.stopListening()
    io_loop.close()
    assert rounds == [True] * 100


def test_the_wake_up_is_restored(loop: EventLoop) -> None:
    left, right = socket.socketpair()
    with left, right:
        left.setblocking(False)
        signal.set_wakeup_fd(left.fileno())
        during = []

        def look() -> None:
            mine = signal.set_wakeup_fd(-1)
            signal.set_wakeup_fd(mine)
            during.append(mine)
            loop.stop()

        loop.call_soon(look)
        loop.run_forever()
        assert during != [left.fileno()]
        assert signal.set_wakeup_fd(-1) == left.fileno()


def test_a_wake_up_taken_over_during_the_run_stays(loop: EventLoop) -> None:
    left, right = socket.socketpair()
    with left, right:
        left.setblocking(False)
        loop.call_soon(lambda: signal.set_wakeup_fd(left.fileno()))
        loop.call_soon(loop.stop)
        loop.run_forever()
        assert signal.set_wakeup_fd(-1) == left.fileno()


def test_a_loop_of_another_thread_leaves_the_wake_up_alone() -> None:
    done = []

    async def main() -> None:
        await asyncio.sleep(0.01)
        done.append(True)

    thread = threading.Thread(target=lambda: tornado4.run(main()))
    thread.start()
    thread.join()
    assert done == [True]


def test_handlers_of_the_loop_work_between_its_runs_too(loop: EventLoop) -> None:
    seen = []
    loop.add_signal_handler(signal.SIGUSR1, seen.append, "first")
    loop.call_soon(loop.stop)
    loop.run_forever()
    os.kill(os.getpid(), signal.SIGUSR1)
    loop.call_later(0.01, loop.stop)
    loop.run_forever()
    assert seen == ["first"]
    assert loop.remove_signal_handler(signal.SIGUSR1)
    assert not loop.remove_signal_handler(signal.SIGUSR1)


def test_the_wake_up_survives_the_last_handler_of_the_loop(loop: EventLoop) -> None:
    def check() -> None:
        loop.add_signal_handler(signal.SIGUSR1, int)
        loop.remove_signal_handler(signal.SIGUSR1)
        mine = signal.set_wakeup_fd(-1)
        signal.set_wakeup_fd(mine)
        found.append(mine)
        loop.stop()

    found: list[int] = []
    loop.call_soon(check)
    loop.run_forever()
    assert found == [loop._csock.fileno()]


@pytest.mark.parametrize("how", ["signal.signal", "add_signal_handler"])
def test_sigchld_handlers_work(loop: EventLoop, how: str) -> None:
    seen = []

    def handler(*_args: object) -> None:
        seen.append(True)
        loop.stop()

    if how == "signal.signal":
        signal.signal(signal.SIGCHLD, handler)
    else:
        loop.add_signal_handler(signal.SIGCHLD, handler)
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    loop.run_forever()
    child.wait()
    assert seen == [True]


@pytest.mark.parametrize("order", ["before", "after"])
@pytest.mark.parametrize("how", ["signal.signal", "add_signal_handler"])
def test_sigchld_handlers_work_beside_twisted(order: str, how: str) -> None:
    from twisted.internet.protocol import ProcessProtocol

    from tornado4.ioloop import IOLoop
    from tornado4.platform.twisted import TornadoReactor

    io_loop = IOLoop(make_current=False)
    loop = io_loop.asyncio_loop
    reactor = TornadoReactor(io_loop)
    seen = []

    def handler(*_args: object) -> None:
        seen.append("handler")
        stop_if_both()

    class Ended(ProcessProtocol):
        def processEnded(self, reason: object) -> None:
            seen.append("twisted")
            stop_if_both()

    def stop_if_both() -> None:
        if {"handler", "twisted"} <= set(seen):
            reactor.stop()

    def listen() -> None:
        if how == "signal.signal":
            signal.signal(signal.SIGCHLD, handler)
        else:
            loop.add_signal_handler(signal.SIGCHLD, handler)

    if order == "before":
        listen()
    else:
        reactor.callWhenRunning(listen)
    command = [sys.executable, "-c", "pass"]
    reactor.callWhenRunning(reactor.spawnProcess, Ended(), command[0], command, None)
    timeout = reactor.callLater(30, reactor.stop)
    reactor.run(installSignalHandlers=True)
    timeout.cancel()
    assert {"handler", "twisted"} <= set(seen)
    reactor.disconnectAll()
    io_loop.close()


def test_a_closed_loop_leaves_no_wake_up_behind() -> None:
    # The handler makes the loop's own wake-up the one that the run finds.
    loop = tornado4.new_event_loop()
    loop.add_signal_handler(signal.SIGUSR1, int)
    loop.call_soon(loop.remove_signal_handler, signal.SIGUSR1)
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()


def test_a_wake_up_whose_owner_has_closed_it_is_not_restored(loop: EventLoop) -> None:
    left, right = socket.socketpair()
    left.setblocking(False)
    signal.set_wakeup_fd(left.fileno())

    async def main() -> str:
        left.close()
        right.close()
        return "result"

    assert loop.run_until_complete(main()) == "result"


def test_the_wake_up_goes_back_when_a_loop_with_handlers_is_closed() -> None:
    left, right = socket.socketpair()
    with left, right:
        left.setblocking(False)
        loop = tornado4.new_event_loop()
        signal.set_wakeup_fd(left.fileno())
        loop.call_soon(lambda: loop.add_signal_handler(signal.SIGUSR1, int))
        loop.call_soon(loop.stop)
        loop.run_forever()
        loop.close()
        assert signal.set_wakeup_fd(-1) == left.fileno()
