"""Programs that do random things to a stream of Tornado's and to the peer, all drawn from a
seed. The peer is a plain socket: what it sends has arrived when the call returns."""

import asyncio
import contextlib
import fcntl
import logging
import os
import random
import re
import socket
import ssl
import struct
import termios
import time
import zlib

from helpers.certificates import ssl_contexts
from helpers.tls_errors import forget_errors

STEPS = 25
KINDS = ("unix", "tcp", "tls", "pipe")

# Enough for an event, for what it calls, and for whom that wakes.
SETTLED = 12

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, for no time

DELIMITERS = (b"\n", b"\r\n", b"--end--", b"\x00", b"")
#: The first is the one by which Tornado looks for the end of a head, the second the same to `re`.
REGEXES = (
    b"\r?\n\r?\n",
    rb"\r?\n\r?\n",
    rb"\r?\n",
    rb"[\n\x00]",
    rb"a+b",
    rb"$",
    rb"",
    rb"(\n)(?=x)",
)
NUMBERS = re.compile(r"(?:fd=|\('127\.0\.0\.1', |0x)\w+")


def plain(text):
    """Without what differs each time: descriptors, ports, addresses."""
    return NUMBERS.sub("#", text).replace("tornado4.iostream", "tornado.iostream")


def short(data):
    """What is long, to be compared."""
    return bytes(data) if len(data) < 20 else (len(data), zlib.crc32(data))


def described(error):
    """What an exception says."""
    if error is None:
        return None
    real = getattr(error, "real_error", None)
    return type(error).__name__, plain(str(error)), described(real)


def on_its_way(sock):
    """How much of what was sent hasn't reached the other side."""
    if sock.fileno() < 0:
        return 0
    return struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, b"1234"))[0]


def wrapped(context, sock, is_server):
    return context.wrap_socket(
        sock,
        server_side=is_server,
        server_hostname=None if is_server else "test",
        do_handshake_on_connect=False,
    )


class Log(logging.Handler):
    """Notes what Tornado logs."""

    def __init__(self, trace):
        super().__init__()
        self.trace = trace

    def emit(self, record):
        error = record.exc_info and described(record.exc_info[1])
        # asyncio's say which functions were called.
        text = record.name if record.name == "asyncio" else plain(record.getMessage())
        self.trace.append((record.levelname, text, error))


