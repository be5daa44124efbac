"""Every class and method of the native module and of the public classes, called with
arguments of every kind, in a random order that a seed decides.

Run as `python -m helpers.hostile SEED STEPS [HOW]`, in a process of its own: what it must not do
is end it, or raise a panic. HOW is one of `HOWS`: what else happens meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import copy
import faulthandler
import gc
import inspect
import logging
import os
import random
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any

from twisted.internet import protocol
from twisted.python import log

import tornado4
from tornado4 import _core
from tornado4.ioloop import IOLoop
from tornado4.platform.twisted import TornadoReactor

# They wait, end the process, or take all its memory.
LEFT_OUT = {
    "run", "_run", "run_forever", "run_until_complete", "run_sync", "start", "mainLoop", "iterate",
    "_run_once", "_run_forever", "_iterate", "doIteration", "_poll", "select", "resolve",
    "run_in_executor", "shutdown_default_executor", "spawnProcess", "fireSystemEvent",
    "callInThread", "startRunning", "runUntilCurrent", "_nested_turn", "subprocess_exec",
    "subprocess_shell", "connect_read_pipe", "connect_write_pipe", "suggestThreadPoolSize",
    "__del__", "_restore_sigint", "__init_subclass__", "__reduce__", "__reduce_ex__",
    "__subclasshook__", "__dir__", "__sizeof__", "__getstate__", "install", "add_signal_handler",
    "handle_callback_exception", "getThreadPool", "_initThreadPool", "_initThreads",
    "adoptStreamPort", "adoptStreamConnection", "adoptDatagramPort", "startReading", "make_current",
    "_turn", "_guest_turn", "_run_ready", "runCalls", "_wake", "crash", "sigInt", "sigBreak",
    "sigTerm", "stop", "_handleSignals", "_install_signal_handlers", "disconnectAll", "configure",
    "_restore_configuration", "_save_configuration",
}  # fmt: skip


class Hostile:
    """Raises, re-enters or closes, whatever is asked of it."""

    def __init__(self, world: World) -> None:
        self.world = world

    def _act(self, *args: Any, **kwargs: Any) -> Any:
        return self.world.act()

    __index__ = __int__ = __float__ = __len__ = __hash__ = __repr__ = __str__ = _act
    __eq__ = __lt__ = __gt__ = __le__ = __ge__ = __ne__ = __bool__ = _act
    __call__ = __iter__ = __setitem__ = __contains__ = _act
    __enter__ = __exit__ = __await__ = __get__ = __set__ = __add__ = __radd__ = _act
    __bytes__ = __format__ = __instancecheck__ = fileno = close = cancel = _act
    send = throw = doRead = doWrite = connectionLost = logPrefix = data_received = _act
    connection_made = connection_lost = eof_received = get_buffer = buffer_updated = _act
    pauseProducing = resumeProducing = stopProducing = dataReceived = makeConnection = _act
    pause_writing = resume_writing = run = copy = add_done_callback = buildProtocol = _act

    def __next__(self, *args: Any) -> Any:
        # Who asks for everything must come to an end.
        if self.world.random.random() < 0.3:
            raise StopIteration
        return self.world.act()

    def __getitem__(self, index: Any) -> Any:
        if self.world.random.random() < 0.3:
            raise IndexError
        return self.world.act()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self.world.act()

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self.world.act()


class World:
    """What there is to call, and what to call it with."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.deep = 0
        self.trace: list[str] = []
        self.make()

    def make(self) -> None:
        # Nothing hostile meanwhile, but from other threads and by the collector.
        self.deep += 100
        try:
            self.try_to_make()
        finally:
            self.deep -= 100

    def try_to_make(self) -> None:
        self.loop: Any = tornado4.new_event_loop()
        self.loop.set_exception_handler(lambda loop, context: None)
        self.io_loop = IOLoop(asyncio_loop=self.loop, make_current=False)
        self.reactor: Any = TornadoReactor(self.io_loop)
        self.pair = socket.socketpair()
        for end in self.pair:
            end.setblocking(False)
        self.objects: list[Any] = [
            self.loop,
            self.io_loop,
            self.reactor,
            self.reactor._core,
            self.loop.call_soon(int),
            self.loop.call_later(0, int),
            self.loop.call_later(99, int),
            self.io_loop.call_later(0, int),
            self.reactor.callLater(0, int),
            self.reactor.callLater(99, int, 1, two=2),
        ]
        self.add_connections()
        for name in _core.__all__ if hasattr(_core, "__all__") else dir(_core):
            each = getattr(_core, name)
            self.objects.append(each)
            if isinstance(each, type):
                with contextlib.suppress(Exception):
                    self.objects.append(each.__new__(each))
        for each in (type(self.loop), TornadoReactor, IOLoop):
            with contextlib.suppress(Exception):
                self.objects.append(each.__new__(each))

        async def coroutine() -> None:
            await asyncio.sleep(0)

        inner = coroutine()
        self.objects.append(_core.Coroutine(inner))

    def add_connections(self) -> None:
        made: list[Any] = []

        class Keep(protocol.Protocol):
            def connectionMade(self) -> None:
                made.append(self.transport)

        class KeepAsyncio(asyncio.Protocol):
            def connection_made(self, transport: Any) -> None:
                made.append(transport)

        class KeepDatagrams(protocol.DatagramProtocol):
            pass

        port = self.reactor.listenTCP(0, protocol.Factory.forProtocol(Keep), interface="127.0.0.1")
        datagrams = self.reactor.listenUDP(0, KeepDatagrams(), interface="127.0.0.1")
        server = self.loop.run_until_complete(self.loop.create_server(KeepAsyncio, "127.0.0.1", 0))
        addresses = [("127.0.0.1", port.getHost().port), server.sockets[0].getsockname()]
        self.clients = [socket.create_connection(address) for address in addresses * 2]
        while len(made) < len(self.clients):
            self.loop._turn(0.01)
        for client in self.clients:
            client.setblocking(False)
        self.objects += [*made, port, datagrams, server]

    def act(self) -> Any:
        """What a hostile object does when something is asked of it."""
        if self.deep > 3:
            raise ValueError("hostile")
        self.deep += 1
        try:
            match self.random.randrange(9):
                case 0:
                    raise ValueError("hostile")
                case 1:
                    self.step()
                    raise TypeError("hostile")
                case 2:
                    with contextlib.suppress(Exception):
                        self.loop._turn(0)
                case 3:
                    gc.collect(0)
                case 4 if self.random.random() < 0.1:
                    self.loop.close()
            return self.argument()
        finally:
            self.deep -= 1

    def argument(self) -> Any:
        kind = self.random.randrange(24)
        some: list[Callable[[], Any]] = [
            lambda: None,
            lambda: self.random.choice([0, 1, -1, 2, 5, 2**31, 2**32, 2**63, 2**64, -(2**63)]),
            lambda: self.random.choice([0.0, -1.0, 1e300, float("nan"), float("inf"), 0.001]),
            lambda: self.random.choice(["", "x", "\ud800", "x\0y", "write"]),
            lambda: self.random.choice([b"", b"x", b"x" * 100_000]),
            lambda: self.random.choice([bytearray(b"x"), memoryview(b"xy")[::2], memoryview(b"x")]),
            lambda: Hostile(self),
            lambda: Hostile(self),
            lambda: [Hostile(self), b"x"],
            lambda: (Hostile(self), 1),
            lambda: {"a": Hostile(self)},
            lambda: self.random.choice(self.pair),
            lambda: self.random.choice(self.pair).fileno(),
            lambda: self.random.choice(self.objects),
            lambda: self.random.choice(self.objects),
            lambda: self.random.choice(self.clients),
            lambda: int,
            lambda: contextvars.copy_context(),
            lambda: ValueError("x"),
            lambda: ValueError,
            lambda: asyncio.Protocol(),
            lambda: protocol.Protocol(),
            lambda: True,
            lambda: ("127.0.0.1", 9),
        ]
        return some[kind]()

    def step(self) -> None:
        """Do something with something."""
        target = self.random.choice(self.objects)
        names = [name for name in dir(type(target)) if name not in LEFT_OUT]
        if isinstance(target, type):
            names = ["__call__", "__new__"]
        elif not names:
            return
        name = self.random.choice(names)
        self.trace.append(f"{type(target).__name__}.{name}")
        del self.trace[:-40]
        what = self.random.randrange(10)
        try:
            # What is changed in a class stays so for everybody.
            if what == 0 and not isinstance(target, type):
                setattr(target, name, self.argument())
            elif what == 1 and not isinstance(target, type):
                delattr(target, name)
            elif what == 2 and not isinstance(target, type):
                self.random.choice([repr, hash, copy.copy, bool, iter, str])(target)
            elif what == 3:
                self.random.choice(
                    [
                        lambda: target == self.argument(),
                        lambda: target < self.argument(),
                        lambda: next(target),
                        lambda: len(target),
                    ]
                )()
            else:
                found = getattr(target, name)
                if callable(found) and not inspect.isclass(found):
                    count = self.random.choice([0, 0, 1, 1, 1, 2, 2, 3, 5])
                    arguments = [self.argument() for _ in range(count)]
                    made = found(*arguments)
                    if inspect.iscoroutine(made):
                        made.close()
        except BaseException as error:
            check(error)

    def turn(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self.random.choice(self.clients).send(b"x" * self.random.choice([1, 1000, 100_000]))
        try:
            _core.EventLoop._turn(self.loop, 0)
        except BaseException as error:
            check(error)
        # Otherwise there would soon be nothing but errors left.
        if _core.EventLoop.is_closed(self.loop) or self.random.random() < 0.003:
            self.make()


def check(error: BaseException | None) -> None:
    while error is not None:
        if type(error).__name__ == "PanicException":
            raise SystemError("a panic") from error
        error = error.__context__


def plainly(world: World) -> None:
    world.step()


def without_memory(world: World) -> None:
    """One allocation of Python's fails, or some one after the other."""
    # CPython's own: it isn't in every build.
    import _testcapi

    first = world.random.randrange(world.random.choice([20, 200, 2000]))
    last = world.random.choice([first + 1, first + 1, first + 3, first + 20])
    try:
        _testcapi.set_nomemory(first, last)
        world.step()
    except MemoryError:
        pass
    finally:
        _testcapi.remove_mem_hooks()


def deep(world: World) -> None:
    """There are few frames of recursion left."""
    depth, frame = 0, sys._getframe()
    while frame is not None:
        depth, frame = depth + 1, frame.f_back  # type: ignore[assignment]
    limit = sys.getrecursionlimit()
    try:
        sys.setrecursionlimit(depth + world.random.randrange(5, 40))
        world.step()
    except RecursionError:
        pass
    finally:
        sys.setrecursionlimit(limit)


def threads(world: World) -> None:
    """Other threads do the same to the same objects."""
    others = [threading.Thread(target=world.step) for _ in range(2)]
    for other in others:
        other.start()
    world.step()
    for other in others:
        other.join()


HOWS: dict[str, Callable[[World], None]] = {
    "plainly": plainly,
    "memory": without_memory,
    "deep": deep,
    "threads": threads,
}


def end(world: World) -> None:
    print("panic after", *world.trace[-5:], file=sys.stderr, flush=True)
    os._exit(3)


def main(seed: int, steps: int, how: str = "plainly") -> None:
    faulthandler.enable()
    # Whatever hangs is shown with its stack.
    faulthandler.dump_traceback_later(90, exit=True)
    warnings.simplefilter("ignore")
    logging.disable()
    sys.unraisablehook = lambda args: check(args.exc_value)
    log.startLoggingWithObserver(lambda event: None, setStdout=False)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    world = World(seed)

    def in_a_thread(args: Any) -> None:
        if args.exc_type is SystemError and args.exc_value.args == ("a panic",):
            end(world)

    threading.excepthook = in_a_thread
    stop = threading.Event()

    def elsewhere() -> None:
        other = random.Random(seed)
        while not stop.wait(0.001):
            with contextlib.suppress(Exception):
                target: Any = other.choice(world.objects)
                name = other.choice(
                    ["call_soon_threadsafe", "callFromThread", "add_callback", "wakeUp", "cancel"]
                )
                getattr(target, name)(*[int] * (name != "wakeUp" and name != "cancel"))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    try:
        for number in range(steps):
            try:
                HOWS[how](world)
                if number % 5 == 0:
                    world.turn()
            except SystemError as error:
                if error.args == ("a panic",):
                    end(world)
    finally:
        stop.set()
        thread.join()
    print("ended well", flush=True)
    # What is left need not be torn down in an order that nobody has made.
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
