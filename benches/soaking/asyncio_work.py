"""asyncio's transports: TCP, UNIX, TLS, datagrams, pipes; each end checks the other."""

from __future__ import annotations

import asyncio
import os
import random
import ssl
from collections.abc import Callable
from typing import Any

from .world import HOST, World, ending, pieces, some


class Flow(asyncio.BaseProtocol):
    """Writes no more than its transport wants."""

    transport: Any
    may_write: asyncio.Event

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.may_write = asyncio.Event()
        self.may_write.set()

    def pause_writing(self) -> None:
        self.may_write.clear()

    def resume_writing(self) -> None:
        self.may_write.set()

    def connection_lost(self, error: Exception | None) -> None:
        self.may_write.set()


class Echo(Flow, asyncio.Protocol):
    """Sends everything back, and reads nothing while that has to wait."""

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)

    def pause_writing(self) -> None:
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self.transport.resume_reading()


class BufferedEcho(Flow, asyncio.BufferedProtocol):
    """The same, into a buffer of its own."""

    def __init__(self) -> None:
        self.buffer = bytearray(20_000)

    def get_buffer(self, hint: int) -> bytearray:
        return self.buffer

    def buffer_updated(self, count: int) -> None:
        self.transport.write(bytes(self.buffer[:count]))

    def pause_writing(self) -> None:
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        self.transport.resume_reading()


class Client(Flow, asyncio.Protocol):
    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.came = bytearray()
        self.some = asyncio.Event()
        self.all = asyncio.Event()
        self.lost = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self.came += data
        self.some.set()
        if len(self.came) >= self.wanted:
            self.all.set()

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        for event in (self.some, self.all, self.lost):
            event.set()


Connect = Callable[[Callable[[], Client]], Any]


async def visit_stream(
    name: str, world: World, chance: random.Random, connect: Connect, half: bool = True
) -> None:
    data = some(chance)
    transport, client = await connect(lambda: Client(len(data)))
    how = ending(chance, half)
    if how == "pause":
        transport.pause_reading()
        world.loop.call_later(chance.uniform(0, 0.05), transport.resume_reading)
    for piece in pieces(chance, data):
        if chance.random() < 0.3:
            transport.writelines([piece[:1], piece[1:]])
        else:
            transport.write(piece if chance.random() < 0.8 else bytearray(piece))
        await client.may_write.wait()
        if chance.random() < 0.2:
            await asyncio.sleep(0)
    if how == "reset":
        await client.some.wait()
        transport.abort()
        data = data[: len(client.came)]
    elif how == "half":
        transport.write_eof()
        await client.lost.wait()
    else:
        await client.all.wait()
        transport.close()
    await client.lost.wait()
    world.compare(name, data, bytes(client.came))


async def start(world: World, contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> dict[str, Any]:
    """Start the servers; return the visits to them."""
    loop = world.loop
    path = str(world.folder / "asyncio")
    tcp = await loop.create_server(Echo, HOST, 0)
    buffered = await loop.create_server(BufferedEcho, HOST, 0)
    unix = await loop.create_unix_server(Echo, path)
    tls = await loop.create_server(Echo, HOST, 0, ssl=contexts[0])
    for server in (tcp, buffered, unix, tls):
        world.closing.append(server.close)
    ports = {
        name: server.sockets[0].getsockname()[1]
        for name, server in (
            ("asyncio TCP", tcp),
            ("asyncio TCP, buffered", buffered),
            ("asyncio TLS", tls),
        )
    }

    def over(name: str) -> Any:
        secured = contexts[1] if name == "asyncio TLS" else None

        async def visit(world: World, chance: random.Random) -> None:
            def connect(made: Any) -> Any:
                return loop.create_connection(made, HOST, ports[name], ssl=secured)

            await visit_stream(name, world, chance, connect, half=not secured)

        return visit

    async def visit_unix(world: World, chance: random.Random) -> None:
        def connect(made: Any) -> Any:
            return loop.create_unix_connection(made, path)

        await visit_stream("asyncio UNIX", world, chance, connect)

    world.ports = ports  # type: ignore[attr-defined]
    return {
        **{name: over(name) for name in ports},
        "asyncio UNIX": visit_unix,
        "asyncio pipes": visit_pipes,
        "asyncio UDP": await start_datagrams(world),
    }


async def visit_pipes(world: World, chance: random.Random) -> None:
    data = some(chance)
    reading, writing = os.pipe()
    client = Client(len(data))
    reader, _ = await world.loop.connect_read_pipe(lambda: client, os.fdopen(reading, "rb", 0))
    writer, flow = await world.loop.connect_write_pipe(Flow, os.fdopen(writing, "wb", 0))
    if chance.random() < 0.3:
        reader.pause_reading()
        world.loop.call_later(chance.uniform(0, 0.05), reader.resume_reading)
    for piece in pieces(chance, data):
        writer.write(piece)
        await flow.may_write.wait()
    writer.close()
    await client.lost.wait()
    world.compare("asyncio pipes", data, bytes(client.came))


async def start_datagrams(world: World) -> Any:
    class Server(asyncio.DatagramProtocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, address: Any) -> None:
            self.transport.sendto(data, address)

    class Asks(asyncio.DatagramProtocol):
        def __init__(self) -> None:
            self.came: asyncio.Queue[bytes] = asyncio.Queue()

        def datagram_received(self, data: bytes, address: Any) -> None:
            self.came.put_nowait(data)

    server, _ = await world.loop.create_datagram_endpoint(Server, (HOST, 0))
    world.closing.append(server.close)
    address = server.get_extra_info("sockname")

    async def visit(world: World, chance: random.Random) -> None:
        client, asks = await world.loop.create_datagram_endpoint(Asks, remote_addr=address)
        try:
            await ask_by_datagrams("asyncio UDP", world, chance, client.sendto, asks.came)
        finally:
            client.close()

    return visit


async def ask_by_datagrams(
    name: str,
    world: World,
    chance: random.Random,
    send: Callable[[bytes], object],
    came: asyncio.Queue[bytes],
) -> None:
    """Several at a time; each comes back as it was, or is sent again."""
    wanted = {number: some(chance, 2000) for number in range(chance.randrange(1, 9))}
    while wanted:
        for number, data in wanted.items():
            send(bytes([number]) + data)
        try:
            while wanted:
                answer = await asyncio.wait_for(came.get(), 5)
                # It may have come twice, if it was late.
                if (data := wanted.pop(answer[0], None)) is not None:
                    world.compare(name, data, answer[1:])
        except asyncio.TimeoutError:
            world.again += len(wanted)
