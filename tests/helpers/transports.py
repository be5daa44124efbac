"""Asyncio's connections under test: a protocol that writes down all that happens to it,
and its peer, a plain socket.

A scenario is a function ``(loop, trace)``, as in `helpers.loops`. What the loop reports
lands in the trace with the whole of its context, and so does what asyncio logs. How
many pieces data comes in is the transport's own affair: pieces with nothing between
them are one event.
"""

import asyncio
import contextlib
import fcntl
import logging
import re
import select
import socket
import struct
import tempfile
import termios
import time

import pytest

from helpers.loops import LIMIT, marked, stock_asyncio, tornado4_asyncio, watchdog
from helpers.scenarios import described, turns

# Fills the kernel's buffers; no test writes it.
FILLER = b"#"
# From linux/sockios.h: how much is in the send queue that hasn't been sent.
SIOCOUTQNSD = 0x894B

KINDS = ["tcp server", "tcp client", "unix server", "unix client"]


def events(trace, name):
    """The events of a name in a trace, without it."""
    return [event[1:] for event in trace if isinstance(event, tuple) and event[0] == name]


def normalized(text):
    """What differs from run to run, and the name of a transport's class, are left out."""
    text = re.sub(r"0x[0-9a-f]+", "0x", text)
    text = re.sub(r"\bfd=\d+", "fd=N", text)
    # A path and its line, in the debug mode's reprs.
    text = re.sub(r" (created )?at \S+:\d+", "", text)
    return re.sub(r"\b_?\w*SocketTransport\b", "Transport", text)


def shown(value):
    """An entry of a context: comparable, and the same whatever the loop."""
    if isinstance(value, BaseException):
        return described(value)
    if isinstance(value, str):
        return normalized(value)
    if isinstance(value, asyncio.BaseTransport):
        return "transport"
    if isinstance(value, asyncio.BaseProtocol):
        return type(value).__name__
    return normalized(repr(value)) if isinstance(value, asyncio.Handle) else type(value).__name__


def reporter(trace):
    def report(loop, context):
        trace.append(("reported", sorted((key, shown(value)) for key, value in context.items())))

    return report


class LogHandler(logging.Handler):
    def __init__(self, trace):
        super().__init__(logging.WARNING)
        self.trace = trace

    def emit(self, record):
        self.trace.append(("logged", normalized(record.getMessage())))


def trace_transports(factory, scenario):
    """The trace of a scenario, whose loop is closed behind it."""
    trace = []
    loop = factory()
    loop.set_exception_handler(reporter(trace))
    # How long a callback takes is said in debug mode, and different each time.
    loop.slow_callback_duration = 1000
    handler = LogHandler(trace)
    logger = logging.getLogger("asyncio")
    logger.addHandler(handler)
    asyncio.set_event_loop(loop)
    try:
        with watchdog(lambda: loop.call_soon_threadsafe(loop.stop)):
            scenario(loop, trace)
    finally:
        logger.removeHandler(handler)
        asyncio.set_event_loop(None)
        loop.close()
    return trace


on_transports = marked(trace_transports, stock_asyncio, tornado4_asyncio)


def on_transports_but(reason):
    """As `on_transports`, where ours is known not to do as stock does."""
    marks = pytest.mark.xfail(reason=reason, strict=True)
    return marked(trace_transports, stock_asyncio, tornado4_asyncio, marks)


def ours_transports(scenario):
    """The trace on our loop alone, for where stock does what nobody wants."""
    return trace_transports(tornado4_asyncio, scenario)


