"""What the faces have in common, as the rounds see them."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from helpers.faults.peers import SIZES, data_of

# Seconds after which a run is given up.
LIMIT = 10.0
# How often the loop looks whether it is done, in seconds.
TICK = 0.003


def error_of(error: BaseException | None) -> str:
    """Return what kind of error it is: its name, and its number if it has one."""
    if error is None:
        return "nothing"
    number = getattr(error, "errno", None)
    name = type(error).__name__
    return f"{name} {number}" if isinstance(number, int) else name


@dataclass
class Connection:
    """A connection of the loop's, as its protocol saw it."""

    # Why it was lost, each time that it was told so.
    lost: list[str] = field(default_factory=list)


class Talk:
    """An outgoing connection's half of the conversation: one message after the other."""

    def __init__(self, number: int) -> None:
        self.messages = data_of(number, SIZES)
        self.connection = Connection()
        self.failed: list[str] = []
        self.intact = True
        self.expected = b""

    def next(self) -> bytes | None:
        """Return what to send next."""
        if not self.messages:
            return None
        self.expected = self.messages.pop(0)
        return self.expected

    def received(self, data: bytes) -> bool:
        """Say whether all of the answer is there."""
        self.intact &= self.expected.startswith(data)
        self.expected = self.expected[len(data) :]
        return not self.expected

    @property
    def complete(self) -> bool:
        return self.intact and not self.messages and not self.expected

    @property
    def over(self) -> bool:
        return bool(self.failed or self.connection.lost)


@dataclass
class Child:
    """A process of which the loop takes care: it sends back what it gets."""

    output: bytes = b""
    ended: list[Any] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    @property
    def over(self) -> bool:
        return bool(self.failed or self.ended)


class Side(ABC):
    """A loop with servers and clients on it."""

    # Where it listens.
    host = "127.0.0.1"
    # Whether the server stops to read while a peer doesn't read its answers. Tornado's does.
    polite = False

    def __init__(self) -> None:
        # What was reported or logged.
        self.told: list[str] = []
        # The accepted connections.
        self.served: list[Connection] = []
        # Called with the descriptor of each.
        self.made: Callable[[int], None] = lambda fd: None

    def accepted(self, fd: int) -> Connection:
        connection = Connection()
        self.served.append(connection)
        self.made(fd)
        return connection

    @abstractmethod
    def listen(self, transport: str, path: str) -> Any:
        """Serve connections that are echoed. Return the address."""

    @abstractmethod
    def connect(self, transport: str, address: Any, talk: Talk) -> None:
        """Connect, and talk."""

    @abstractmethod
    def datagrams(self) -> Any:
        """Serve datagrams that are echoed. Return the address."""

    @abstractmethod
    def spawn(self, data: bytes) -> Child:
        """Run a process that sends back what it gets."""

    @abstractmethod
    def call_from_thread(self, function: Callable[..., Any], *args: Any) -> None: ...

    @abstractmethod
    def run(self) -> None:
        """Run until `stop` or an error."""

    @abstractmethod
    def stop(self) -> None: ...

    @abstractmethod
    def call_later(self, seconds: float, function: Callable[[], Any]) -> None: ...

    @abstractmethod
    def close(self) -> None: ...

    def run_until(self, done: Callable[[], bool]) -> None:
        """Run until it is so, however often an error ends it."""
        deadline = time.monotonic() + LIMIT

        def tick() -> None:
            try:
                over = done()
            except OSError as error:
                self.told.append(f"raised: {error_of(error)}")
                over = False
            if over:
                self.stop()
            elif time.monotonic() > deadline:
                self.told.append("given up")
                self.stop()
            else:
                self.call_later(TICK, tick)

        self.call_later(0, tick)
        for _ in range(20):
            try:
                self.run()
            except OSError as error:
                self.told.append(f"the loop ended: {error_of(error)}")
            else:
                return
        self.told.append("the loop doesn't go on")
