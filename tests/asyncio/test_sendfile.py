"""Files that asyncio's connections send, and whose a connection's socket is, as stock has it."""

import asyncio
import os
import socket
import tempfile

import pytest

from helpers.certificates import ssl_contexts
from helpers.scenarios import outcome
from helpers.servers import LOCAL, outcome_of, pair
from helpers.transports import Plain, on_transports

MODES = ["native", "fallback", "tls", "refused"]


@on_transports
@pytest.mark.parametrize(
    ("mode", "offset", "count"),
    [
        *((mode, *which) for mode in MODES for which in [(0, None), (5, 100_000), (10**7, None)]),
        # Stock's TLS lets it be.
        *((mode, 0, 0) for mode in MODES if mode != "tls"),
    ],
)
def test_sendfile(run, mode, offset, count):
    size = 3_000_000
    data = os.urandom(1000) * (size // 1000)

    def scenario(loop, trace):
        async def main(file):
            server_side, client_side = ssl_contexts()
            first, second = Plain([]), Plain([])
            tls = mode == "tls"
            server = await loop.create_server(
                lambda: first, LOCAL, 0, ssl=server_side if tls else None
            )
            options = {"ssl": client_side, "server_hostname": "test"} if tls else {}
            right, _ = await loop.create_connection(
                lambda: second, *server.sockets[0].getsockname(), **options
            )
            right.write(b"before ")
            sending = loop.create_task(
                loop.sendfile(right, file, offset, count, fallback=mode != "refused")
            )
            await asyncio.sleep(0)
            if mode == "native" and offset < size and count != 0:
                trace.append((outcome(right.write, b"x") or ("done", ""))[0])
                trace.append(right.is_reading())
            result = await outcome_of(sending)
            trace.append(result)
            trace.append(file.tell())
            right.write(b" after")
            expected = b"before " + (b"" if isinstance(result, tuple) else sent) + b" after"
            while len(first.data) < len(expected):
                await asyncio.sleep(0)
            trace.append(first.data == expected)
            trace.append(right.is_reading())
            right.close()
            while not (first.lost and second.lost):
                await asyncio.sleep(0)
            server.close()

        sent = data[offset : None if count is None else offset + count]
        with tempfile.TemporaryFile() as file:
            file.write(data)
            file.seek(0)
            if mode == "fallback":
                # What has no descriptor.
                loop.run_until_complete(main(NoDescriptor(file)))
            else:
                loop.run_until_complete(main(file))

    trace = run(scenario)
    assert trace[-2:] == [True, True]
    if count == 0:
        assert ("ValueError", "count must be a positive integer (got 0)") in trace


class NoDescriptor:
    """A binary file without a descriptor, as one in memory or in an archive is."""

    mode = "rb"

    def __init__(self, file):
        self.file = file
        self.seek, self.tell = file.seek, file.tell
        self.readinto, self.read = file.readinto, file.read


@on_transports
@pytest.mark.parametrize(
    ("method", "args"),
    [
        *(("sock_recv", (10,)), ("sock_recv_into", (bytearray(10),)), ("sock_accept", ())),
        *(("sock_sendall", (b"x" * 10_000_000,)), ("sock_connect", ((LOCAL, 1),))),
    ],
)
def test_a_transports_socket_is_the_transports(run, method, args):
    def scenario(loop, trace):
        async def main():
            first, second = Plain([]), Plain([])
            server, left, right = await pair(loop, first, second)
            own = right.get_extra_info("socket")
            waiting = getattr(loop, method)(own._sock, *args)
            result = await outcome_of(asyncio.wait_for(waiting, 1))
            trace.append(result and (result[0], "is used by transport" in result[1]))
            with socket.socket(fileno=os.dup(own.fileno())) as other:
                # Another number for it is nobody's.
                other.setblocking(False)
                if method == "sock_recv":
                    left.write(b"hello")
                    right.pause_reading()
                    trace.append(await loop.sock_recv(other, 10))
            left.abort()
            right.abort()
            server.close()
            await asyncio.sleep(0.01)

        loop.run_until_complete(main())

    trace = run(scenario)
    if method in ("sock_recv", "sock_recv_into", "sock_sendall"):
        assert trace[0] == ("RuntimeError", True)


@on_transports
def test_a_transports_number_belongs_to_the_next_one_when_it_is_closed(run):
    def scenario(loop, trace):
        async def main():
            first, second = Plain([]), Plain([])
            server, left, right = await pair(loop, first, second)
            number = right.get_extra_info("socket").fileno()
            trace.append(outcome(loop.add_reader, number, print)[0])
            right.close()
            left.close()
            # From now on it may be watched, as far as it is open.
            trace.append(outcome(loop.remove_reader, number))
            while not (first.lost and second.lost):
                await asyncio.sleep(0)
            reader, writer = socket.socketpair()
            with reader, writer:
                trace.append(number in (reader.fileno(), writer.fileno()))
                for one, other in ((reader, writer), (writer, reader)):
                    loop.add_reader(one, trace.append, "readable")
                    other.send(b"x")
                    await asyncio.sleep(0.01)
                    loop.remove_reader(one)
            trace[:] = list(dict.fromkeys(trace))
            server.close()

        loop.run_until_complete(main())

    trace = run(scenario)
    assert trace == ["RuntimeError", False, True, "readable"]
