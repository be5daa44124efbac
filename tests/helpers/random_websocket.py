"""What comes of random frames of WebSocket.

`server_trace` sends frames to Tornado's server, `client_trace` to its client; both in random
pieces, by real sockets, and return all that can be seen.
"""

from __future__ import annotations

import asyncio
import base64
import functools
import hashlib
import socket
import struct
import termios
import zlib
from random import Random
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.web import Application
from tornado.websocket import WebSocketClosedError, WebSocketHandler, websocket_connect

from helpers.random_http import Came, Logged, waiting

#: How long a payload is. Around what changes the form of a frame's head.
SIZES = [0, 1, 2, 3, 5, 7, 100, 124, 125, 126, 127, 200, 5_000]
LONG = [65_534, 65_535, 65_536, 65_537, 70_000, 200_000]
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
FIN, RSV1 = 0x80, 0x40
#: How many turns of the loop are enough for what has been read.
TURNS = 40
#: What ends a block of a compressed message, which isn't sent.
TAIL = b"\0\0\xff\xff"

#: What a protocol of Tornado's counts and notes.
NOTED = (
    "client_terminated",
    "server_terminated",
    "close_code",
    "close_reason",
    "_frame_length",
    "_frame_mask",
    "_frame_compressed",
    "_fragmented_message_buffer",
    "_fragmented_message_opcode",
    "_message_bytes_in",
    "_message_bytes_out",
    "_wire_bytes_in",
    "_wire_bytes_out",
    "_received_pong",
)


