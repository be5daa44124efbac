"""One wake-up descriptor, several loops and others who want to hear of signals."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from asyncio import events
from collections import Counter
from collections.abc import Iterator

import pytest

import tornado4
from helpers.programs import output_of
from helpers.random_signals import Shared, between_loops, turn
from helpers.scenarios import handlers_restored
from tornado4.platform._wakeup import wakeup

SEEDS = range(100)


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    with handlers_restored():
        yield
    assert signal.set_wakeup_fd(-1) == -1, "the wake-up was left behind"


def test_random_programs_lose_no_signal_and_hear_what_stock_hears() -> None:
    kinds: Counter[str] = Counter()
    for seed in SEEDS:
        stock, ours = Shared(seed, asyncio.new_event_loop), Shared(seed, tornado4.new_event_loop)
        stock.run()
        ours.run()
        assert Counter(ours.delivered) == Counter(ours.expected), seed
        assert ours.expected == stock.expected, seed
        assert not Counter(stock.delivered) - Counter(ours.delivered), seed
        assert not Counter(stock.piped) - Counter(ours.piped), seed
        kinds.update(loops=len(stock.delivered), pipe=len(stock.piped))
        kinds.update(more=len(ours.delivered) - len(stock.delivered))
    assert kinds["loops"] > 100
    assert kinds["pipe"] > 100
    assert kinds["more"] > 100


KINDS = {"stock": asyncio.new_event_loop, "ours": tornado4.new_event_loop}


@pytest.mark.parametrize("outer", KINDS)
def test_a_signal_for_a_loop_that_comes_while_another_runs_waits_for_it(outer: str) -> None:
    service, helper = KINDS[outer](), tornado4.new_event_loop()
    seen: list[str] = []
    service.add_signal_handler(signal.SIGTERM, seen.append, "TERM")
    turn(service)
    helper.call_soon(os.kill, os.getpid(), signal.SIGTERM)
    turn(helper, 3)
    helper.close()
    turn(service, 3)
    service.close()
    assert seen == ["TERM"]


@pytest.mark.parametrize("inner", KINDS)
@pytest.mark.parametrize("outer", KINDS)
def test_a_nested_run_leaves_the_outer_loop_its_signals(outer: str, inner: str) -> None:
    service, helper = KINDS[outer](), KINDS[inner]()
    seen: list[str] = []

    def nest() -> None:
        with between_loops():
            helper.call_soon(os.kill, os.getpid(), signal.SIGUSR1)
            turn(helper, 3)
        thread.start()

    def ended() -> None:
        seen.append("USR2")
        service.stop()

    thread = threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGUSR2))
    service.add_signal_handler(signal.SIGUSR1, seen.append, "USR1")
    service.add_signal_handler(signal.SIGUSR2, ended)
    service.call_soon(nest)
    service.run_forever()
    thread.join()
    helper.close()
    service.close()
    assert seen == ["USR1", "USR2"]


def test_a_nested_run_with_handlers_of_its_own_leaves_the_outer_loop_awake() -> None:
    """Stock fails here: its handlers have the descriptor to themselves."""
    service, helper = tornado4.new_event_loop(), tornado4.new_event_loop()
    seen: list[str] = []

    def nest() -> None:
        with between_loops():
            helper.add_signal_handler(signal.SIGUSR1, seen.append, "helper")
            turn(helper)
            os.kill(os.getpid(), signal.SIGUSR1)
        service.call_soon(os.kill, os.getpid(), signal.SIGUSR2)

    def ended() -> None:
        seen.append("service")
        service.stop()

    service.add_signal_handler(signal.SIGUSR2, ended)
    service.call_soon(nest)
    service.run_forever()
    turn(helper, 3)
    helper.close()
    service.close()
    assert seen == ["service", "helper"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("when", ["before", "during"])
def test_a_descriptor_of_the_programs_own_is_told(kind: str, when: str) -> None:
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    signal.signal(signal.SIGUSR1, lambda *_: None)
    loop = KINDS[kind]()
    if when == "before":
        signal.set_wakeup_fd(writes)
    else:
        loop.call_soon(signal.set_wakeup_fd, writes)
    told: list[bytes] = []

    def read() -> None:
        told.append(os.read(reads, 10))
        loop.stop()

    loop.add_reader(reads, read)
    loop.call_soon(loop.call_soon, os.kill, os.getpid(), signal.SIGUSR1)
    loop.run_forever()
    # In the last moment of a run, and between runs.
    loop.remove_reader(reads)
    loop.call_soon(os.kill, os.getpid(), signal.SIGUSR1)
    turn(loop)
    os.kill(os.getpid(), signal.SIGUSR1)
    told.append(os.read(reads, 10))
    loop.close()
    assert signal.set_wakeup_fd(-1) == writes
    os.close(reads)
    os.close(writes)
    assert told == [bytes([signal.SIGUSR1]), bytes([signal.SIGUSR1] * 2)]


def test_a_number_that_was_used_again_is_written_nothing() -> None:
    signal.signal(signal.SIGUSR1, lambda *_: None)
    theirs, peer = socket.socketpair()
    theirs.setblocking(False)
    fd = signal.set_wakeup_fd(theirs.fileno())
    loop = tornado4.new_event_loop()
    found: list[int] = []

    def use_again() -> None:
        number = theirs.fileno()
        theirs.close()
        os.dup2(innocent.fileno(), number)
        found.append(number)

    innocent, other_end = socket.socketpair()
    innocent.setblocking(False)
    other_end.setblocking(False)
    loop.call_soon(use_again)
    loop.call_soon(os.kill, os.getpid(), signal.SIGUSR1)
    turn(loop, 3)
    os.kill(os.getpid(), signal.SIGUSR1)
    loop.close()
    with pytest.raises(BlockingIOError):
        other_end.recv(10)
    os.close(found[0])
    for each in (innocent, other_end, peer):
        each.close()
    assert fd == -1


def test_a_forked_child_takes_nothing_from_its_parent() -> None:
    loop = tornado4.new_event_loop()
    seen: list[str] = []
    status: list[int] = []

    def fork() -> None:
        os.kill(os.getpid(), signal.SIGUSR1)  # the parent has yet to read it
        child = os.fork()
        if child == 0:
            events._set_running_loop(None)
            own = tornado4.new_event_loop()
            own.add_signal_handler(signal.SIGUSR2, seen.append, "child")
            os.kill(os.getpid(), signal.SIGUSR2)
            turn(own, 4)
            os._exit(7 if seen == ["child"] else 8)
        status.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

    loop.add_signal_handler(signal.SIGUSR1, seen.append, "parent")
    loop.call_soon(fork)
    turn(loop, 4)
    loop.close()
    assert (status, seen) == ([7], ["parent"])


CHILD_ON_THEIR_REACTOR = """
import asyncio
import tornado4
from twisted.internet import asyncioreactor

