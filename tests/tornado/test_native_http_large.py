"""Bodies too large to be copied behind their head: what comes of them, whoever reads them how."""

import asyncio
import re
import socket
import struct
from random import Random

import pytest
from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream, StreamClosedError
from tornado.web import Application, RequestHandler

import tornado4.http
import tornado4.iostream
from helpers.loops import difference, stock_asyncio, tornado4_asyncio

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, for no time


class Answer(RequestHandler):
    """A body of the size that is asked for, in the way that is asked for."""

    trace: list

    def compute_etag(self):
        return None

    async def get(self, size, how):
        body = Random(int(size)).randbytes(int(size))
        stream = self.request.connection.stream
        if how == "own":
            original = stream.write

            def write(data):
                self.trace.append(("write", len(data)))
                return original(data)

            stream.write = write
        self.clear_header("Date")
        self.write(body)
        if how in ("chunked", "twice"):
            future = self.flush()
            self.trace.append(future.done())
            await self.ended(future)
            if how == "twice":
                self.write(body)
        await self.ended(self.finish())
        if how == "own":
            del stream.write
        unwritten = stream._write_buffer
        self.trace.append(("left", unwritten is not None and len(unwritten), stream.closed()))

    head = get

    async def ended(self, future):
        try:
            self.trace.append(await future)
        except StreamClosedError as error:
            self.trace.append(type(error.real_error).__name__)


async def ask(port, method, size, how, end):
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 30_000)
        client.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(client, ("127.0.0.1", port))
        line = f"{method} /{size}/{how} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        await loop.sock_sendall(client, line.encode())
        came = b""
        while True:
            try:
                data = await loop.sock_recv(client, 50_000)
            except ConnectionResetError:
                break
            if not data:
                break
            came += data
            if end == "slow" and len(came) < 300_000:
                await asyncio.sleep(0.001)
            if end == "reset" and len(came) > 1000:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                return b""
        return came


def traced(factory, case):
    trace = []
    handler = type("Traced", (Answer,), {"trace": trace})

    async def main():
        server = HTTPServer(Application([(r"/(\d+)/(\w+)", handler)], log_function=lambda _: None))
        listening = socket.create_server(("127.0.0.1", 0))
        listening.setblocking(False)
        # Else the kernel takes megabytes.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 50_000)
        server.add_socket(listening)
        answer = await ask(listening.getsockname()[1], *case)
        await server.close_all_connections()
        server.stop()
        return re.sub(rb"Date: [^\r]*", b"", answer), trace

    loop = factory()
    try:
        return loop.run_until_complete(asyncio.wait_for(main(), 60))
    finally:
        loop.close()


SIZES = [0, 100, 16_383, 16_384, 70_000, 700_000]
CASES = [
    *[("GET", size, how, "all") for size in SIZES for how in ("plain", "chunked", "twice", "own")],
    *[("GET", 700_000, how, "slow") for how in ("plain", "chunked", "twice", "own")],
    *[("HEAD", size, "plain", "all") for size in (100, 70_000)],
]


@pytest.mark.parametrize("factory", [tornado4_asyncio, stock_asyncio])
@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case)))
def test_it_is_the_same_to_the_byte(case, factory):
    def settled(found):
        # Whether the kernel has taken all at once is up to it.
        answer, trace = found
        return answer, [it for it in trace if not isinstance(it, bool)]

    stock = settled(traced(factory, case))
    tornado4.iostream.install()
    tornado4.http.install()
    try:
        native = settled(traced(factory, case))
    finally:
        tornado4.http.uninstall()
        tornado4.iostream.uninstall()
    assert native == stock, difference(native, stock)


@pytest.mark.parametrize("how", ["plain", "chunked"])
def test_one_who_leaves_in_its_midst(how):
    case = ("GET", 3_000_000, how, "reset")
    stock = traced(tornado4_asyncio, case)
    tornado4.iostream.install()
    tornado4.http.install()
    try:
        native = traced(tornado4_asyncio, case)
    finally:
        tornado4.http.uninstall()
        tornado4.iostream.uninstall()
    assert native[1][-1] == stock[1][-1] == ("left", False, True)
    assert native[1] == stock[1]


def test_a_stream_of_another_kind_writes_it_in_one():
    written = []

    class Own(IOStream):
        def write_to_fd(self, data):
            written.append(len(data))
            return super().write_to_fd(data)

    async def main():
        from tornado.http1connection import HTTP1Connection
        from tornado.httputil import HTTPHeaders, RequestStartLine

        ends = [Own(sock) for sock in socket.socketpair()]
        connection = HTTP1Connection(ends[0], True)
        headers = HTTPHeaders({"Content-Length": "20000"})
        line = RequestStartLine("POST", "/", "HTTP/1.1")
        await connection.write_headers(line, headers, bytes(20_000))
        head = await ends[1].read_until(b"\r\n\r\n")
        assert written == [len(head) + 20_000]
        for end in ends:
            end.close()

    tornado4.iostream.install()
    tornado4.http.install()
    try:
        loop = tornado4_asyncio()
        loop.run_until_complete(asyncio.wait_for(main(), 20))
        loop.close()
    finally:
        tornado4.http.uninstall()
        tornado4.iostream.uninstall()
