"""What holds the frameworks together: Deferreds, coroutines, threads, timers, children."""

from __future__ import annotations

import asyncio
import itertools
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

from tornado.ioloop import IOLoop
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from tornado4.demo.services import Services
from tornado4.demo.words import expect, loop_name
from tornado4.platform.twisted import as_deferred

CHILD = "import sys; print(sys.stdin.read().upper(), end=''); sys.exit(3)"


async def one_loop(services: Services) -> str:
    loop = asyncio.get_running_loop()
    io_loop: Any = IOLoop.current()
    for thing in loop, io_loop, services.reactor:
        expect(type(thing).__module__.split(".")[0], "tornado4")
    expect(io_loop.asyncio_loop is loop, True)
    expect(services.reactor._asyncioEventloop is loop, True)
    return f"{type(loop).__name__} of tornado4"


async def await_deferred(services: Services) -> str:
    """Any coroutine awaits a Deferred as it is, and gets its result or its failure."""
    expect(await deferLater(services.reactor, 0.01, loop_name), loop_name())
    try:
        expect(await deferLater(services.reactor, 0.01, int, "x"), "a failure")
    except ValueError as error:
        return f"a result, and a {type(error).__name__}"
    return "unreachable"


async def coroutine_as_deferred(services: Services) -> str:
    """as_deferred() takes a coroutine, which may await both kinds, or a Future."""

    async def of_both() -> str:
        await asyncio.sleep(0.01)
        return await deferLater(services.reactor, 0.01, loop_name)

    async def of_asyncio() -> str:
        await asyncio.sleep(0.01)
        return loop_name()

    got: list[str] = []
    for awaitable in of_both(), asyncio.ensure_future(of_asyncio()):
        await as_deferred(awaitable).addCallback(got.append)
    expect(got, [loop_name()] * 2)
    return f"{len(got)} callbacks"


async def wake(hand_over: Callable[[Callable[[], None]], object]) -> str:
    """Have a thread hand a callback to the loop, by the way given, while the loop sleeps."""
    ran: asyncio.Future[tuple[str, float]] = asyncio.get_running_loop().create_future()

    def callback() -> None:
        ran.set_result((loop_name(), time.monotonic()))  # the name tells the thread, too

    start = time.monotonic() + 0.05
    threading.Timer(0.05, hand_over, [callback]).start()
    where, when = await ran
    expect(where, loop_name())
    expect(0 <= when - start < 1, True)  # woken up, not found when something else was due
    return "the loop woke up"


async def to_thread(services: Services) -> str:
    loop = asyncio.get_running_loop()
    awaitables: list[Awaitable[int]] = [
        deferToThread(threading.get_ident),
        IOLoop.current().run_in_executor(None, threading.get_ident),
        loop.run_in_executor(None, threading.get_ident),
    ]
    idents = {await awaitable for awaitable in awaitables}
    expect(threading.get_ident() in idents, False)
    return f"{len(awaitables)} results of {len(idents)} threads"


async def timers(services: Services) -> str:
    """Nine timers of three kinds, started from last to first, fire by their deadlines."""
    fired: list[tuple[int, str]] = []
    deadlines: dict[int, tuple[float, float]] = {}  # each is between these

    def fire(n: int) -> None:
        fired.append((n, loop_name()))

    later: list[Callable[..., object]] = [
        services.reactor.callLater,
        IOLoop.current().call_later,
        asyncio.get_running_loop().call_later,
    ]
    start = time.monotonic()
    for n in reversed(range(9)):
        delay = 0.03 * (n + 1)
        earliest = time.monotonic() + delay
        later[n % 3](delay, fire, n)
        deadlines[n] = earliest, time.monotonic() + delay
    while len(fired) < len(deadlines):
        await asyncio.sleep(0.01)
    expect(sorted(fired), [(n, loop_name()) for n in range(9)])
    # A slow machine may set them so far apart that these aren't in the numbers' order.
    for (n, _), (following, _) in itertools.pairwise(fired):
        expect(deadlines[n][0] <= deadlines[following][1], True)
    expect(time.monotonic() - start > 0.26, True)
    return f"{len(fired)} timers, in order"


class Child(ProcessProtocol):
    transport: Any

    def __init__(self) -> None:
        self.output = b""
        self.ended: Deferred[tuple[bytes, int, str]] = Deferred()

    def connectionMade(self) -> None:
        self.transport.write(b"ping")
        self.transport.closeStdin()

    def outReceived(self, data: bytes) -> None:
        self.output += data

    def processEnded(self, reason: Any) -> None:
        self.ended.callback((self.output, reason.value.exitCode, loop_name()))


async def twisted_child(services: Services) -> str:
    child = Child()
    services.reactor.spawnProcess(child, sys.executable, [sys.executable, "-c", CHILD], env=None)
    got = await child.ended
    expect(got, (b"PING", 3, loop_name()))
    return f"wrote {got[0]!r}, exit code {got[1]}"


async def asyncio_child(services: Services) -> str:
    pipe = asyncio.subprocess.PIPE
    command = [sys.executable, "-c", CHILD]
    child = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    output, _ = await child.communicate(b"ping")
    expect((output, child.returncode), (b"PING", 3))
    return f"wrote {output!r}, exit code {child.returncode}"


BRIDGES = {
    "one loop for all three": one_loop,
    "coroutine awaits a Deferred": await_deferred,
    "coroutine used as a Deferred": coroutine_as_deferred,
    "thread -> reactor.callFromThread": lambda services: wake(services.reactor.callFromThread),
    "thread -> IOLoop.add_callback": lambda _: wake(IOLoop.current().add_callback),
    "thread -> loop.call_soon_threadsafe": lambda _: wake(
        asyncio.get_running_loop().call_soon_threadsafe
    ),
    "deferToThread and run_in_executor": to_thread,
    "callLater and both call_later": timers,
    "child by reactor.spawnProcess": twisted_child,
    "child by create_subprocess_exec": asyncio_child,
}