loop = asyncio.new_event_loop() if "KIND" == "stock" else tornado4.new_event_loop()
asyncioreactor.install(loop)
from twisted.internet import reactor, utils

out = []

def go():
    # Its pipes are closed before it ends, so that only the signal tells.
    value = utils.getProcessValue("/bin/sh", ("-c", "exec <&- >&- 2>&-; sleep 0.1; exit 3"))
    value.addTimeout(20, reactor).addBoth(out.append).addBoth(lambda _: reactor.stop())

reactor.callWhenRunning(go)
reactor.run()
loop.close()
print(out)
"""


@pytest.mark.parametrize("kind", KINDS)
def test_twisteds_own_asyncio_reactor_hears_of_its_children(kind: str) -> None:
    assert output_of(CHILD_ON_THEIR_REACTOR.replace("KIND", kind)) == "[3]\n"


CHILD_OF_THE_OUTER_REACTOR = """
import asyncio
from asyncio import events
import tornado4
from tornado4.platform.twisted import install

reactor = install()
from twisted.internet import utils

out = []

def go():
    value = utils.getProcessValue("/bin/sh", ("-c", "exec <&- >&- 2>&-; sleep 0.1; exit 3"))
    value.addTimeout(20, reactor).addBoth(out.append).addBoth(lambda _: reactor.stop())
    events._set_running_loop(None)
    other = tornado4.new_event_loop()
    other.run_until_complete(asyncio.sleep(0.5))
    other.close()
    events._set_running_loop(reactor._asyncioEventloop)

