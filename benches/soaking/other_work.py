"""Timers, threads, child processes, and a peer that has no event loop at all."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import threading
import time
from typing import Any

from tornado.ioloop import IOLoop
from twisted.internet import protocol, threads

from .world import HOST, World, pieces, some


async def visit_timers(world: World, chance: random.Random) -> None:
    """Each is called once and not early, and never if it was cancelled."""
    loop, reactor, io_loop = world.loop, world.reactor, IOLoop.current()
    ran: dict[int, int] = {}
    early: list[float] = []
    kept = []

    def due(number: int, when: float) -> None:
        ran[number] = ran.get(number, 0) + 1
        if time.monotonic() < when - 0.002:
            early.append(when - time.monotonic())

    for number in range(100):
        delay = chance.choice([0, chance.uniform(0, 0.3)])
        when = time.monotonic() + delay
        kind = chance.randrange(3)
        cancel: Any
        if kind == 0:
            cancel = loop.call_later(delay, due, number, when).cancel
        elif kind == 1:
            cancel = reactor.callLater(delay, due, number, when).cancel
        else:
            timeout = io_loop.call_later(delay, due, number, when)
            cancel = lambda timeout=timeout: io_loop.remove_timeout(timeout)  # noqa: E731
        if chance.random() < 0.3:
            cancel()
        else:
            kept.append(number)
    await asyncio.sleep(0.31)
    deadline = time.monotonic() + 60
    while len(ran) < len(kept) and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    if ran != dict.fromkeys(kept, 1) or early:
        if sorted(ran) != kept or set(ran.values()) != {1}:
            world.failed(f"timers: {sorted(set(kept) ^ set(ran))}, {ran}")
        if early:
            world.failed(f"timers: early by {max(early)} s")


async def visit_threads(world: World, chance: random.Random) -> None:
    """What a thread asks for is done in its order; what it computes comes back."""
    loop, reactor, io_loop = world.loop, world.reactor, IOLoop.current()
    came: list[list[int]] = [[], [], []]
    count = chance.randrange(1, 200)
    done = asyncio.Event()

    def ask() -> None:
        for number in range(count):
            loop.call_soon_threadsafe(came[0].append, number)
            reactor.callFromThread(came[1].append, number)
            io_loop.add_callback(came[2].append, number)
        loop.call_soon_threadsafe(done.set)

    thread = threading.Thread(target=ask)
    thread.start()
    data = some(chance, 1000)
    if await loop.run_in_executor(None, bytes.hex, data) != data.hex():
        world.failed("threads: another result of run_in_executor")
    if await threads.deferToThread(bytes.hex, data).asFuture(loop) != data.hex():
        world.failed("threads: another result of deferToThread")
    await done.wait()
    while sum(map(len, came)) < 3 * count:
        await asyncio.sleep(0.001)
    thread.join()
    if came != [list(range(count))] * 3:
        world.failed(f"threads: {came}, {count}")


class Child(protocol.ProcessProtocol):
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.came = bytearray()
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def connectionMade(self) -> None:
        self.transport.write(self.data)
        self.transport.closeStdin()

    def outReceived(self, data: bytes) -> None:
        self.came += data

    def processEnded(self, reason: Any) -> None:
        self.ended.set_result(reason.value.exitCode)


async def visit_children(world: World, chance: random.Random) -> None:
    """A child gives back all that it is given, and its exit status comes."""
    data, code = some(chance), chance.randrange(256)
    words = ["/bin/sh", "-c", f"cat; exit {code}"]
    if chance.random() < 0.5:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*words, stdin=pipe, stdout=pipe)
        came, _ = await process.communicate(data)
        ended = process.returncode
    else:
        child = Child(data)
        world.reactor.spawnProcess(child, words[0], words)
        ended = await child.ended
        came = bytes(child.came)
    world.compare("children", data, came)
    if ended != code:
        world.failed(f"children: exit status {ended} instead of {code}")


async def visit_from_a_thread(world: World, chance: random.Random) -> None:
    """A peer with blocking sockets: what it sees is what is on the wire."""
    names = ["asyncio TCP", "asyncio TCP, buffered", "Twisted TCP"]
    port = world.ports[chance.choice(names)]  # type: ignore[attr-defined]
    data = some(chance)
    how = chance.choice(["close", "half", "reset", "slow", "silent"])
    seed = chance.random()
    came = await world.loop.run_in_executor(None, talk, port, data, how, random.Random(seed))
    world.compare("blocking peer", data[: len(came)] if how in ("reset", "silent") else data, came)


def talk(port: int, data: bytes, how: str, chance: random.Random) -> bytes:
    """Return what has come back."""
    came = bytearray()
    with socket.create_connection((HOST, port), timeout=60) as end:
        if how == "silent":
            return b""
        if how == "slow":
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)

        def send() -> None:
            # A reset may come before all is sent.
            with contextlib.suppress(ConnectionError):
                for piece in pieces(chance, data):
                    end.sendall(piece)
                if how == "half":
                    end.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        while len(came) < len(data) or how == "half":
            piece = end.recv(1000 if how == "slow" else 100_000)
            if not piece:
                break
            came += piece
            if how == "reset":
                break
        if how == "reset":
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        sender.join()
    return bytes(came)


VISITS = {
    "timers": visit_timers,
    "threads": visit_threads,
    "children": visit_children,
    "blocking peer": visit_from_a_thread,
}
