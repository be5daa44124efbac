"""What is measured of the Twisted face."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from harness.peers import ASYNCIO_REACTOR, EPOLL, UVLOOP_REACTOR
from harness.rows import OURS, WALL, Row

from . import patterns
from .hosts import TwistedHost
from .patterns import BATCH, CALLS, FAR, STEPS, TURNS, WATCHED, nothing
from .twisted_echo import ROUND_TRIPS, line_echo
from .work import Calls, Measured, Taken


def cancel(calls: list[Any]) -> None:
    """Cancel delayed calls."""
    for call in calls:
        call.cancel()


@contextmanager
def call_later_cancel(host: TwistedHost) -> Iterator[Measured]:
    call_later = host.reactor.callLater

    def schedule() -> list[Any]:
        return [call_later(FAR, nothing) for _ in range(BATCH)]

    def next_turn(function: patterns.Callback) -> None:
        call_later(0, function)

    with patterns.cancelled_batches(host, schedule, cancel, next_turn) as measured:
        yield measured


@contextmanager
def call_later_fire(host: TwistedHost) -> Iterator[Measured]:
    yield patterns.later_batches(host, host.reactor.callLater)


@contextmanager
def call_later_chain(host: TwistedHost) -> Iterator[Measured]:
    yield patterns.later_chain(host, host.reactor.callLater)


@contextmanager
def reset_sooner(host: TwistedHost) -> Iterator[Measured]:
    """Move each of a batch of calls that have been waiting for a while."""

    def measured() -> Taken:
        calls: list[Any] = []

        def schedule() -> None:
            calls.extend(host.reactor.callLater(FAR + index, nothing) for index in range(BATCH))

        def reset() -> None:
            for call in calls:
                call.reset(FAR / 2)

        host.call(schedule)
        # A turn of its own: Twisted sorts in what is new at its beginning.
        took = patterns.timed_part(host, reset)
        host.call(lambda: cancel(calls))
        return took

    yield measured


@contextmanager
def from_thread(host: TwistedHost) -> Iterator[Measured]:
    yield patterns.batches(host, host.reactor.callFromThread)


@contextmanager
def from_thread_burst(host: TwistedHost) -> Iterator[Measured]:
    with patterns.burst_from_thread(host, host.reactor.callFromThread) as measured:
        yield measured


@contextmanager
def from_thread_ping(host: TwistedHost) -> Iterator[Measured]:
    with patterns.ping_from_thread(host, host.reactor.callFromThread) as measured:
        yield measured


PEERS = (OURS, EPOLL, ASYNCIO_REACTOR, UVLOOP_REACTOR)


def _next_turn(host: TwistedHost) -> Any:
    return lambda function: host.reactor.callLater(0, function)


@contextmanager
def add_remove(host: TwistedHost) -> Iterator[Measured]:
    with patterns.watched_and_not(host, _next_turn(host)) as measured:
        yield measured


def _row(group: str, name: str, operations: int, prepare: Any, **more: Any) -> Row:
    work = Calls(operations, prepare, threads=more.pop("threads", False))
    more = {"peers": PEERS, "unit": "calls", **more}
    return Row("twisted", group, f"twisted: {name}", name, work, **more)


def _crowd(count: int) -> Row:
    @contextmanager
    def prepare(host: TwistedHost) -> Iterator[Measured]:
        with patterns.crowd_of_timers(
            host, count, host.reactor.callLater, lambda call: call.cancel(), _next_turn(host)
        ) as measured:
            yield measured

    return _row(
        "timers",
        f"{count:,} timers",
        count,
        prepare,
        unit="timers",
        curve=("twisted-timers", count),
        peers=(OURS, EPOLL, UVLOOP_REACTOR),
        rounds=2 if count > 100_000 else 4,
    )


ROWS = [
    _row(
        "timers", "callLater, cancel", CALLS, call_later_cancel, wanted={"epoll": 2.0}, quick=True
    ),
    _row("timers", "callLater(0), fire", CALLS, call_later_fire, wanted={"epoll": 4.0}),
    _row("timers", "callLater(0), chain", STEPS, call_later_chain),
    _row("timers", "reset sooner, 1,000 pending", BATCH, reset_sooner),
    _row(
        "threads",
        "callFromThread, loop's thread",
        CALLS,
        from_thread,
        wanted={"epoll": 8.0},
        quick=True,
    ),
    _row(
        "threads", "callFromThread, other thread", CALLS, from_thread_burst, by=WALL, threads=True
    ),
    _row(
        "threads",
        "callFromThread, there and back",
        STEPS // 4,
        from_thread_ping,
        by=WALL,
        threads=True,
    ),
    _row("descriptors", "addReader, pipe ping-pong", STEPS, patterns.pipe_ping_pong),
    _row("descriptors", "addReader, pipe ping-pong among 1,000", STEPS, patterns.among_many),
    _row("descriptors", "addReader, 100 ready", CALLS, patterns.always_ready),
    _row("descriptors", "addReader, removeReader", TURNS * WATCHED, add_remove),
    _row("tcp", "line echo, TCP, 8 connections", ROUND_TRIPS, line_echo, unit="round trips"),
    *map(_crowd, (1_000, 10_000, 100_000, 1_000_000)),
]