reactor.callWhenRunning(go)
reactor.run()
print(out)
"""


def test_a_child_that_ends_during_a_nested_run_is_reaped() -> None:
    assert output_of(CHILD_OF_THE_OUTER_REACTOR) == "[3]\n"


def test_a_reactor_that_leaves_a_loop_leaves_it_its_signals() -> None:
    """A reactor of ours on a stock loop, which has a handler before and after it."""
    code = """
import asyncio, os, signal
from tornado4.platform.twisted import TornadoReactor

async def main():
    loop = asyncio.get_running_loop()
    reactor = TornadoReactor(loop)
    seen = loop.create_future()
    done = loop.create_future()
    reactor.addSystemEventTrigger("after", "shutdown", lambda: loop.call_soon(done.set_result, 1))
    await asyncio.sleep(0.05)
    loop.add_signal_handler(signal.SIGUSR1, seen.set_result, "USR1")
    reactor.stop()
    await done
    os.kill(os.getpid(), signal.SIGUSR1)
    print(await asyncio.wait_for(seen, 10))

asyncio.run(main())
"""
    assert output_of(code) == "USR1\n"


def test_a_loop_that_another_thread_is_closing_is_in_nobodys_way() -> None:
    # The moment in between: its sockets are gone, and it is known still.
    closing, other = tornado4.new_event_loop(), tornado4.new_event_loop()
    closing.add_signal_handler(signal.SIGUSR1, print)
    sockets = closing._ssock, closing._csock
    closing._ssock = closing._csock = None  # type: ignore[assignment]
    try:
        turn(other)
        other.add_signal_handler(signal.SIGUSR2, print)
        assert other.remove_signal_handler(signal.SIGUSR2)
    finally:
        closing._ssock, closing._csock = sockets
        closing.close()
        other.close()


@pytest.mark.parametrize("step", ["note", "_settle"])
def test_an_interrupt_at_either_end_of_a_run_leaves_nothing_of_a_closed_loop(
    step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    loop = tornado4.new_event_loop()
    loop.call_soon(loop.stop)
    monkeypatch.setattr(wakeup, step, interrupted)
    with pytest.raises(KeyboardInterrupt):
        loop.run_forever()
    monkeypatch.undo()
    loop.close()
    assert signal.set_wakeup_fd(-1) == -1
    other, seen = tornado4.new_event_loop(), []
    other.add_signal_handler(signal.SIGUSR1, seen.append, 1)
    turn(other)
    os.kill(os.getpid(), signal.SIGUSR1)
    turn(other, 3)
    other.close()
    assert seen == [1]


MAKERS = {"stock": "asyncio.new_event_loop()", "ours": "tornado4.new_event_loop()"}

TOO_MANY = """
import asyncio, os, signal
import tornado4

def kill():
    for _ in range(5000):
        os.kill(os.getpid(), signal.SIGUSR1)
    os.kill(os.getpid(), signal.SIGTERM)

loop = {new}
seen = []
loop.add_signal_handler(signal.SIGUSR1, int)
loop.add_signal_handler(signal.SIGTERM, seen.append, 1)
loop.call_soon(kill if {runs} else int)
loop.call_soon(loop.stop)
loop.run_forever()
{runs} or kill()
for _ in range(5):
    loop.call_soon(loop.stop)
    loop.run_forever()
loop.close()
print("came" if seen else "lost")
"""


@pytest.mark.parametrize("runs", [False, True])
@pytest.mark.parametrize("kind", MAKERS)
def test_signals_that_are_too_many_are_not_lost_in_silence(kind: str, runs: bool) -> None:
    command = [sys.executable, "-c", TOO_MANY.format(new=MAKERS[kind], runs=runs)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout == "lost\n"
    assert "signal wakeup fd" in done.stderr
