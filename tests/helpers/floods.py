"""Floods: what a loop does while somebody asks too much of it.

`python -m helpers.floods FACE FLOOD SIZE`, in a process of its own: a server that echoes is
flooded, and a quiet connection beside it goes on with its messages. Prints as JSON what has
come of it, with the memory that the process has taken.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from helpers.faults.rounds import make_side
from helpers.faults.sides import Side
from helpers.scenarios import resident_size

# How many messages the quiet connection has answered.
MESSAGES = 50
# What those send at once who never read.
CHUNK = 65_536


def memory() -> float:
    """Return what the process has, in megabytes."""
    return resident_size() / 1e6


class Quiet(threading.Thread):
    """A connection that sends a message and waits for the answer, again and again."""

    def __init__(self, address: Any, begin: threading.Event) -> None:
        super().__init__(daemon=True)
        self.address, self.begin = address, begin
        self.answered = 0
        self.longest = 0.0

    def run(self) -> None:
        with socket.create_connection(self.address) as end:
            end.settimeout(60)
            self.begin.wait()
            for number in range(MESSAGES):
                data = b"%06d" % number
                start = time.monotonic()
                end.sendall(data)
                if end.recv(6, socket.MSG_WAITALL) != data:
                    return
                self.longest = max(self.longest, time.monotonic() - start)
                self.answered += 1


def connect_many(address: Any, size: int) -> list[socket.socket]:
    """Connect so many, from as many addresses as that takes."""
    ends = []
    for number in range(size):
        end = socket.socket()
        # Each address has some 28,000 ports. It begins with the one at which other tests look
        # for a free port, to listen at it on all addresses.
        end.bind((f"127.0.0.{1 + number // 20_000}", 0))
        end.connect(address)
        ends.append(end)
    return ends


def connections(side: Side, address: Any, size: int) -> tuple[Callable[[], Any], str]:
    """Many connections that do nothing, and then a message on each."""

    def flood() -> int:
        ends = connect_many(address, size)
        for end in ends:
            end.sendall(b"x")
        answered = sum(end.recv(1) == b"x" for end in ends)
        for end in ends:
            end.close()
        return answered

    return flood, "answered"


def slow_writers(side: Side, address: Any, size: int) -> tuple[Callable[[], Any], str]:
    """Many who send a byte at a time, in turn, and wait for none of the answers."""

    def flood() -> int:
        ends = connect_many(address, size)
        for _ in range(20):
            for end in ends:
                end.sendall(b"x")
        answered = sum(len(end.recv(20, socket.MSG_WAITALL)) == 20 for end in ends)
        for end in ends:
            end.close()
        return answered

    return flood, "answered"


def never_read(side: Side, address: Any, size: int) -> tuple[Callable[[], Any], str]:
    """Some who send as much as is taken, and never read what comes back."""

    def flood() -> int:
        ends = connect_many(address, size)
        piece, sent = bytes(CHUNK), 0
        for end in ends:
            end.setblocking(False)
        idle = 0
        # Until nobody takes anything for a while.
        while idle < 20 and sent < size << 28:
            writable = select.select([], ends, [], 0.05)[1]
            idle = 0 if writable else idle + 1
            for end in writable:
                with contextlib.suppress(BlockingIOError):
                    sent += end.send(piece)
        for end in ends:
            end.close()
        return sent // 1_000_000

    return flood, "megabytes"


def calls(side: Side, address: Any, size: int) -> tuple[Callable[[], Any], str]:
    """A thread that makes calls as fast as it can."""
    ran = [0]

    def call() -> None:
        ran[0] += 1

    def flood() -> int:
        for _ in range(size):
            side.call_from_thread(call)
        while ran[0] < size:
            time.sleep(0.01)
        return ran[0]

    return flood, "calls"


def timers(side: Side, address: Any, size: int) -> tuple[Callable[[], Any], str]:
    """Timers that are all due within a second, set in shares, so that others have their turn."""
    ran = [0]
    left = [size]

    def call() -> None:
        ran[0] += 1

    def set_some() -> None:
        for _ in range(min(1000, left[0])):
            left[0] -= 1
            side.call_later(0.5 + left[0] % 1000 / 2000, call)
        if left[0]:
            side.call_later(0, set_some)

    def flood() -> int:
        side.call_from_thread(set_some)
        while ran[0] < size:
            time.sleep(0.01)
        return ran[0]

    return flood, "timers"


FLOODS = {
    "connections": connections,
    "slow writers": slow_writers,
    "never read": never_read,
    "calls": calls,
    "timers": timers,
}


def main(face: str, name: str, size: str, kind: str = "ours") -> None:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    side = make_side(face, kind)
    side.polite = True
    address = side.listen("tcp", "")
    if name in ("connections", "slow writers", "never read"):
        # The peers have a process of their own: there are as many descriptors for each.
        flood, unit = FLOODS[name](side, address, int(size))
        flood = in_child(flood)
    else:
        flood, unit = FLOODS[name](side, address, int(size))
    begin = threading.Event()
    quiet = Quiet(address, begin)
    quiet.start()
    result: dict[str, Any] = {}

    def work() -> None:
        begin.set()
        result[unit] = flood()
        quiet.join()

    thread = threading.Thread(target=work, daemon=True)
    before = memory()
    highest = [before]

    def over() -> bool:
        highest[0] = max(highest[0], memory())
        return not thread.is_alive() and all(connection.lost for connection in side.served)

    from helpers.faults import sides

    sides.LIMIT, sides.TICK = 280.0, 0.05
    thread.start()
    side.run_until(over)
    late = Quiet(address, begin)
    late.start()
    side.run_until(lambda: not late.is_alive())
    side.close()
    result |= {
        "quiet": quiet.answered,
        "longest": round(quiet.longest, 3),
        "late": late.answered,
        "megabytes taken": round(highest[0] - before),
        "served": len(side.served),
        "told": side.told[:5],
    }
    print(json.dumps(result))


def in_child(job: Callable[[], int]) -> Callable[[], int]:
    """Have a job done by a process that is forked now, when it is called for."""
    go, went = os.pipe()
    back, answer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(went)
        try:
            os.read(go, 1)
            os.write(answer, b"%d" % job())
        finally:
            os._exit(0)
    os.close(go)
    os.close(answer)

    def wait() -> int:
        os.close(went)
        said = os.read(back, 100)
        os.waitpid(pid, 0)
        return int(said or -1)

    return wait


if __name__ == "__main__":
    main(*sys.argv[1:])
