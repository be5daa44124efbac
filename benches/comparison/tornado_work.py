"""What is measured of the Tornado face."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from . import patterns
from .hosts import TornadoHost
from .patterns import BATCH, CALLS, FAR, STEPS, nothing
from .work import Round, Work


@contextmanager
def add_callback(host: TornadoHost) -> Iterator[Round]:
    yield patterns.batches(host, host.io_loop.add_callback)


@contextmanager
def add_callback_chain(host: TornadoHost) -> Iterator[Round]:
    yield patterns.chain(host, host.io_loop.add_callback)


@contextmanager
def add_callback_burst(host: TornadoHost) -> Iterator[Round]:
    with patterns.burst_from_thread(host, host.io_loop.add_callback) as measured:
        yield measured


@contextmanager
def add_timeout_remove(host: TornadoHost) -> Iterator[Round]:
    add_timeout, remove_timeout = host.io_loop.add_timeout, host.io_loop.remove_timeout

    def schedule() -> list[object]:
        deadline = host.io_loop.time() + FAR
        return [add_timeout(deadline, nothing) for _ in range(BATCH)]

    def cancel(timeouts: list[object]) -> None:
        for timeout in timeouts:
            remove_timeout(timeout)

    next_turn = host.io_loop.add_callback
    with patterns.cancelled_batches(host, schedule, cancel, next_turn) as measured:
        yield measured


@contextmanager
def call_later_fire(host: TornadoHost) -> Iterator[Round]:
    yield patterns.later_batches(host, host.io_loop.call_later)


WORK = [
    Work("tornado", "add_callback", CALLS, add_callback),
    Work("tornado", "add_callback, chain", STEPS, add_callback_chain),
    Work("tornado", "add_callback, other thread", CALLS, add_callback_burst),
    Work("tornado", "add_timeout, remove_timeout", CALLS, add_timeout_remove),
    Work("tornado", "call_later(0), fire", CALLS, call_later_fire),
    Work("tornado", "add_handler, pipe ping-pong", STEPS, patterns.pipe_ping_pong),
    Work("tornado", "add_handler, 100 ready", CALLS, patterns.always_ready),
]
