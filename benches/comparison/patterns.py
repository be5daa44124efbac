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
from time import perf_counter
from typing import Any

from .hosts import Host, Pipe
from .work import Round

# How many calls are scheduled in one turn, and how many turns make a round.
BATCH = 1_000
TURNS = 5
CALLS = BATCH * TURNS

# Patterns in which each turn has one call, or a system call, have fewer.
STEPS = 2_000

WATCHED = 100

Callback = Callable[[], None]
Schedule = Callable[[Callback], object]
ScheduleLater = Callable[[float, Callback], Any]

# Far enough away to never be due in a round.
FAR = 60.0


def nothing() -> None:
    """Do nothing: what most calls are."""


def counted(round_of: Callable[[Callback], float], expected: int) -> Round:
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


def in_turns(host: Host, batch: Schedule, next_turn: Schedule) -> Round:
    """Call `batch` in each turn, which schedules what it is given `BATCH` times."""

    def round_of(callback: Callback) -> float:
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


def batches(host: Host, schedule: Schedule) -> Round:
    """Schedule a batch of calls in each turn, which the next one runs."""

    def batch(callback: Callback) -> None:
        for _ in repeat(None, BATCH):
            schedule(callback)

    return in_turns(host, batch, schedule)


def later_batches(host: Host, call_later: ScheduleLater) -> Round:
    """Like `batches`, with a delay of 0."""

    # Not `batches` with a partial, which takes time of its own in each call.
    def batch(callback: Callback) -> None:
        for _ in repeat(None, BATCH):
            call_later(0, callback)

    return in_turns(host, batch, lambda turn: call_later(0, turn))


def chain(host: Host, schedule: Schedule) -> Round:
    """Have each call schedule the next one: one call a turn."""

    def begin(finish: Callback) -> None:
        left = STEPS

        def step() -> None:
            nonlocal left
            left -= 1
            schedule(step if left else finish)

        schedule(step)

    return lambda: host.run(begin)


def later_chain(host: Host, call_later: ScheduleLater) -> Round:
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
) -> Iterator[Round]:
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
def burst_from_thread(host: Host, schedule: Schedule) -> Iterator[Round]:
    """Have another thread schedule calls as fast as it can, while the loop runs."""
    with helper_thread() as in_thread:

        def round_of(callback: Callback) -> float:
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
) -> Iterator[Round]:
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
def pipe_ping_pong(host: Host) -> Iterator[Round]:
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
def always_ready(host: Host) -> Iterator[Round]:
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


def timed_part(host: Host, part: Callable[[], object]) -> float:
    """Seconds that ``part`` takes, in a call of the running loop."""
    took = 0.0

    def measured() -> None:
        nonlocal took
        start = perf_counter()
        part()
        took = perf_counter() - start

    host.call(measured)
    return took
