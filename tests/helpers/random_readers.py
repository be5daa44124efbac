"""Programs with asyncio's StreamReader and StreamWriter at both ends of a connection, all
drawn from a seed: what each end reads, and what becomes of each call."""

import asyncio
import random

from helpers.certificates import ssl_contexts
from helpers.random_streams import LINES
from helpers.scenarios import described

STEPS = 12


class StreamsProgram:
    """Two ends that take turns, so that which of them is first is not left to chance."""

    ACTIONS = (
        *("line", "line", "exactly", "some", "until", "much", "lines", "half", "nothing"),
        *("eof", "close", "abort", "drain", "limits", "look", "wrong", "cancelled"),
    )
    ENDS = ("eof", "close", "abort")

    def __init__(self, seed, kind, loop, trace):
        self.random = random.Random(seed)
        self.kind = kind
        self.loop = loop
        self.trace = trace
        self.fatal = self.random.choice([0.05, 0.3])

    def run(self):
        self.loop.run_until_complete(self.main())

    async def connect(self):
        accepted = self.loop.create_future()

        def serve(reader, writer):
            accepted.set_result((reader, writer))

        server_side, client_side = ssl_contexts() if self.kind == "tls" else (None, None)
        # TLS waits for the other end's goodbye, which one that is paused doesn't read.
        limit = 65_536 if client_side else self.random.choice([16, 1000, 65_536])
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_side, limit=limit)
        address = server.sockets[0].getsockname()
        options = {"ssl": client_side, "server_hostname": "test"} if client_side else {}
        left = await asyncio.open_connection(*address, limit=limit, **options)
        return server, left, await accepted

    async def main(self):
        server, *self.ends = await self.connect()
        for step in range(STEPS):
            self.step = step
            writing = self.random.randrange(2)
            _, writer = self.ends[writing]
            reader, _ = self.ends[1 - writing]
            action = self.random.choice(self.ACTIONS)
            if action in self.ENDS and self.random.random() > self.fatal:
                continue
            self.trace.append((step, action, writing))
            await getattr(self, action)(reader, writer)
        for _, writer in self.ends:
            writer.close()
        for reader, writer in self.ends:
            await self.tried("wait_closed", writer.wait_closed())
            await self.tried("rest", reader.read())
        server.close()
        await asyncio.sleep(0)

    async def tried(self, name, awaitable, seconds=5):
        """Note what it comes to; what nobody answers is left after a while."""
        try:
            result = await asyncio.wait_for(awaitable, seconds)
        except (Exception, asyncio.CancelledError) as error:
            # How much of a line has come when it is too long is a matter of pieces.
            text = "" if isinstance(error, asyncio.LimitOverrunError) else described(error)[1]
            if isinstance(error, OSError | ConnectionError):
                text = ""
            result = type(error).__name__, text
        self.trace.append((name, result))

    def wrote(self, writer, data):
        try:
            writer.write(data)
        except Exception as error:
            self.trace.append(("write", described(error)))
            return False
        return not writer.is_closing()

    def word(self, size):
        return b"%d:" % self.step + b"x" * size

    async def read(self, reader, awaitable, name):
        # Where an end has ended there is an answer, too.
        await self.tried(name, awaitable)

    async def line(self, reader, writer):
        if self.wrote(writer, self.word(self.random.choice([0, 10, 100])) + b"\n"):
            await self.read(reader, reader.readline(), "readline")

    async def exactly(self, reader, writer):
        data = self.word(self.random.choice([1, 100, 5000]))
        if self.wrote(writer, data):
            await self.read(reader, reader.readexactly(len(data)), "readexactly")

    async def much(self, reader, writer):
        data = self.word(1_000_000)
        if self.wrote(writer, data):
            draining = asyncio.ensure_future(self.drained(writer))
            await self.read(reader, reader.readexactly(len(data)), "much")
            self.trace.append(("drained", await draining))

    async def drained(self, writer):
        try:
            await writer.drain()
        except Exception as error:
            return type(error).__name__

    async def some(self, reader, writer):
        if self.wrote(writer, self.word(3)):
            await self.read(reader, reader.read(2), "read")
            await self.read(reader, reader.readexactly(len(self.word(3)) - 2), "read rest")

    async def until(self, reader, writer):
        if self.wrote(writer, self.word(5) + b"<end>"):
            await self.read(reader, reader.readuntil(b"<end>"), "readuntil")

    async def lines(self, reader, writer):
        words = [self.word(size) + b"\n" for size in (0, 5, 2)]
        if writer.is_closing() and not LINES:
            return
        try:
            writer.writelines(words)
        except Exception as error:
            self.trace.append(("writelines", described(error)))
            return
        if not writer.is_closing():
            for _ in words:
                await self.read(reader, reader.readline(), "readline")

    async def half(self, reader, writer):
        """A read that waits, until the rest comes."""
        if self.wrote(writer, b"first "):
            reading = asyncio.ensure_future(self.read(reader, reader.readexactly(10), "half"))
            await asyncio.sleep(0)
            self.wrote(writer, b"last")
            await reading

    async def cancelled(self, reader, writer):
        """A read that is given up leaves what comes to the next one."""
        reading = asyncio.ensure_future(reader.readexactly(3))
        await asyncio.sleep(0)
        reading.cancel()
        await asyncio.wait([reading])
        if self.wrote(writer, b"abc"):
            await self.read(reader, reader.readexactly(3), "after one that was cancelled")

    async def nothing(self, reader, writer):
        self.wrote(writer, b"")
        if not writer.is_closing():
            self.wrote(writer, bytearray())

    async def wrong(self, reader, writer):
        self.wrote(writer, "text")

    async def eof(self, reader, writer):
        if writer.can_write_eof() and not writer.is_closing():
            writer.write_eof()
            await self.read(reader, reader.read(), "read to the end")
            self.trace.append(("at_eof", reader.at_eof()))

    async def close(self, reader, writer):
        writer.close()
        self.trace.append(("is_closing", writer.is_closing()))
        await self.read(reader, reader.read(), "read to the end")

    async def abort(self, reader, writer):
        writer.transport.abort()
        await self.read(reader, reader.read(), "read to the end")

    async def drain(self, reader, writer):
        self.trace.append(("drain", await self.drained(writer)))

    async def limits(self, reader, writer):
        mark = self.random.choice([None, 0, 100])
        # Where the mark is low, stock's TLS may not notice that all is sent.
        if self.kind != "tls":
            writer.transport.set_write_buffer_limits(mark)

    async def look(self, reader, writer):
        self.trace.append((writer.is_closing(), reader.at_eof(), writer.can_write_eof()))
