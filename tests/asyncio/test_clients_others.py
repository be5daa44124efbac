"""Servers and clients of other protocols that other people wrote, on our loop."""

import asyncio
import smtplib
import sys

import anyio.abc
import pytest
from aiosmtpd.smtp import SMTP
from anyio.streams.tls import TLSListener, TLSStream
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve as serve_websockets

from helpers.applications import BODIES, listening_socket, on_loops, run_on
from helpers.certificates import ssl_contexts

tls_or_not = pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])


@on_loops
@tls_or_not
@pytest.mark.parametrize("compression", [None, "deflate"])
def test_websockets(factory, tls, compression):
    async def echo(connection):
        async for message in connection:
            await connection.send(message)

    async def client(uri, options):
        async with connect(uri, max_size=None, **options) as connection:
            found = []
            for body in BODIES:
                await connection.send(body)
                found.append(await connection.recv())
            # And many, before the first is read.
            for number in range(100):
                await connection.send(str(number))
            found += [await connection.recv() for _ in range(100)]
            pong = await connection.ping()
            await pong
        return found, connection.close_code

    async def main():
        server_side, client_side = ssl_contexts() if tls else (None, None)
        options = {"compression": compression, "proxy": None}
        if tls:
            options |= {"ssl": client_side, "server_hostname": "test"}
        with listening_socket() as sock:
            async with serve_websockets(
                echo, sock=sock, ssl=server_side, max_size=None, compression=compression
            ):
                uri = f"ws{'s' if tls else ''}://127.0.0.1:{sock.getsockname()[1]}"
                return await asyncio.gather(*(client(uri, options) for _ in range(5)))

    expected = BODIES + [str(number) for number in range(100)]
    assert run_on(factory, main) == [(expected, 1000)] * 5


@on_loops
@tls_or_not
def test_streams_of_anyio(factory, tls):
    async def echo(stream):
        async with stream:
            try:
                async for data in stream:
                    await stream.send(data)
            except (anyio.BrokenResourceError, anyio.EndOfStream):
                pass

    async def main():
        server_side, client_side = ssl_contexts()
        found = []
        async with await anyio.create_tcp_listener(local_host="127.0.0.1") as tcp:
            port = tcp.extra(anyio.abc.SocketAttribute.local_port)
            listener = TLSListener(tcp, server_side, standard_compatible=False) if tls else tcp
            async with anyio.create_task_group() as group:
                group.start_soon(listener.serve, echo)

                async def client(body):
                    stream = await anyio.connect_tcp("127.0.0.1", port)
                    if tls:
                        stream = await TLSStream.wrap(
                            stream,
                            hostname="test",
                            ssl_context=client_side,
                            standard_compatible=False,
                        )
                    async with stream, anyio.create_task_group() as both:
                        both.start_soon(stream.send, body + b".")
                        got = b""
                        while not got.endswith(b"."):
                            got += await stream.receive()
                        found.append(got == body + b".")

                async with anyio.create_task_group() as clients:
                    for body in BODIES * 3:
                        clients.start_soon(client, body)
                group.cancel_scope.cancel()
        return found

    assert run_on(factory, main) == [True] * 9


@on_loops
def test_datagrams_of_anyio(factory):
    async def main():
        async with await anyio.create_udp_socket(local_host="127.0.0.1") as server:
            port = server.extra(anyio.abc.SocketAttribute.local_port)
            async with await anyio.create_connected_udp_socket("127.0.0.1", port) as client:
                found = []
                for number in range(50):
                    await client.send(b"%d" % number)
                    data, (host, sender) = await server.receive()
                    await server.sendto(data + b"!", host, sender)
                    found.append(await client.receive())
                return found

    assert run_on(factory, main) == [b"%d!" % number for number in range(50)]


@on_loops
def test_processes_of_anyio(factory):
    program = "import sys; data = sys.stdin.buffer.read(); sys.stdout.buffer.write(data[::-1])"

    async def main():
        command = [sys.executable, "-c", program]
        results = [await anyio.run_process(command, input=body) for body in BODIES]
        command = [sys.executable, "-c", "import time; time.sleep(60)"]
        async with await anyio.open_process(command) as child:
            child.terminate()
            code = await child.wait()
        return [result.stdout for result in results], code

    assert run_on(factory, main) == ([body[::-1] for body in BODIES], -15)


@on_loops
def test_unix_sockets_of_anyio(factory, tmp_path):
    async def main():
        path = str(tmp_path / "socket")
        async with await anyio.create_unix_listener(path) as listener:

            async def serve():
                async with await listener.accept() as stream:
                    async for data in stream:
                        await stream.send(data)

            async with anyio.create_task_group() as group:
                group.start_soon(serve)
                async with await anyio.connect_unix(path) as client:
                    await client.send(BODIES[1])
                    return await client.receive()

    assert run_on(factory, main) == BODIES[1]


@on_loops
def test_mail_by_aiosmtpd(factory):
    """A server on the loop, and the standard library's client in threads."""

    class Keeping:
        async def handle_DATA(self, server, session, envelope):
            kept.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
            return "250 OK"

    kept = []

    def send(port, number):
        with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
            message = f"Subject: {number}\r\n\r\n" + "some words\r\n" * 5000
            client.sendmail("from@test", ["to@test"], message)

    async def main():
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: SMTP(Keeping(), loop=loop, hostname="test", enable_SMTPUTF8=True),
            "127.0.0.1",
            0,
        )
        port = server.sockets[0].getsockname()[1]
        await asyncio.gather(*(loop.run_in_executor(None, send, port, n) for n in range(5)))
        server.close()
        return sorted(content[:12] for _, _, content in kept)

    assert run_on(factory, main) == [b"Subject: %d\r\n" % number for number in range(5)]


@on_loops
@tls_or_not
def test_streams_of_asyncio(factory, tls):
    """Lines, exact sizes and the end, in both directions at once."""

    async def serve(reader, writer):
        while line := await reader.readline():
            size = int(line)
            data = await reader.readexactly(size)
            writer.writelines([line, data])
            await writer.drain()
        writer.close()

    async def client(address, options):
        reader, writer = await asyncio.open_connection(*address, **options)
        sizes = [0, 1, 10, 70_000, 1_000_000, 3]

        async def ask():
            for size in sizes:
                writer.write(b"%d\n" % size)
                writer.write(b"x" * size)
                await writer.drain()

        asking = asyncio.ensure_future(ask())
        found = []
        for _ in sizes:
            size = int(await reader.readuntil(b"\n"))
            found.append(len(await reader.readexactly(size)))
        await asking
        if writer.can_write_eof():
            writer.write_eof()
            rest = await reader.read()
        else:
            rest = b""
        writer.close()
        await writer.wait_closed()
        return found == sizes, rest

    async def main():
        server_side, client_side = ssl_contexts() if tls else (None, None)
        options = {"ssl": client_side, "server_hostname": "test"} if tls else {}
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_side)
        address = server.sockets[0].getsockname()
        found = await asyncio.gather(*(client(address, options) for _ in range(10)))
        server.close()
        await asyncio.sleep(0.05)
        return found

    assert run_on(factory, main) == [(True, b"")] * 10
