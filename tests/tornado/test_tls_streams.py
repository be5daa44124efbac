"""Tornado's IOStream and HTTP over TLS, on ours as on the stock loop."""

import _ssl
import asyncio
import contextlib
import ctypes
import errno
import random
import socket
import ssl
import threading

import pytest
from tornado.httpclient import HTTPRequest
from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream, StreamClosedError
from tornado.simple_httpclient import SimpleAsyncHTTPClient
from tornado.tcpserver import TCPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler, stream_request_body

import tornado4.iostream
from helpers import authorities
from helpers.authorities import CERTIFICATES, VERSIONS
from helpers.loops import LIMIT, on_io_loops
from helpers.tls_ends import DIRECT
from helpers.tls_errors import forget_errors
from tornado4.ioloop import IOLoop

on_versions = pytest.mark.parametrize("version", VERSIONS)


def described(error):
    fields = {name: getattr(error, name, None) for name in ("reason", "verify_code")}
    return type(error).__name__, fields


class Echo(TCPServer):
    """Sends back what it gets, and keeps what its streams came to."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.streams = []

    async def handle_stream(self, stream, address):
        self.streams.append(stream)
        with contextlib.suppress(StreamClosedError):
            while True:
                await stream.write(await stream.read_bytes(100_000, partial=True))


@contextlib.contextmanager
def echoing(**kwargs):
    server = Echo(**kwargs)
    sock, port = bind_unused_port()
    server.add_socket(sock)
    try:
        yield server, port
    finally:
        server.stop()
        for stream in server.streams:
            stream.close()


async def connected(port, context):
    """A stream to the server, by the name that the certificates are for."""
    sock = socket.create_connection(("127.0.0.1", port))
    return await IOStream(sock).start_tls(False, context, server_hostname="test")


@on_io_loops
@on_versions
@pytest.mark.parametrize("kind", CERTIFICATES)
def test_the_server_s_certificate(run, kind, version):
    def scenario(io_loop, trace):
        async def main():
            with echoing(ssl_options=authorities.server(kind, version)) as (_, port):
                try:
                    stream = await connected(port, authorities.client())
                except (OSError, StreamClosedError) as error:
                    trace.append(described(error))
                    return
                with contextlib.closing(stream):
                    await stream.write(b"hello")
                    trace.append(await stream.read_bytes(5))
                    trace.append(stream.socket.version())
                    trace.append(stream.socket.getpeercert()["subject"])

        io_loop.run_sync(main, timeout=LIMIT)

    trace = run(scenario)
    if kind == "good":
        assert trace[:2] == [b"hello", f"TLSv{version}"]
    else:
        codes = {"expired": 10, "wrong name": 62, "unknown": 20}
        assert trace[0][0] == "SSLCertVerificationError"
        assert trace[0][1]["verify_code"] == codes[kind]


@on_io_loops
@on_versions
@pytest.mark.parametrize("kind", [None, "good", "expired", "unknown"])
def test_the_client_s_certificate(run, kind, version):
    """In TLS 1.3 it is in its first read that a client learns that it is refused."""

    def scenario(io_loop, trace):
        async def main():
            context = authorities.server(version=version, clients=ssl.CERT_REQUIRED)
            with echoing(ssl_options=context) as (server, port):
                try:
                    stream = await connected(port, authorities.client(kind))
                    with contextlib.closing(stream):
                        await stream.write(b"hello")
                        trace.append(await stream.read_bytes(5))
                        trace.append(server.streams[0].socket.getpeercert()["subject"])
                except OSError:
                    # Whether by an alert or by a reset is a matter of chance.
                    trace.append("refused")

        io_loop.run_sync(main, timeout=LIMIT)

    trace = run(scenario)
    assert trace[0] == (b"hello" if kind == "good" else "refused")


@on_io_loops
@on_versions
@pytest.mark.parametrize("seed", range(4))
def test_both_write_and_read(run, seed, version):
    """Every byte of much data in both directions at once, in pieces of every size."""

    def scenario(io_loop, trace):
        rng = random.Random(seed)
        sizes = [rng.choice([1, 100, 16_384, 16_385, 100_000]) for _ in range(20)]
        data = [rng.randbytes(size) for size in sizes]

        async def write(stream):
            for piece in data:
                await stream.write(piece)

        async def main():
            with echoing(ssl_options=authorities.server(version=version)) as (_, port):
                stream = await connected(port, authorities.client())
                with contextlib.closing(stream):
                    writing = asyncio.ensure_future(write(stream))
                    got = [await stream.read_bytes(size) for size in sizes]
                    await writing
                    trace.append(got == data)

        io_loop.run_sync(main, timeout=LIMIT)

    assert run(scenario) == [True]


@stream_request_body
class Reversing(RequestHandler):
    """Sends a request's body back, reversed."""

    def prepare(self):
        self.body = b""

    def data_received(self, chunk):
        self.body += chunk

    async def post(self):
        self.set_header("Protocol", self.request.protocol)
        certificate = self.request.get_ssl_certificate()
        self.set_header("Client", str(certificate and certificate["subject"]))
        body = self.body[::-1]
        for start in range(0, len(body), 50_000):
            self.write(body[start : start + 50_000])
            await self.flush()


