"""asyncio: transports and protocols, datagrams, subprocesses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import tornado4
from helpers.certificates import ssl_contexts
from helpers.faults.sides import Child, Connection, Side, Talk, error_of


def make_loop(kind: str) -> Any:
    return tornado4.new_event_loop() if kind == "ours" else asyncio.SelectorEventLoop()


def fd_of(transport: Any) -> int:
    fd: int = transport.get_extra_info("socket").fileno()
    return fd


class Echo(asyncio.Protocol):
    def __init__(self, side: Side) -> None:
        self.side = side
        self.connection = Connection()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.connection = self.side.accepted(fd_of(transport))

    def data_received(self, data: bytes) -> None:
        # In two pieces, which may be sent by one call.
        self.transport.write(data[:7])
        self.transport.write(data[7:])

    def pause_writing(self) -> None:
        if self.side.polite:
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.side.polite:
            self.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.connection.lost.append(error_of(exc))


class BufferedEcho(Echo, asyncio.BufferedProtocol):  # type: ignore[misc]
    def __init__(self, side: Side) -> None:
        super().__init__(side)
        self.memory = bytearray(50_000)

    def get_buffer(self, sizehint: int) -> bytearray:
        return self.memory

    def buffer_updated(self, nbytes: int) -> None:
        self.transport.write(self.memory[:nbytes])


class Talker(asyncio.Protocol):
    def __init__(self, talk: Talk) -> None:
        self.talk = talk

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.send()

    def send(self) -> None:
        data = self.talk.next()
        if data is None:
            self.transport.close()
        else:
            self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        if self.talk.received(data):
            self.send()

    def connection_lost(self, exc: Exception | None) -> None:
        self.talk.connection.lost.append(error_of(exc))


class EchoDatagrams(asyncio.DatagramProtocol):
    def __init__(self, side: Side) -> None:
        self.side = side

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.transport.sendto(data, addr)

    def error_received(self, exc: Exception) -> None:
        self.side.told.append(f"error_received: {error_of(exc)}")

    def connection_lost(self, exc: Exception | None) -> None:
        self.side.told.append(f"connection_lost: {error_of(exc)}")


class AsyncioSide(Side):
    def __init__(self, kind: str) -> None:
        super().__init__()
        self.loop = make_loop(kind)
        self.loop.set_exception_handler(self.report)
        self.ends: list[Any] = []
        self.tasks: list[Any] = []

    def report(self, loop: Any, context: dict[str, Any]) -> None:
        self.told.append(f"{context['message']}: {error_of(context.get('exception'))}")

    def listen(self, transport: str, path: str) -> Any:
        made = BufferedEcho if transport == "unix" else Echo
        if transport == "unix":
            serve = self.loop.create_unix_server(lambda: made(self), path)
        else:
            context = ssl_contexts()[0] if transport == "tls" else None
            serve = self.loop.create_server(lambda: made(self), self.host, 0, ssl=context)
        server = self.loop.run_until_complete(serve)
        self.ends.append(server)
        if not server.sockets:
            raise OSError("asyncio leaves out addresses for which it can make no socket")
        return server.sockets[0].getsockname()

    def connect(self, transport: str, address: Any, talk: Talk) -> None:

        async def connect() -> None:
            try:
                if transport == "unix":
                    await self.loop.create_unix_connection(lambda: Talker(talk), address)
                elif transport == "tls":
                    context = ssl_contexts()[1]
                    await self.loop.create_connection(
                        lambda: Talker(talk), *address, ssl=context, server_hostname="test"
                    )
                else:
                    await self.loop.create_connection(lambda: Talker(talk), *address)
            except OSError as error:
                talk.failed.append(error_of(error))

        self.tasks.append(self.loop.create_task(connect()))

    def datagrams(self) -> Any:
        made = self.loop.create_datagram_endpoint(lambda: EchoDatagrams(self), (self.host, 0))
        transport, _ = self.loop.run_until_complete(made)
        self.ends.append(transport)
        return transport.get_extra_info("sockname")

    def spawn(self, data: bytes) -> Child:
        child = Child()

        async def spawn() -> None:
            pipe = asyncio.subprocess.PIPE
            try:
                process = await asyncio.create_subprocess_exec("cat", stdin=pipe, stdout=pipe)
                child.output, _ = await process.communicate(data)
                child.ended.append(process.returncode)
            except OSError as error:
                child.failed.append(error_of(error))

        self.tasks.append(self.loop.create_task(spawn()))
        return child

    def call_from_thread(self, function: Callable[..., Any], *args: Any) -> None:
        self.loop.call_soon_threadsafe(function, *args)

    def run(self) -> None:
        self.loop.run_forever()

    def stop(self) -> None:
        self.loop.stop()

    def call_later(self, seconds: float, function: Callable[[], Any]) -> None:
        self.loop.call_later(seconds, function)

    def close(self) -> None:
        for end in self.ends:
            end.close()
        for task in self.tasks:
            task.cancel()
        for _ in range(3):
            self.loop.call_soon(self.loop.stop)
            self.loop.run_forever()
        self.loop.close()