@contextlib.contextmanager
def logging_to(trace):
    handler = Log(trace)
    names = ("tornado.general", "tornado.application", "asyncio")
    loggers = [logging.getLogger(name) for name in names]
    before = [(logger.level, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
    try:
        yield
    finally:
        for logger, (level, propagate) in zip(loggers, before, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)
            logger.propagate = propagate


class Program:
    """A stream, its peer, and what happened to them."""

    def __init__(self, module, kind, seed):
        self.module = module
        self.kind = kind
        self.random = random.Random(seed)
        self.trace = []
        self.futures = []
        self.peer = None
        self.sent = self.got = 0
        self.buffers = []
        self.unread = b""

    # Making both.

    async def make(self):
        choose = self.random.choice
        limits = {
            "max_buffer_size": choose([None, None, None, 1, 10, 1000, 50_000]),
            "read_chunk_size": choose([None, None, 1, 7, 1000, 300_000]),
            "max_write_buffer_size": choose([None, None, None, 0, 100, 100_000]),
        }
        self.trace.append(limits)
        if self.kind == "pipe":
            reading, writing = os.pipe()
            self.writes = choose([True, False])
            mine, theirs = (writing, reading) if self.writes else (reading, writing)
            os.set_blocking(theirs, False)
            self.peer = theirs
            # It is opened for both.
            self.stream = self.module.PipeIOStream(mine, **limits)
            return
        if self.kind == "tcp":
            with socket.create_server(("127.0.0.1", 0)) as server:
                # Or the system may keep data back for a while.
                server.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")
                server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                theirs = socket.create_connection(server.getsockname())
                theirs.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")
                theirs.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                mine = server.accept()[0]
        else:
            mine, theirs = socket.socketpair()
        theirs.setblocking(False)
        self.peer = theirs
        if self.kind != "tls":
            self.stream = self.module.IOStream(mine, **limits)
            return
        await self.make_tls(mine, theirs, limits)

    async def make_tls(self, mine, theirs, limits):
        server, client = ssl_contexts()
        is_server = self.random.random() < 0.5
        context = server if is_server else client
        if self.random.random() < 0.5:
            mine = wrapped(context, mine, is_server)
            self.stream = self.module.SSLIOStream(mine, ssl_options=context, **limits)
            shaken = self.stream.wait_for_handshake()
        else:
            stream = self.module.IOStream(mine, **limits)
            shaken = stream.start_tls(is_server, context, None if is_server else "test")
        other = client if is_server else server
        self.peer = wrapped(other, theirs, not is_server)
        while True:
            with contextlib.suppress(ssl.SSLWantReadError):
                self.peer.do_handshake()
                break
            await asyncio.sleep(0.001)
        self.stream = await shaken
        # The session tickets.
        await self.settle()

    # What is done to the stream.

    def note(self, name, call):
        """Do something, and note what comes of it. Returns its future, if it is one."""
        try:
            result = call()
        except Exception as error:
            self.trace.append((name, described(error)))
            return None
        if asyncio.isfuture(result):
            number = len(self.futures)
            self.futures.append(result)
            self.trace.append((name, "future", number, self.state_of(result)))
            return result
        self.trace.append((name, result))
        return None

    def reading(self):
        """Something to read by, and its arguments."""
        choose = self.random.choice
        size = choose([0, 1, 3, 100, 5000, self.random.randint(1, 100_000)])
        most = choose([None, None, None, 0, 10, 1000])
        name = choose(["bytes", "bytes", "until", "until", "regex", "into", "close", "odd"])
        stream = self.stream
        if name == "bytes":
            partial = choose([True, False])
            return name, lambda: stream.read_bytes(size, partial=partial)
        if name == "until":
            delimiter = choose(DELIMITERS)
            return name, lambda: stream.read_until(delimiter, max_bytes=most)
        if name == "regex":
            regex = choose(REGEXES)
            return name, lambda: stream.read_until_regex(regex, max_bytes=most)
        if name == "into":
            buffer = bytearray(size)
            self.buffers.append(buffer)
            partial = choose([True, False])
            return name, lambda: stream.read_into(buffer, partial=partial)
        if name == "close":
            return name, stream.read_until_close
        return choose(
            [
                ("odd regex", lambda: stream.read_until_regex(b"(")),
                ("odd bytes", lambda: stream.read_bytes("x")),
                ("odd bytes", lambda: stream.read_bytes(True)),
                ("odd bytes", lambda: stream.read_bytes(3.5)),
                ("odd bytes", lambda: stream.read_bytes(1 << 70)),
                ("odd until", lambda: stream.read_until("x")),
                ("odd until", lambda: stream.read_until(bytearray(b"\n"))),
                ("odd until", lambda: stream.read_until(b"\n", max_bytes=-1)),
                ("odd partial", lambda: stream.read_bytes(10, partial=1)),
                ("odd into", lambda: stream.read_into(b"bytes")),
            ]
        )

    def step_read(self):
        name, call = self.reading()
        future = self.note(name, call)
        if future is not None and self.random.random() < 0.3:
            self.then(future)

    def then(self, future):
        """Do something in the future's callback."""
        what = self.random.choice(["read", "close", "write", "cancel"])
        name, call = self.reading()

        def callback(_):
            self.trace.append("callback")
            if what == "read":
                self.note(name, call)
            elif what == "close":
                self.note("close", self.stream.close)
            elif what == "write":
                self.note("write", lambda: self.stream.write(b"from a callback"))
            elif self.futures[-1].cancel():
                self.trace.append("cancelled")

        future.add_done_callback(callback)

    def step_write(self):
        choose = self.random.choice
        size = choose([0, 1, 100, 3000, 70_000, 300_000])
        data = self.random.randbytes(size)
        odd = choose([bytes] * 6 + [memoryview, bytearray, str])
        data = "text" if odd is str else odd(data)
        self.note("write", lambda: self.stream.write(data))

    def step_close(self):
        how = self.random.choice([(), (ValueError("for a reason"),), (True,)])
        if self.random.random() < 0.3:
            self.note("close", lambda: self.stream.close(*how))

    def step_callback(self):
        what = self.random.choice(["note", "read", None])
        name, call = self.reading()

        def callback():
            self.trace.append("close callback")
            if what == "read":
                self.note(name, call)

        self.note("callback", lambda: self.stream.set_close_callback(what and callback))

    def step_cancel(self):
        pending = [future for future in self.futures if not future.done()]
        if pending:
            self.trace.append(("cancel", self.futures.index(pending[-1])))
            pending[-1].cancel()

    def step_set(self):
        """Settle somebody else's future."""
        if self.futures and self.random.random() < 0.2:
            self.note("set", lambda: self.futures[-1].set_result("set") or "done")

    def step_own(self):
        """Put a method on the stream, or take it away."""
        name = self.random.choice(["read_from_fd", "write_to_fd", "_find_read_pos", "closed"])
        if name in vars(self.stream):
            delattr(self.stream, name)
            return
        original = getattr(self.stream, name)
        fails = self.random.random() < 0.2

        def own(*args):
            if fails and name == "read_from_fd":
                raise OSError(5, "by somebody's own")
            return original(*args)

        setattr(self.stream, name, own)

    def step_ask(self):
        stream = self.stream
        self.trace.append((stream.reading(), stream.writing(), stream.closed()))

    def step_limit(self):
        """Change a limit."""
        self.stream.max_buffer_size = self.random.choice([100, 10_000, 104_857_600])

    def step_nodelay(self):
        odd = self.random.choice([True, True, False, 1, None, "x"])
        for value in (odd, True):
            # Or the system may keep data back for a while.
            self.note("nodelay", lambda value=value: self.stream.set_nodelay(value))
            sock = self.stream.socket if self.kind == "tcp" else None
            if sock is not None and sock.fileno() >= 0:
                option = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
                self.trace.append(("is set", option != 0))

    # What the peer does.

    def content(self):
        # Of TCP what fits into the window at once.
        most = 20_000 if self.kind == "tcp" else 100_000
        size = self.random.choice([1, 10, 200, 3000, 20_000, most])
        data = bytearray(self.random.randbytes(size))
        for _ in range(self.random.randint(0, 5)):
            at = self.random.randrange(size)
            part = self.random.choice(
                [b"\n", b"\r\n", b"\n\n", b"\r\n\r\n", b"--end--", b"aab", b"\nx"]
            )
            data[at : at + len(part)] = part
        return bytes(data)

    def step_send(self):
        data = self.content()
        if self.peer is None or (self.kind == "pipe" and self.writes):
            return
        try:
            count = os.write(self.peer, data) if self.kind == "pipe" else self.peer.send(data)
        except (OSError, ValueError) as error:
            self.trace.append(("peer", type(error).__name__))
        else:
            # TLS must send the same again if it couldn't send it all.
            self.trace.append(("sends", count))

    def step_receive(self, most=2_000_000):
        if self.peer is None or (self.kind == "pipe" and not self.writes):
            return
        if self.kind == "tls" and self.peer._sslobj is None:
            # What comes after the end of TLS is still encrypted.
            return
        came = b""
        if self.kind == "tls":
            # What the stream's failure has left is none of its peer's.
            forget_errors()
        while len(came) < most:
            try:
                part = os.read(self.peer, most) if self.kind == "pipe" else self.peer.recv(most)
            except BlockingIOError:
                break
            except ssl.SSLWantReadError:
                break
            except (OSError, ValueError) as error:
                self.trace.append(("peer", type(error).__name__))
                break
            if not part:
                self.trace.append("the peer sees the end")
                break
            came += part
        self.unread += came

    def step_end(self):
        if self.peer is None or self.random.random() < 0.5:
            return
        how = self.random.choice(["shutdown", "close", "reset", "notify"])
        self.trace.append(how)
        if self.kind == "pipe":
            os.close(self.peer)
            self.peer = None
            return
        try:
            if how == "shutdown":
                self.peer.shutdown(socket.SHUT_WR)
                return
            if how == "notify" and self.kind == "tls":
                with contextlib.suppress(ssl.SSLWantReadError):
                    self.peer.unwrap()
                return
            if how == "reset" and self.kind == "tcp":
                self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        except (OSError, ValueError) as error:
            self.trace.append(("peer", type(error).__name__))
        self.peer.close()
        self.peer = None

    # What is seen of it.

    def state_of(self, future):
        if not future.done():
            return "pending"
        if future.cancelled():
            return "cancelled"
        if future.exception() is not None:
            return described(future.exception())
        result = future.result()
        return short(result) if isinstance(result, bytes) else result

    def seen(self):
        """All that can be seen of the stream but how far the kernel has let it write."""
        stream = self.stream
        names = ("_read_bytes", "_read_partial", "_read_max_bytes", "_read_delimiter")
        state = {name: vars(stream)[name] for name in names}
        return {
            **state,
            "buffer": short(stream._read_buffer),
            "size": stream._read_buffer_size,
            "closed": stream._closed,
            "error": described(stream.error),
            "futures": [self.state_of(future) for future in self.futures],
            "user": stream._user_read_buffer,
            "buffers": [short(buffer) for buffer in self.buffers],
            "watched": stream._state,
            "unwritten": None if stream._write_buffer is None else len(stream._write_buffer),
            "writes": len(stream._write_futures),
        }

    async def settle(self):
        if self.kind == "tcp":
            self.arrived()
        for _ in range(SETTLED):
            await asyncio.sleep(0)

    def arrived(self):
        """On a busy machine the system takes a moment to carry what was sent. The loop does
        nothing meanwhile: an event that fails each time would be told as often as it fits in."""
        before = -1
        while True:
            ends = [end for end in (self.peer, self.stream.socket) if end is not None]
            count = sum(map(on_its_way, ends))
            if count in (0, before):
                break
            before = count
            time.sleep(0.003)

    async def run(self):
        await self.make()
        steps = [
            *[self.step_read] * 8,
            *[self.step_send] * 8,
            *[self.step_write] * 3,
            *[self.step_receive] * 2,
            self.step_end,
            self.step_close,
            self.step_callback,
            self.step_cancel,
            self.step_set,
            self.step_own,
            self.step_ask,
            self.step_limit,
            self.step_nodelay,
        ]
        try:
            for _ in range(STEPS):
                self.random.choice(steps)()
                if self.random.random() < 0.7:
                    await self.settle()
                    # As much as the kernel takes, every time.
                    self.step_receive()
                    await self.settle()
                    self.trace.append(self.seen())
            self.note("close", self.stream.close)
            await self.settle()
            self.trace.append(self.seen())
            for future in self.futures:
                if future.done() and not future.cancelled():
                    future.exception()
                future.cancel()
            self.step_receive()
            self.trace.append(short(self.unread))
        finally:
            # What was asked for may make that fail, each time.
            try:
                self.stream.close()
            except TypeError:
                self.stream._read_delimiter = None
                self.stream.close()
            if self.kind == "pipe" and self.peer is not None:
                os.close(self.peer)
            elif self.peer is not None:
                self.peer.close()


def traced(loop, module, kind, seed):
    """The trace of a program with the streams of a module, on a loop."""
    program = Program(module, kind, seed)
    with logging_to(program.trace):
        loop.run_until_complete(asyncio.wait_for(program.run(), 20))
    return program.trace
