"""The patterns of work: the same code for every face and every host.

The first round of a pattern counts whether each call was really made.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import repeat
from queue import SimpleQueue
from time import perf_counter, process_time
from typing import Any

from .hosts import Host, Pipe
from .work import Measured, Taken

# How many calls are scheduled in one turn, and how many turns make a round.
BATCH = 1_000
TURNS = 5
CALLS = BATCH * TURNS

# Patterns in which each turn has one call, or a system call, have fewer.
STEPS = 2_000

WATCHED = 100
CROWD = 1_000

Callback = Callable[[], None]
Schedule = Callable[[Callback], object]
ScheduleLater = Callable[[float, Callback], Any]

# Far enough away to never be due in a round.
FAR = 60.0


def nothing(*_event: object) -> None:
    """Do nothing: what most calls are."""


def counted(round_of: Callable[[Callback], Taken], expected: int) -> Measured:
    """Do a first round that counts its calls, and return the round to measure.

    Raises `RuntimeError` if the count is wrong.
    """
    seen = 0

    def count() -> None:
        nonlocal seen
        seen += 1

    round_of(count)
    if seen != expected:
        raise RuntimeError(f"{seen} calls were made instead of {expected}")
    return lambda: round_of(nothing)


def in_turns(host: Host, batch: Schedule, next_turn: Schedule) -> Measured:
    """Call `batch` in each turn, which schedules what it is given `BATCH` times."""

    def round_of(callback: Callback) -> Taken:
        def begin(finish: Callback) -> None:
            left = TURNS

            def turn() -> None:
                nonlocal left
                batch(callback)
                left -= 1
                next_turn(turn if left else finish)

            turn()

        return host.run(begin)

    return counted(round_of, CALLS)


def batches(host: Host, schedule: Schedule) -> Measured:
    """Schedule a batch of calls in each turn, which the next one runs."""

    def batch(callback: Callback) -> None:
        for _ in repeat(None, BATCH):
            schedule(callback)

    return in_turns(host, batch, schedule)


def later_batches(host: Host, call_later: ScheduleLater) -> Measured:
    """Like `batches`, with a delay of 0."""

    # Not `batches` with a partial, which takes time of its own in each call.
    def batch(callback: Callback) -> None:
        for _ in repeat(None, BATCH):
            call_later(0, callback)

    return in_turns(host, batch, lambda turn: call_later(0, turn))


def chain(host: Host, schedule: Schedule) -> Measured:
    """Have each call schedule the next one: one call a turn."""

    def begin(finish: Callback) -> None:
        left = STEPS

        def step() -> None:
            nonlocal left
            left -= 1
            schedule(step if left else finish)

        schedule(step)

    return lambda: host.run(begin)


def later_chain(host: Host, call_later: ScheduleLater) -> Measured:
    """Like `chain`, with a delay of 0. Again not by a partial."""

    def begin(finish: Callback) -> None:
        left = STEPS

        def step() -> None:
            nonlocal left
            left -= 1
            call_later(0, step if left else finish)

        call_later(0, step)

    return lambda: host.run(begin)


@contextmanager
def cancelled_batches(
    host: Host,
    schedule_batch: Callable[[], list[Any]],
    cancel: Callable[[list[Any]], object],
    next_turn: Schedule,
) -> Iterator[Measured]:
    """Schedule a batch of calls in each turn, and cancel that of the turn before.

    This is what becomes of most time-outs. An operation is one of each.
    """
    pending: list[Any] = []

    def begin(finish: Callback) -> None:
        left = TURNS

        def turn() -> None:
            nonlocal left, pending
            before, pending = pending, schedule_batch()
            cancel(before)
            left -= 1
            next_turn(turn if left else finish)

        turn()

    try:
        yield lambda: host.run(begin)
    finally:
        host.call(lambda: cancel(pending))


@contextmanager
def helper_thread() -> Iterator[Callable[[Callback], object]]:
    """Another thread: what is given here is called there."""
    jobs: SimpleQueue[Callback | None] = SimpleQueue()

    def work() -> None:
        while (job := jobs.get()) is not None:
            job()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        yield jobs.put
    finally:
        jobs.put(None)
        thread.join()


@contextmanager
def burst_from_thread(host: Host, schedule: Schedule) -> Iterator[Measured]:
    """Have another thread schedule calls as fast as it can, while the loop runs."""
    with helper_thread() as in_thread:

        def round_of(callback: Callback) -> Taken:
            def begin(finish: Callback) -> None:
                def burst() -> None:
                    for _ in repeat(None, CALLS):
                        schedule(callback)
                    schedule(finish)

                in_thread(burst)

            return host.run(begin)

        yield counted(round_of, CALLS)


@contextmanager
def ping_from_thread(
    host: Host, schedule_with: Callable[[Callable[[None], object], None], object]
) -> Iterator[Measured]:
    """Have another thread schedule a call and wait for it, again and again.

    Each call wakes a loop that waits.
    """
    done: SimpleQueue[None] = SimpleQueue()
    pings = STEPS // 4

    def begin(finish: Callback) -> None:
        def ping() -> None:
            for _ in repeat(None, pings):
                schedule_with(done.put, None)
                done.get()
            schedule_with(lambda _none: finish(), None)

        in_thread(ping)

    with helper_thread() as in_thread:
        yield lambda: host.run(begin)


@contextmanager
def pipe_ping_pong(host: Host) -> Iterator[Measured]:
    """Read a byte from a pipe and write it again, one in each turn."""
    left = 0
    done: Callback = nothing

    with Pipe() as pipe:
        reader, writer = pipe.reader, pipe.writer

        def ready(*_event: object) -> None:
            nonlocal left
            os.read(reader, 1)
            left -= 1
            if left:
                os.write(writer, b"x")
            else:
                done()

        def begin(finish: Callback) -> None:
            nonlocal left, done
            left, done = STEPS, finish
            os.write(writer, b"x")

        stop = host.watch(reader, ready)
        try:
            yield lambda: host.run(begin)
        finally:
            host.call(stop)


@contextmanager
def always_ready(host: Host) -> Iterator[Measured]:
    """Watch many pipes that nobody empties: each is reported in each turn."""
    left = 0
    done: Callback = nothing

    def ready(*_event: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            done()

    def begin(finish: Callback) -> None:
        nonlocal left, done
        left, done = CALLS, finish

    with ExitStack() as stack:
        for _ in range(WATCHED):
            pipe = stack.enter_context(Pipe())
            os.write(pipe.writer, b"x")
            stop = host.watch(pipe.reader, ready)
            stack.callback(host.call, stop)
        yield lambda: host.run(begin)


@contextmanager
def among_many(host: Host) -> Iterator[Measured]:
    """`pipe_ping_pong` beside many pipes that are watched and say nothing."""
    with Pipe() as silent, ExitStack() as stack:

        def watch_all() -> None:
            for _ in range(CROWD):
                copy = os.dup(silent.reader)
                stack.callback(os.close, copy)
                stack.callback(host.watch(copy, nothing))

        host.call(watch_all)
        try:
            with pipe_ping_pong(host) as measured:
                yield measured
        finally:
            host.call(stack.close)


@contextmanager
def watched_and_not(host: Host, next_turn: Callable[[Callback], object]) -> Iterator[Measured]:
    """Watch many pipes in one turn, and none of them from the next one on."""
    with Pipe() as silent, ExitStack() as stack:
        copies = [os.dup(silent.reader) for _ in range(WATCHED)]
        for copy in copies:
            stack.callback(os.close, copy)

        def begin(finish: Callback) -> None:
            left = TURNS
            stops: list[Callable[[], object]] = []

            def turn() -> None:
                nonlocal left, stops
                stops = [host.watch(copy, nothing) for copy in copies]
                next_turn(other_turn)

            def other_turn() -> None:
                nonlocal left
                for stop in stops:
                    stop()
                left -= 1
                next_turn(turn if left else finish)

            turn()

        yield lambda: host.run(begin)


def far_delays(count: int) -> list[float]:
    """Tell so many delays, in an order without order, none of which ends in a round."""
    # A stride that has no divisor in common with the counts used here.
    return [10 * FAR + place * 7_919 % count / count for place in range(count)]


@contextmanager
def crowd_of_timers(
    host: Host,
    count: int,
    call_later: ScheduleLater,
    cancel: Callable[[Any], object],
    next_turn: Callable[[Callback], object],
) -> Iterator[Measured]:
    """Schedule so many calls in one turn, and cancel all of them in the next one."""
    delays = far_delays(count)

    def begin(finish: Callback) -> None:
        timers: list[Any] = []

        def schedule() -> None:
            timers.extend(call_later(delay, nothing) for delay in delays)
            next_turn(cancel_all)

        def cancel_all() -> None:
            for timer in timers:
                cancel(timer)
            # What cancelling put off is done in the turns after it.
            next_turn(one_more_turn)

        def one_more_turn() -> None:
            next_turn(finish)

        schedule()

    yield lambda: host.run(begin)


def timed_part(host: Host, part: Callable[[], object]) -> Taken:
    """Tell what ``part`` takes, in a call of the running loop."""
    taken = Taken(0.0, 0.0)

    def measured() -> None:
        nonlocal taken
        wall, cpu = perf_counter(), process_time()
        part()
        taken = Taken(perf_counter() - wall, process_time() - cpu)

    host.call(measured)
    return taken
