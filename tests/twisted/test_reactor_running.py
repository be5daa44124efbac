"""How a reactor runs: its main loop, exceptions, the log, its threads."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.logger import formatEvent, globalLogPublisher
from twisted.python import context, log

from helpers.programs import output_of
from tornado4.ioloop import IOLoop
from tornado4.platform.twisted import TornadoReactor


@pytest.fixture
def reactor() -> Iterator[Any]:
    io_loop = IOLoop(make_current=False)
    reactor = TornadoReactor(io_loop)
    yield reactor
    if not io_loop.asyncio_loop.is_closed():
        reactor.fireSystemEvent("shutdown")
        reactor.disconnectAll()
        io_loop.close()


@pytest.fixture
def errors() -> Iterator[list[Any]]:
    logged: list[Any] = []

    def observe(event: Any) -> None:
        if event.get("isError"):
            logged.append(event["failure"].value)

    log.addObserver(observe)
    yield logged
    log.removeObserver(observe)


def test_a_timed_call_made_by_a_thread_call_comes_before_the_next_thread_call(
    reactor: Any,
) -> None:
    order: list[str] = []

    def first() -> None:
        reactor.callFromThread(order.append, "thread")
        reactor.callLater(0, order.append, "timed")
        reactor.callFromThread(reactor.stop)

    reactor.callFromThread(first)
    reactor.run(installSignalHandlers=False)
    assert order == ["timed", "thread"]


def test_a_main_loop_of_somebodys_own(reactor: Any) -> None:
    reactor.startRunning(installSignalHandlers=False)
    ran: list[str] = []
    far = reactor.callLater(60, int)
    assert 0 < reactor.timeout() <= 60
    far.cancel()
    reactor.callLater(0.05, ran.append, "due")
    reactor.callLater(0.05, reactor.stop)
    turns = 0
    while reactor._started:
        reactor.runUntilCurrent()
        reactor.doIteration(reactor.running and reactor.timeout())
        turns += 1
    assert ran == ["due"]
    assert turns < 20, "it waits for what timeout() says"


@pytest.mark.parametrize("kind", ["callLater", "callFromThread"])
@pytest.mark.parametrize("start", ["io_loop", "reactor"])
def test_ctrl_c_in_a_call(reactor: Any, errors: list[Any], kind: str, start: str) -> None:
    def interrupted() -> None:
        reactor.callLater(0, reactor.stop)
        raise KeyboardInterrupt

    if kind == "callLater":
        reactor.callLater(0, interrupted)
    else:
        reactor.callWhenRunning(reactor.callFromThread, interrupted)
    if start == "io_loop":
        # Signals are the application's, so Ctrl-C is too.
        with pytest.raises(KeyboardInterrupt):
            reactor._io_loop.start()
        assert errors == []
    else:
        reactor.run(installSignalHandlers=False)
        assert [type(error) for error in errors] == [KeyboardInterrupt]


class Reads:
    """A descriptor that is read once, with a prefix of any kind."""

    def __init__(self, prefix: object, reactor: Any) -> None:
        self.left, self.right = os.pipe()
        os.write(self.right, b"x")
        self.prefix, self.reactor = prefix, reactor
        self.seen: list[Any] = []

    def fileno(self) -> int:
        return self.left

    def logPrefix(self) -> Any:
        return self.prefix

    def doRead(self) -> None:
        known: Any = context.get(log.ILogContext)
        self.seen.append(dict(known))
        known["user"] = self.prefix
        self.reactor.removeReader(self)
        os.close(self.left)
        os.close(self.right)


@pytest.mark.parametrize("prefix", ["a", [], {}])
def test_any_log_prefix_will_do(reactor: Any, errors: list[Any], prefix: object) -> None:
    reads = Reads(prefix, reactor)
    reactor.addReader(reads)
    reactor.iterate(0.1)
    assert errors == []
    assert [known["system"] for known in reads.seen] == [prefix]


def test_what_a_protocol_puts_into_its_log_context_stays_there(reactor: Any) -> None:
    for _ in range(2):
        reads = Reads("same", reactor)
        reactor.addReader(reads)
        reactor.iterate(0.1)
        assert [known.get("user") for known in reads.seen] == [None]


def test_closing_the_io_loop_ends_the_threads(reactor: Any) -> None:
    before = threading.active_count()
    ran = threading.Event()
    reactor.callInThread(lambda: (ran.set(), reactor.callFromThread(reactor._io_loop.stop)))
    reactor._io_loop.start()
    assert ran.is_set()
    reactor._io_loop.close()
    assert threading.active_count() == before


def test_closing_the_io_loop_ends_the_watch_for_children(reactor: Any) -> None:
    before = signal.getsignal(signal.SIGCHLD)
    reactor.callLater(0.02, reactor._io_loop.stop)
    reactor._io_loop.start()
    assert signal.getsignal(signal.SIGCHLD) != before
    reactor._io_loop.close()
    assert signal.getsignal(signal.SIGCHLD) == before


def test_a_delayed_call_is_not_moved_after_the_loop_was_closed(reactor: Any) -> None:
    call = reactor.callLater(1000, int)
    reactor._io_loop.close()
    with pytest.raises(RuntimeError, match="closed"):
        call.reset(1)
    with pytest.raises(RuntimeError, match="closed"):
        call.delay(1)
    assert reactor.getDelayedCalls() == []


@pytest.mark.parametrize("running", [True, False])
def test_run_in_another_thread_leaves_the_reactors_loop_alone(running: bool) -> None:
    code = f"""
import asyncio, threading
import tornado4, tornado4.platform.twisted
reactor = tornado4.platform.twisted.install()
result = []
async def main():
    return asyncio.get_running_loop() is reactor._asyncioEventloop
def work():
    result.append(tornado4.run(main()))
    reactor.callFromThread(reactor.stop)
thread = threading.Thread(target=work)
if {running}:
    reactor.callWhenRunning(thread.start)
    reactor.run()
    thread.join()
else:
    thread.start()
    thread.join()
    reactor.run()
print(result)
"""
    assert output_of(code) == "[False]\n"


def test_the_end_of_the_main_loop_is_logged(reactor: Any) -> None:
    events: list[Any] = []
    globalLogPublisher.addObserver(events.append)
    try:
        reactor.callLater(0.01, reactor.stop)
        reactor.run(installSignalHandlers=False)
    finally:
        globalLogPublisher.removeObserver(events.append)
    assert "Main loop terminated." in [formatEvent(event) for event in events]
