"""What scenarios are written with: descriptors, single turns, outcomes of calls."""

import contextlib
import os
import signal
import socket

# Those that a loop, a reactor or a scenario handles.
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGUSR1]


def described(error):
    return type(error).__name__, str(error)


def outcome(function, *args, **kwargs):
    """What a call comes to: its result, or its exception as (type name, message)."""
    try:
        return function(*args, **kwargs)
    except Exception as error:
        return described(error)


def turns(loop, count=1):
    """Runs exactly so many turns of an asyncio loop, none of which blocks."""
    for _ in range(count):
        loop.stop()
        loop.run_forever()


def run_reactor(reactor):
    reactor.run(installSignalHandlers=False)


def run_turns(reactor, count=3):
    """Runs a reactor for about so many turns; it can be run again afterwards."""

    def turn(left):
        if left:
            reactor.callLater(0, turn, left - 1)
        else:
            reactor.crash()

    reactor.callWhenRunning(turn, count)
    run_reactor(reactor)


@contextlib.contextmanager
def pipe():
    """A non-blocking pipe whose ends a scenario may close itself."""
    ends = os.pipe()
    inodes = [os.fstat(end).st_ino for end in ends]
    for end in ends:
        os.set_blocking(end, False)
    try:
        yield ends
    finally:
        for end, inode in zip(ends, inodes, strict=True):
            with contextlib.suppress(OSError):
                if os.fstat(end).st_ino == inode:
                    os.close(end)


def closed_number():
    """A file descriptor's number that nothing is open under."""
    with socket.socket() as sock:
        return sock.fileno()


def open_fds():
    """The numbers of what is open, and what it is."""
    found = {}
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the listing's own, closed by now
            found[int(number)] = os.readlink(f"/proc/self/fd/{number}")
    return found


def resident_size():
    """What the process has in memory, in bytes."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextlib.contextmanager
def socket_pair():
    left, right = socket.socketpair()
    with left, right:
        left.setblocking(False)
        right.setblocking(False)
        yield left, right


@contextlib.contextmanager
def socket_pairs(count):
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(socket_pair()) for _ in range(count)]


def io_turns(io_loop, count=1):
    turns(io_loop.asyncio_loop, count)


def run_for(io_loop, seconds=0.02):
    """Starts an IOLoop and stops it after a while."""
    io_loop.call_later(seconds, io_loop.stop)
    io_loop.start()


@contextlib.contextmanager
def handlers_restored():
    """Leaves the handlers of `SIGNALS` as they were."""
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