class Traced:
    """What both kinds of protocol share. A hook, named as the method is, is called with
    the protocol, and what it returns is what the method returns."""

    def __init__(self, trace, name="", **hooks):
        self.trace = trace
        self.prefix = (name,) if name else ()
        self.hooks = hooks
        self.transport = None
        self.data = b""
        self.lost = False

    def called(self, method, *details):
        self.trace.append((*self.prefix, method, *details))
        return self.hook(method)

    def hook(self, method):
        hook = self.hooks.get(method)
        return hook(self) if hook else None

    def keep(self, data):
        self.data += data

    def received(self, data):
        self.keep(data)
        event = (*self.prefix, "data")
        if self.trace and self.trace[-1][:-1] == event:
            data = self.trace.pop()[-1] + data
        self.trace.append((*event, data))

    def connection_made(self, transport):
        self.transport = transport
        self.called("connection_made")

    def eof_received(self):
        return self.called("eof_received")

    def pause_writing(self):
        self.called("pause_writing")

    def resume_writing(self):
        self.called("resume_writing")

    def connection_lost(self, error):
        self.lost = True
        self.called("connection_lost", error and described(error))


class Plain(Traced, asyncio.Protocol):
    def data_received(self, data):
        assert type(data) is bytes
        self.received(data)
        self.hook("data_received")


class Buffered(Traced, asyncio.BufferedProtocol):
    """Takes data in a buffer, which `sized` sets; a hook `get_buffer` gives its own."""

    sized = 65_536

    def get_buffer(self, hint):
        if "get_buffer" in self.hooks:
            self.buffer = self.hook("get_buffer")
        else:
            # Stock's TLS takes slices of it.
            self.buffer = memoryview(bytearray(self.sized))
        return self.buffer

    def buffer_updated(self, count):
        self.received(bytes(self.buffer[:count]))
        self.hook("buffer_updated")


def run_turns(loop, trace, count):
    """Some turns, each of them in the trace, and what is let out of them."""
    for _ in range(count):
        trace.append("turn")
        try:
            turns(loop)
        except BaseException as error:
            trace.append(("let out", described(error)))


def in_callback(loop, function, *args):
    loop.call_soon(function, *args)
    turns(loop)


def run_until(loop, condition):
    """Runs a loop until a condition holds, which is looked at after each turn."""
    deadline = time.monotonic() + LIMIT

    def look():
        if condition() or time.monotonic() > deadline:
            loop.stop()
        else:
            loop.call_later(0.001, look)

    if not condition():
        loop.call_soon(look)
        loop.run_forever()
    assert condition(), "it never came to that"


def lowered(sock, option, size):
    """Makes one of a socket's buffers small, and of a size that stays; the other large."""
    for other in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        sock.setsockopt(socket.SOL_SOCKET, other, size if other == option else 200_000)


def address_of(stack, family):
    if family == socket.AF_INET:
        return ("127.0.0.1", 0)
    return stack.enter_context(tempfile.TemporaryDirectory()) + "/socket"


@contextlib.contextmanager
def connected(loop, protocol, kind="tcp server", buffers=None, **kwargs):
    """A protocol of a loop that is connected, as `kind` says, with a plain socket: its
    peer. Whatever is left of either is closed at the end."""
    made, end = kind.split()
    family = socket.AF_INET if made == "tcp" else socket.AF_UNIX
    with contextlib.ExitStack() as stack:
        proto = socket.IPPROTO_TCP if made == "tcp" else 0
        listening = stack.enter_context(socket.socket(family, proto=proto))
        at_server = end == "server"
        if buffers:
            # Those in which waits what our end sends.
            option = socket.SO_SNDBUF if at_server else socket.SO_RCVBUF
            lowered(listening, option, buffers)
        listening.bind(address_of(stack, family))
        listening.listen()
        if at_server:
            create = loop.create_server if made == "tcp" else loop.create_unix_server
            server = loop.run_until_complete(
                create(lambda: protocol, sock=listening.dup(), **kwargs)
            )
            stack.callback(server.close)
            peer = stack.enter_context(socket.socket(family))
            if buffers:
                lowered(peer, socket.SO_RCVBUF, buffers)
            peer.connect(listening.getsockname())
            run_until(loop, lambda: protocol.transport)
            # On a busy machine that is seen before what it has scheduled is done.
            turns(loop, 2)
        else:
            sock = socket.socket(family, proto=proto)
            if buffers:
                lowered(sock, socket.SO_SNDBUF, buffers)
            sock.connect(listening.getsockname())
            sock.setblocking(False)
            create = loop.create_connection if made == "tcp" else loop.create_unix_connection
            loop.run_until_complete(create(lambda: protocol, sock=sock, **kwargs))
            peer = stack.enter_context(listening.accept()[0])
        peer.setblocking(False)
        if made == "tcp":
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            yield peer
        finally:
            with contextlib.suppress(OSError):
                peer.close()
            protocol.hooks.clear()
            protocol.trace = []
            if loop.is_closed():
                protocol.transport.get_extra_info("socket")._sock.close()
            elif still_open(protocol.transport):
                protocol.transport.abort()
                turns(loop, 5)