@on_io_loops
@on_versions
@pytest.mark.parametrize("shown", [None, "good"])
@pytest.mark.parametrize("size", [0, 10, 400_000])
def test_https(run, size, shown, version):
    def scenario(io_loop, trace):
        async def main():
            context = authorities.server(version=version, clients=ssl.CERT_OPTIONAL)
            server = HTTPServer(Application([("/", Reversing)]), ssl_options=context)
            sock, port = bind_unused_port()
            server.add_socket(sock)
            client = SimpleAsyncHTTPClient(force_instance=True)
            context = authorities.client(shown)
            context.check_hostname = False
            body = random.Random(size).randbytes(size)
            for _ in range(3):
                request = HTTPRequest(
                    f"https://127.0.0.1:{port}/", method="POST", body=body, ssl_options=context
                )
                response = await client.fetch(request)
                trace.append((response.code, response.body == body[::-1]))
                trace.append((response.headers["Protocol"], response.headers["Client"]))
            client.close()
            server.stop()
            await server.close_all_connections()

        io_loop.run_sync(main, timeout=LIMIT)

    trace = run(scenario)
    assert trace[::2] == [(200, True)] * 3
    assert {protocol for protocol, _ in trace[1::2]} == {"https"}


@on_io_loops
@pytest.mark.parametrize(
    "what", [b"GET / HTTP/1.1\r\n\r\n", bytes(100), b""], ids=["HTTP", "zeros", "nothing"]
)
def test_a_client_that_speaks_something_else(run, what):
    def scenario(io_loop, trace):
        async def main():
            with echoing(ssl_options=authorities.server()) as (_, port):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(what)
                writer.write_eof()
                try:
                    got = await reader.read()
                    # An alert, or nothing.
                    trace.append(got[:1])
                except ConnectionResetError:
                    trace.append(b"")
                writer.close()
                # The server goes on.
                stream = await connected(port, authorities.client())
                await stream.write(b"hello")
                trace.append(await stream.read_bytes(5))
                stream.close()

        io_loop.run_sync(main, timeout=LIMIT)

    assert run(scenario)[1:] == [b"hello"]


@pytest.mark.parametrize("where", ["class", "object"])
def test_a_socket_that_gets_methods_of_somebody_s_own_meanwhile(where, monkeypatch):
    called = []

    def own(name):
        before = getattr(ssl.SSLSocket, name)

        def method(self, *args, **kwargs):
            called.append(name)
            return before(self, *args, **kwargs)

        return method

    async def main():
        with echoing(ssl_options=authorities.server("good", "1.3")) as (_, port):
            native = await tornado4.iostream.IOStream(
                socket.create_connection(("127.0.0.1", port))
            ).start_tls(False, authorities.client(), server_hostname="test")
            with contextlib.closing(native):
                assert tornado4.iostream.is_native(native)
                for asked in (b"before", b"after"):
                    await native.write(asked)
                    assert await native.read_bytes(len(asked)) == asked
                    if asked == b"after":
                        return
                    assert called == []
                    for name in ("send", "recv_into"):
                        if where == "class":
                            monkeypatch.setattr(ssl.SSLSocket, name, own(name))
                        else:
                            setattr(native.socket, name, own(name).__get__(native.socket))

    IOLoop(make_current=False).run_sync(main, timeout=LIMIT)
    assert set(called) == {"send", "recv_into"}


def leave_an_error():
    """Leave a system's error in OpenSSL's queue, as Python's `ssl` does itself where a write
    has failed, from Python 3.12.10 and 3.13.3 and OpenSSL 3.2 on."""
    library = ctypes.PyDLL(_ssl.__file__)
    if not hasattr(library, "ERR_set_error"):
        pytest.skip("no way to OpenSSL's queue: it is older than 3.0, or linked statically")
    library.ERR_new()
    library.ERR_set_error(2, errno.ECONNRESET, None)


@pytest.mark.skipif(not DIRECT, reason="the methods take a stale error for their own")
@pytest.mark.parametrize("size", [100_000, 5_000_000], ids=["natively", "by Tornado's method"])
def test_what_other_connections_leave_in_openssl_s_queue(size):
    """Each call of OpenSSL's that has to wait would be taken for a failure."""
    ours, theirs = socket.socketpair()
    came, reads = [], threading.Event()
    context, for_client = authorities.server("good", "1.3"), authorities.client()

    def peer():
        with theirs, context.wrap_socket(theirs, server_side=True) as secured:
            reads.wait(LIMIT)
            while sum(map(len, came)) < size and (data := secured.recv(65_536)):
                came.append(data)
            secured.sendall(b"all")

    async def main():
        stream = await tornado4.iostream.IOStream(ours).start_tls(
            False, for_client, server_hostname="test"
        )
        with contextlib.closing(stream):
            assert tornado4.iostream.is_native(stream)
            loop = asyncio.get_running_loop()

            def again():
                leave_an_error()
                if not stream.closed():
                    loop.call_soon(again)

            again()
            answer = stream.read_bytes(3)
            leave_an_error()
            written = stream.write(bytes(size))
            reads.set()
            await written
            assert await answer == b"all"

    thread = threading.Thread(target=peer)
    thread.start()
    try:
        IOLoop(make_current=False).run_sync(main, timeout=LIMIT)
    finally:
        reads.set()
        thread.join()
        forget_errors()
    assert b"".join(came) == bytes(size)
