"""The same attacks on asyncio's own loop, on uvloop and on ours: `python benches/attacks.py`.

Each runs in a process of its own, on each loop that is installed, with a time limit. What it
prints is one line: what has become of it. `--only NAME` chooses, `--loop LOOP` too. They use
asyncio's calls only, since that is what all three have.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

LOOPS = ("tornado4", "asyncio", "uvloop")
PATIENCE = 60


def new_loop(name: str) -> Any:
    if name == "tornado4":
        import tornado4

        return tornado4.new_event_loop()
    if name == "uvloop":
        import uvloop

        return uvloop.new_event_loop()
    return asyncio.SelectorEventLoop()


def run_for(loop: Any, seconds: float) -> None:
    loop.call_later(seconds, loop.stop)
    loop.run_forever()


def chain(loop: Any) -> str:
    """200,000 callbacks, each holding the one before, are freed."""
    handle = None
    for _ in range(200_000):
        handle = loop.call_soon(int, handle)
    loop.close()
    del handle
    return "freed"


def reused(loop: Any) -> str:
    """A descriptor is closed behind the loop's back; its number's next owner is watched."""
    read, others = [0], [0]
    for number in range(3000):
        one, other = socket.socketpair()
        fd = one.fileno()

        def on_read(one: socket.socket = one, fd: int = fd) -> None:
            try:
                read[0] += one.recv(100) == b"x"
            except OSError:
                others[0] += 1
            loop.remove_reader(fd)

        loop.add_reader(fd, on_read)
        if number % 3:
            # Whoever has it closes it, and the loop isn't told.
            one.close()
            other.close()
            continue
        other.send(b"x")
        run_for(loop, 0.002)
        loop.remove_reader(fd)
        one.close()
        other.close()
    return f"{read[0]:,} of 1,000 reads made, {others[0]} of another's"


def blocking(loop: Any) -> str:
    """Somebody has made a connection's socket blocking; its peer reads nothing."""
    ran: list[float] = []

    class Writes(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            os.set_blocking(transport.get_extra_info("socket").fileno(), True)
            loop.call_later(0.2, lambda: ran.append(time.monotonic()))
            transport.write(bytes(50_000_000))

    server = loop.run_until_complete(loop.create_server(Writes, "127.0.0.1", 0))
    peer = socket.create_connection(server.sockets[0].getsockname())

    def judge() -> None:
        time.sleep(3)
        print("goes on" if ran else "the loop stands still, other threads run", flush=True)
        os._exit(0)

    threading.Thread(target=judge).start()
    run_for(loop, 5)
    return f"goes on, with {peer}"


def forked(loop: Any) -> str:
    """A child that was forked in a callback returns from it, and so goes on with the loop."""
    pairs = [socket.socketpair() for _ in range(200)]
    seen: list[int] = []
    for one, _ in pairs:
        one.setblocking(False)
        loop.add_reader(one.fileno(), lambda one=one: seen.append(len(one.recv(10))))
    child = [1]

    def fork() -> None:
        child[0] = os.fork()

    def send(other: socket.socket) -> None:
        if child[0]:
            other.send(b"x")

    loop.call_soon(fork)
    for number, (_, other) in enumerate(pairs):
        loop.call_later(0.3 + number * 0.005, send, other)
    try:
        run_for(loop, 2)
    except BaseException:
        if child[0]:
            raise
        os._exit(7)
    if not child[0]:
        os._exit(0)
    status = os.waitpid(child[0], 0)[1]
    refused = os.WIFEXITED(status) and os.WEXITSTATUS(status) == 7
    said = "; the child gets an exception" if refused else ""
    return f"the parent gets {len(seen)} of {len(pairs)} reads{said}"


def memory(loop: Any) -> str:
    """Calls are made until there is no memory; then the loop runs again."""
    with open("/proc/self/status") as file:
        [used] = [int(line.split()[1]) for line in file if line.startswith("VmSize")]
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, ((used + 60_000) * 1024, hard))
    count = 0
    try:
        while True:
            loop.call_soon(int)
            count += 1
    except MemoryError:
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
    ran: list[int] = []
    loop.call_soon(ran.append, 1)
    run_for(loop, 0.01)
    return f"MemoryError after {'more than 10,000' if count > 10_000 else count} calls, " + (
        "and it goes on" if ran else "and it runs no more"
    )


def children(loop: Any) -> str:
    """The exit codes of 300 children, 30 at a time."""

    async def one(code: int) -> bool:
        words = ["/bin/sh", "-c", f"exit {code}"]
        process = await asyncio.create_subprocess_exec(*words)
        return await process.wait() == code

    async def all_of_them() -> int:
        right = 0
        for first in range(0, 300, 30):
            codes = [one((first + number) % 256) for number in range(30)]
            right += sum(await asyncio.gather(*codes))
        return right

    asyncio.set_event_loop(loop)
    return f"{loop.run_until_complete(all_of_them())} of 300 right"


ATTACKS: dict[str, Callable[[Any], str]] = {
    attack.__name__: attack for attack in (chain, reused, blocking, forked, memory, children)
}


def outcome(attack: str, loop: str) -> str:
    command = [sys.executable, __file__, "--run", attack, loop]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return f"hangs: no end after {PATIENCE} seconds"
    if done.returncode < 0:
        return signal.Signals(-done.returncode).name
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        return (done.stderr.splitlines() or ["nothing"])[-1]
    return lines[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=ATTACKS, default=list(ATTACKS))
    parser.add_argument("--loop", nargs="+", choices=LOOPS, default=list(LOOPS))
    parser.add_argument("--run", nargs=2, metavar=("NAME", "LOOP"), help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.run:
        attack, loop = wanted.run
        print(ATTACKS[attack](new_loop(loop)), flush=True)
        os._exit(0)
    for attack in wanted.only:
        print(f"{attack}: {ATTACKS[attack].__doc__}")
        for loop in wanted.loop:
            print(f"  {loop:9} {outcome(attack, loop)}", flush=True)


if __name__ == "__main__":
    main()