def still_open(transport):
    own = transport.get_extra_info("socket")
    return own is not None and own.fileno() != -1


def queued(fd, request=termios.FIONREAD):
    return struct.unpack("i", fcntl.ioctl(fd, request, b"\0\0\0\0"))[0]


class Peer:
    """The other end, a plain socket: what it does has arrived in the kernel at our end
    when the call returns, so that a run is the same each time."""

    def __init__(self, sock, transport):
        self.sock = sock
        self.own = transport.get_extra_info("socket")
        self.family = sock.family

    @property
    def fd(self):
        """Our end's descriptor, -1 where it is closed."""
        return self.own.fileno()

    def _wait(self, condition):
        deadline = time.monotonic() + 5
        while self.fd != -1 and not condition() and time.monotonic() < deadline:
            time.sleep(0.0002)

    def _has_event(self, events):
        poll = select.poll()
        poll.register(self.fd, events)
        return any(happened & events for _, happened in poll.poll(0))

    def send(self, data):
        before = queued(self.fd) if self.fd != -1 else 0
        sent = self.sock.send(data)
        self._wait(lambda: queued(self.fd) >= before + sent or self._has_event(select.POLLERR))
        return sent

    def shutdown(self):
        self.sock.shutdown(socket.SHUT_WR)
        self._wait(lambda: self._has_event(select.POLLRDHUP))

    def close(self):
        self.sock.close()
        self._wait(lambda: self._has_event(select.POLLRDHUP | select.POLLHUP | select.POLLERR))

    def reset(self):
        """Close at once, whatever is under way."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def received(self):
        """All that there is to be read, the filler left out; then b"EOF" or an error."""
        got = b""
        deadline = time.monotonic() + 5
        while True:
            try:
                data = self.sock.recv(1 << 20)
            except BlockingIOError:
                # Reading has made room, and what was behind it follows: all, and the
                # end, from a socket that is closed.
                under_way = self.fd == -1 or queued(self.fd, termios.TIOCOUTQ)
                if under_way and time.monotonic() < deadline:
                    if self.family == socket.AF_INET:
                        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
                    time.sleep(0.0002)
                    continue
                return got.replace(FILLER, b"")
            except OSError as error:
                return got.replace(FILLER, b""), type(error).__name__
            if not data:
                return got.replace(FILLER, b""), "EOF"
            got += data

    def _under_way(self):
        """How much our end has sent that isn't acknowledged."""
        return queued(self.fd, termios.TIOCOUTQ) - queued(self.fd, SIOCOUTQNSD)

    def clog(self):
        """Fill the kernel's buffers between the two, so that our end can send nothing."""
        if self.fd == -1:
            return
        with socket.socket(fileno=socket.dup(self.fd)) as ours:
            ours.setblocking(False)
            # What is acknowledged makes room once more: on TCP it is full only when nothing is
            # under way, and the other end takes no more.
            while True:
                try:
                    ours.send(FILLER * 65_536)
                except BlockingIOError:
                    if self.family != socket.AF_INET or not self._under_way():
                        return
                    self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
                    time.sleep(0.0002)
                except OSError:
                    return
