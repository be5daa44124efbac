"""Random programs of several loops that have handlers for signals, all drawn from a seed."""

from __future__ import annotations

import os
import random
import signal
from asyncio import events
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

SIGNALS = [signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM, signal.SIGHUP]
LOOPS = 3


@contextmanager
def between_loops() -> Iterator[None]:
    """Let another loop run in a callback."""
    running = events._get_running_loop()
    events._set_running_loop(None)
    try:
        yield
    finally:
        events._set_running_loop(running)


def turn(loop: Any, times: int = 1) -> None:
    for _ in range(times):
        loop.call_soon(loop.stop)
        loop.run_forever()


class Shared:
    """A random program of several loops that have handlers, and of its own pipe.

    Handlers are added and removed, and loops closed, while no signal is under way;
    signals come and loops run at any time, one loop in another too.
    """

    def __init__(self, seed: int, new_loop: Callable[[], Any]) -> None:
        self.random = random.Random(seed)
        self.new_loop = new_loop
        self.loops = [new_loop() for _ in range(LOOPS)]
        self.running: list[int] = []
        # The loops in the order in which they asked, and the signals of each.
        self.handlers: dict[int, set[int]] = {}
        # Whose the descriptor is: "loops", "program" or "nobody".
        self.owner = "nobody"
        self.reads, self.writes = os.pipe()
        os.set_blocking(self.reads, False)
        os.set_blocking(self.writes, False)
        self.delivered: list[tuple[int, int]] = []
        self.expected: list[tuple[int, int]] = []
        self.piped: list[int] = []

    def run(self) -> None:
        for _ in range(30):
            self.settle()
            self.random.choice([self.add, self.add, self.remove, self.close, self.own])()
            for _ in range(self.random.randint(0, 3)):
                self.random.choice([self.kill, self.run_one])()
        self.settle()
        for index in range(LOOPS):
            self.loops[index].close()
        self.read()
        os.close(self.reads)
        os.close(self.writes)
        signal.set_wakeup_fd(-1)

    def settle(self) -> None:
        for index in range(LOOPS):
            self.turn(index, 4)
        self.read()

    def read(self) -> None:
        with suppress(BlockingIOError):
            self.piped += os.read(self.reads, 4096)

    def turn(self, index: int, times: int) -> None:
        for _ in range(times):
            self.owner = "loops"
            turn(self.loops[index])

    def add(self) -> None:
        index, number = self.random.randrange(LOOPS), self.random.choice(SIGNALS)
        key = (index, int(number))
        self.loops[index].add_signal_handler(number, self.delivered.append, key)
        self.owner = "loops"
        self.handlers[index] = self.handlers.pop(index, set()) | {int(number)}

    def remove(self) -> None:
        # The last of a signal: a removal puts the process's default in force.
        owned = [(i, n) for i, numbers in self.handlers.items() for n in numbers]
        if owned:
            _, number = self.random.choice(owned)
            for index, numbers in self.handlers.items():
                if number in numbers:
                    assert self.loops[index].remove_signal_handler(number)
                    numbers.discard(number)

    def close(self) -> None:
        index = self.random.randrange(LOOPS)
        mine = self.handlers.pop(index, set())
        shared = mine & {n for numbers in self.handlers.values() for n in numbers}
        self.loops[index].close()
        self.loops[index] = self.new_loop()
        for number in shared:  # see `remove`
            signal.signal(number, lambda *_: None)

    def own(self) -> None:
        """The program takes the descriptor, or gives it away."""
        self.owner = self.random.choice(["program", "nobody"])
        signal.set_wakeup_fd(self.writes if self.owner == "program" else -1)

    def kill(self) -> None:
        owned = [n for numbers in self.handlers.values() for n in numbers]
        if not owned:
            return
        number = self.random.choice(owned)
        if self.owner == "loops":
            who = next(i for i, numbers in reversed(self.handlers.items()) if number in numbers)
            self.expected.append((who, number))
        os.kill(os.getpid(), number)

    def run_one(self) -> None:
        index = self.random.randrange(LOOPS)
        if index in self.running:
            return
        for _ in range(self.random.randint(0, 2)):
            self.loops[index].call_soon(self.called)
        self.running.append(index)
        self.turn(index, self.random.randint(1, 3))
        self.running.pop()

    def called(self) -> None:
        with between_loops():
            self.random.choice([self.kill, self.kill, self.run_one, self.own])()
