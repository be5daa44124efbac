"""What is measured of the Twisted face."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from . import patterns
from .hosts import TwistedHost
from .patterns import BATCH, CALLS, FAR, STEPS, nothing
from .twisted_echo import ROUND_TRIPS, line_echo
from .work import Round, Target, Work


def cancel(calls: list[Any]) -> None:
    """Cancel delayed calls."""
    for call in calls:
        call.cancel()


@contextmanager
def call_later_cancel(host: TwistedHost) -> Iterator[Round]:
    call_later = host.reactor.callLater

    def schedule() -> list[Any]:
        return [call_later(FAR, nothing) for _ in range(BATCH)]

    def next_turn(function: patterns.Callback) -> None:
        call_later(0, function)

    with patterns.cancelled_batches(host, schedule, cancel, next_turn) as measured:
        yield measured


@contextmanager
def call_later_fire(host: TwistedHost) -> Iterator[Round]:
    yield patterns.later_batches(host, host.reactor.callLater)


@contextmanager
def call_later_chain(host: TwistedHost) -> Iterator[Round]:
    yield patterns.later_chain(host, host.reactor.callLater)


@contextmanager
def reset_sooner(host: TwistedHost) -> Iterator[Round]:
    """Move each of a batch of calls that have been waiting for a while."""

    def measured() -> float:
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
def from_thread(host: TwistedHost) -> Iterator[Round]:
    yield patterns.batches(host, host.reactor.callFromThread)


@contextmanager
def from_thread_burst(host: TwistedHost) -> Iterator[Round]:
    with patterns.burst_from_thread(host, host.reactor.callFromThread) as measured:
        yield measured


@contextmanager
def from_thread_ping(host: TwistedHost) -> Iterator[Round]:
    with patterns.ping_from_thread(host, host.reactor.callFromThread) as measured:
        yield measured


WORK = [
    Work("twisted", "callLater, cancel", CALLS, call_later_cancel, Target("epoll", 2.0)),
    Work("twisted", "callLater(0), fire", CALLS, call_later_fire, Target("epoll", 4.0)),
    Work("twisted", "callLater(0), chain", STEPS, call_later_chain),
    Work("twisted", "reset sooner, 1,000 pending", BATCH, reset_sooner),
    Work("twisted", "callFromThread, loop's thread", CALLS, from_thread, Target("epoll", 8.0)),
    Work("twisted", "callFromThread, other thread", CALLS, from_thread_burst),
    Work("twisted", "callFromThread, there and back", STEPS // 4, from_thread_ping),
    Work("twisted", "addReader, pipe ping-pong", STEPS, patterns.pipe_ping_pong),
    Work("twisted", "addReader, 100 ready", CALLS, patterns.always_ready),
    Work("twisted", "line echo, TCP, 8 connections", ROUND_TRIPS, line_echo),
]