def masked(mask: bytes, data: bytes) -> bytes:
    """What a payload is with a mask."""
    many = -(-len(data) // 4)
    long = int.from_bytes(data, "little") ^ int.from_bytes(mask * many, "little")
    return long.to_bytes(4 * many, "little")[: len(data)]


def frame(first: int, data: bytes, mask: bytes | None, form: int = 0) -> bytes:
    """A frame with such a first byte. `form`: with a length of at least so many bytes more."""
    bit = 0x80 if mask is not None else 0
    if len(data) < 126 and form < 2:
        head = struct.pack("!BB", first, bit | len(data))
    elif len(data) < 1 << 16 and form < 8:
        head = struct.pack("!BBH", first, bit | 126, len(data))
    else:
        head = struct.pack("!BBQ", first, bit | 127, len(data))
    if mask is None:
        return head + data
    return head + mask + masked(mask, data)


class Sender:
    """Makes frames, most as they should be."""

    def __init__(self, random: Random, masks: bool, compresses: bool) -> None:
        self.random, self.masks = random, masks
        self.compressor = zlib.compressobj(wbits=-15) if compresses else None

    def frame(self, first: int, data: bytes, form: int = 0) -> bytes:
        random = self.random
        masks = self.masks != (random.random() < 0.03)
        mask = random.choice([random.randbytes(4), bytes(4)]) if masks else None
        return frame(first, data, mask, form)

    def payload(self, opcode: int) -> bytes:
        random = self.random
        size = random.choice(LONG if random.random() < 0.12 else SIZES)
        if opcode == BINARY:
            return random.randbytes(size)
        data = ("aé\u1234\U0001f600" * size).encode()[:size]
        # Cut in the middle of a character, it may be none.
        return data if random.random() < 0.1 else data.decode(errors="ignore").encode()

    def message(self) -> bytes:
        """A message, in one frame or several, with others between them."""
        random = self.random
        opcode = random.choice([TEXT, BINARY])
        data = self.payload(opcode)
        first = opcode
        if self.compressor is not None and random.random() < 0.7:
            data = self.compressor.compress(data)
            data += self.compressor.flush(zlib.Z_SYNC_FLUSH)
            assert data.endswith(TAIL)
            data, first = data[: -len(TAIL)], opcode | RSV1
        if random.random() < 0.75:
            return self.frame(FIN | first, data, random.choice([0] * 15 + [2, 8]))
        cuts = sorted(random.randint(0, len(data)) for _ in range(random.choice([1, 1, 2, 3])))
        parts = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
        sent = b""
        for at, part in enumerate(parts):
            fin = FIN if at == len(parts) - 1 else 0
            sent += self.frame(fin | (0 if at else first), part)
            if not fin and random.random() < 0.3:
                sent += self.control()
        return sent

    def control(self) -> bytes:
        random = self.random
        size = random.choice([0, 1, 5, 124, 125])
        return self.frame(FIN | random.choice([PING, PONG]), random.randbytes(size))

    def closing(self) -> bytes:
        random = self.random
        code = struct.pack("!H", random.choice([1000, 1001, 1009, 3000, 0]))
        bad = [code, b"", code[:1], code + b"bye", code + "é".encode(), code + b"\xff"]
        return self.frame(FIN | CLOSE, random.choice(bad))

    def wrong(self) -> bytes:
        """What is wrong, or only odd."""
        random = self.random
        kind = random.randrange(8)
        if kind == 0:
            return self.frame(FIN | random.choice([0x40, 0x20, 0x10, 0x70]) | TEXT, b"abc")
        if kind == 1:
            return self.frame(FIN | random.choice([3, 7, 11, 15]), b"abc")
        if kind == 2:
            return self.frame(FIN | random.choice([PING, CLOSE]), random.randbytes(126))
        if kind == 3:
            return self.frame(random.choice([PING, PONG, CLOSE]), b"ab")
        if kind == 4:
            return self.frame(random.choice([0, FIN]), b"abc")
        if kind == 5:
            return self.frame(TEXT, b"begun") + self.frame(FIN | BINARY, b"other")
        if kind == 6:
            return struct.pack("!BBQ", FIN | BINARY, 127, random.choice([1 << 40, 1 << 63]))
        return random.randbytes(random.choice([1, 5, 30]))

    def all(self) -> list[bytes]:
        """Some frames, in the order in which they are sent."""
        random = self.random
        made = []
        for _ in range(random.choice([1, 2, 4, 8])):
            chance = random.random()
            if chance < 0.75:
                made.append(self.message())
            elif chance < 0.9:
                made.append(self.control())
            else:
                made.append(self.wrong())
        if random.random() < 0.5:
            made.append(self.closing())
            if random.random() < 0.2:
                made.append(self.message())
        return made


def pieces(random: Random, frames: list[bytes]) -> list[bytes]:
    """Cut what is sent: at and around the frames' heads, and anywhere."""
    data = b"".join(frames)
    cuts = set()
    at = 0
    for one in frames:
        if random.random() < 0.4:
            cuts.add(at + random.randint(0, 15))
        if random.random() < 0.2:
            cuts.add(at + random.randint(0, len(one)))
        at += len(one)
        if random.random() < 0.4:
            cuts.add(at)
    ends = sorted(cut for cut in cuts if 0 < cut < len(data))
    whole = [data[a:b] for a, b in zip([0, *ends], [*ends, len(data)], strict=True)]
    if whole and random.random() < 0.1:
        # It ends in the middle of something.
        whole[-1] = whole[-1][: random.randint(0, len(whole[-1]))]
    return [piece for piece in whole if piece]


class Notes(list[Any]):
    """What somebody is told, in its order; of something long what stands for it."""

    def add(self, what: str, *said: object) -> None:
        self.append((what, *map(short, said)))


def short(said: object) -> object:
    """What stands for something long."""
    if isinstance(said, (str, bytes, bytearray)) and len(said) > 40:
        data = said.encode() if isinstance(said, str) else bytes(said)
        return type(said), len(said), hashlib.md5(data).hexdigest()
    return said


def state(protocol: Any) -> dict[str, object]:
    """What a protocol has counted and noted."""
    return {name: short(getattr(protocol, name, None)) for name in NOTED}


class Mine(Exception):
    """What a handler raises."""


async def handle(owner: Any, message: Any, random: Random, notes: Notes) -> None:
    """Do something about a message; part of it waits."""
    binary = isinstance(message, bytes)
    way = random.random()
    try:
        if way < 0.5:
            sent = owner.write_message(message, binary=binary)
            notes.add("sent", sent.done())
            if random.random() < 0.5:
                notes.add("awaited", await sent)
        elif way < 0.6:
            await asyncio.gather(*(owner.write_message(f"{i}") for i in range(3)))
        elif way < 0.7:
            for _ in range(random.choice([1, 5])):
                await asyncio.sleep(0)
            owner.write_message({"a": 1})
        elif way < 0.8:
            owner.ping(b"ping")
        elif way < 0.85:
            owner.close(random.choice([None, 1000, 4000]), random.choice([None, "reason"]))
        elif way < 0.9:
            raise Mine
        elif way < 0.93:
            raise asyncio.CancelledError
    except WebSocketClosedError as error:
        notes.add("closed", repr(error))


class Handler(WebSocketHandler):
    """Notes everything, and does something about it."""

    def initialize(self, random: Random, notes: Notes, options: dict[str, Any]) -> None:
        self.random, self.notes, self.options = random, notes, options

    def get_compression_options(self) -> Any:
        return self.options["compression"]

    def check_origin(self, origin: str) -> bool:
        return True

    def open(self, *args: str, **kwargs: str) -> None:
        self.protocol = self.ws_connection

    def on_message(self, message: Any) -> Any:
        self.notes.add("message", message, state(self.protocol))
        if self.options["awaits"]:
            return handle(self, message, self.random, self.notes)
        way = self.random.random()
        if way < 0.7:
            sent = self.write_message(message, isinstance(message, bytes))
            self.notes.add("sent", sent.done())
        elif way < 0.8:
            self.close(self.random.choice([None, 4000]))
        elif way < 0.85:
            raise Mine
        return None

    def on_ping(self, data: bytes) -> None:
        self.notes.add("ping", data)

    def on_pong(self, data: bytes) -> None:
        self.notes.add("pong", data)
        if self.random.random() < 0.1:
            raise Mine

    def on_close(self) -> None:
        self.notes.add("close", self.close_code, self.close_reason, state(self.protocol))


def drawn_options(random: Random) -> dict[str, Any]:
    """How a side is set up."""
    return {
        "compression": random.choice([None, None, None, {}]),
        "max": random.choice([None, None, None, 100, 66_000]),
        "awaits": random.random() < 0.5,
    }


class Other:
    """The side that is looked at: what it has been told, and its stream, once there is one."""

    def __init__(self, notes: Notes) -> None:
        self.notes = notes
        self.stream: Any = None

    def has_ended(self) -> bool:
        """Whether its application was told of the connection's end."""
        ends = ("called", None), ("message", None)
        return any(note[0] in ("close", "raised") or note in ends for note in self.notes)

    async def has_begun(self) -> None:
        """Wait for its stream."""
        while self.stream is None:
            await asyncio.sleep(0)

    async def has_seen_all(self, mine: socket.socket) -> None:
        """Wait until it has read everything and done with it, or reads no more."""
        quiet = 0
        while quiet < TURNS and not self.has_ended() and self.stream.socket is not None:
            busy = waiting(termios.TIOCOUTQ, mine) or waiting(termios.FIONREAD, self.stream.socket)
            quiet = 0 if busy else quiet + 1
            await asyncio.sleep(0)

    async def close(self) -> None:
        """Close its stream, when it has done with it: after some errors Tornado leaves it open."""
        while not self.has_ended():
            await asyncio.sleep(0)
        for _ in range(TURNS):
            await asyncio.sleep(0)
        self.stream.close()


async def exchange(
    random: Random, sent: list[bytes], mine: socket.socket, other: Other, came: bytearray
) -> bool:
    """Send pieces, and receive until the other side has closed; return whether by a reset."""
    loop = asyncio.get_running_loop()
    reset = False
    # Or a piece may wait until the other side has read the one before.
    mine.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def receive() -> None:
        nonlocal reset
        try:
            while part := await loop.sock_recv(mine, 1 << 18):
                came.extend(part)
        except ConnectionError:
            reset = True

    async def send() -> None:
        nonlocal reset
        try:
            for piece in sent:
                await loop.sock_sendall(mine, piece)
                for _ in range(random.choice([0, 1, 2, 5])):
                    await asyncio.sleep(0)
            await other.has_seen_all(mine)
            mine.shutdown(socket.SHUT_WR)
        except OSError:
            reset = True

    both = asyncio.gather(receive(), send())
    await asyncio.wait_for(other.close(), 60)
    await asyncio.wait_for(both, 60)
    return reset


def server_trace(loop: Any, random: Random) -> Any:
    """Send frames to a server; return all that can be seen."""
    options = drawn_options(random)
    compresses = options["compression"] is not None and random.random() < 0.8
    sent = pieces(random, Sender(random, True, compresses).all())
    handlers, client = Random(random.random()), Random(random.random())
    notes, came = Notes(), bytearray()
    extension = b"Sec-WebSocket-Extensions: permessage-deflate\r\n" if compresses else b""
    head = (
        b"GET / HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        + extension
        + b"\r\n"
    )
    other = Other(notes)

    class Noted(Handler):
        def open(self, *args: str, **kwargs: str) -> None:
            super().open()
            other.stream = self.protocol.stream

    async def main() -> bool:
        settings = {} if options["max"] is None else {"websocket_max_message_size": options["max"]}
        given = {"random": handlers, "notes": notes, "options": options}
        server = HTTPServer(Application([("/", Noted, given)], **settings))
        with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket() as mine:
            listening.setblocking(False)
            server.add_socket(listening)
            mine.setblocking(False)
            await asyncio.get_running_loop().sock_connect(mine, listening.getsockname())
            await asyncio.get_running_loop().sock_sendall(mine, head)
            await other.has_begun()
            reset = await exchange(client, sent, mine, other, came)
            server.stop()
            await asyncio.wait_for(server.close_all_connections(), 60)
            return reset

    with Logged() as logged:
        reset = loop.run_until_complete(main())
    bytes_in = Came(bytes(came).partition(b"\r\n\r\n")[2], reset)
    return options, [(len(piece), piece[:20]) for piece in sent], bytes_in, notes, logged


def unmasked_frames(data: bytes) -> bytes:
    """What stands for the whole frames that a client has sent, without their masks."""
    found: list[object] = []
    while len(data) >= 2:
        size, start = data[1] & 0x7F, 2
        if size == 126:
            size, start = int.from_bytes(data[2:4], "big"), 4
        elif size == 127:
            size, start = int.from_bytes(data[2:10], "big"), 10
        end = start + size + (4 if data[1] & 0x80 else 0)
        if len(data) < end:
            break
        if data[1] & 0x80:
            mask, start = data[start : start + 4], start + 4
            found.append((data[0], size, short(masked(mask, data[start : start + size]))))
        else:
            found.append((data[0], size, "not masked"))
        data = data[end:]
    return repr(found).strip("]").encode()


def client_trace(loop: Any, random: Random) -> Any:
    """Send frames to a client; return all that can be seen."""
    options = drawn_options(random)
    compresses = options["compression"] is not None and random.random() < 0.8
    by_callback = random.random() < 0.4
    sent = pieces(random, Sender(random, False, compresses).all())
    handlers, server = Random(random.random()), Random(random.random())
    notes, came = Notes(), bytearray()
    other = Other(notes)

    async def serve(listening: socket.socket) -> bool:
        loop = asyncio.get_running_loop()
        mine, _ = await loop.sock_accept(listening)
        with mine:
            asked = b""
            while b"\r\n\r\n" not in asked:
                asked += await loop.sock_recv(mine, 1 << 16)
            key = asked.partition(b"Sec-Websocket-Key: ")[2].partition(b"\r\n")[0]
            guid = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
            accept = base64.b64encode(hashlib.sha1(key + guid).digest())
            extension = b"Sec-WebSocket-Extensions: permessage-deflate\r\n" if compresses else b""
            await loop.sock_sendall(
                mine,
                b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: " + accept + b"\r\n" + extension + b"\r\n",
            )
            await other.has_begun()
            return await exchange(server, sent, mine, other, came)

    connection: Any = None

    def called(message: Any) -> None:
        notes.add("called", message)
        if message is not None and handlers.random() < 0.5:
            try:
                connection.write_message("x" * handlers.choice([1, 125, 126, 70_000]))
            except WebSocketClosedError as error:
                notes.add("not sent", repr(error))

    async def use(port: int) -> None:
        nonlocal connection
        connection = await websocket_connect(
            f"ws://127.0.0.1:{port}/",
            compression_options=options["compression"],
            on_message_callback=called if by_callback else None,
            **({} if options["max"] is None else {"max_message_size": options["max"]}),
        )
        protocol = connection.protocol
        connection.on_ping = functools.partial(notes.add, "ping")
        connection.on_pong = functools.partial(notes.add, "pong")
        other.stream = protocol.stream
        try:
            while not by_callback:
                message = await connection.read_message()
                notes.add("message", message)
                if message is None:
                    break
                if handlers.random() < 0.5:
                    connection.write_message(message, isinstance(message, bytes))
                else:
                    await handle(connection, message, handlers, notes)
        except (Exception, asyncio.CancelledError) as error:
            notes.add("raised", repr(error))
            protocol._abort()
        while not other.stream.closed():
            await asyncio.sleep(0)
        for _ in range(TURNS):
            await asyncio.sleep(0)
        notes.add("end", connection.close_code, connection.close_reason)
        notes.add("state", state(protocol))
        connection.close()

    async def main() -> bool:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            listening.setblocking(False)
            serving = asyncio.ensure_future(serve(listening))
            await asyncio.wait_for(use(listening.getsockname()[1]), 90)
            return await asyncio.wait_for(serving, 60)

    with Logged() as logged:
        reset = loop.run_until_complete(main())
    frames = Came(unmasked_frames(bytes(came)), reset)
    return options, [(len(piece), piece[:20]) for piece in sent], frames, notes, logged
