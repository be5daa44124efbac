"""What comes of random messages of HTTP/1.

`server_trace` sends requests to Tornado's servers, `client_trace` answers Tornado's client; both
in random pieces, by real sockets, and return all that can be seen.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import re
import socket
import sys
import termios
from random import Random

from tornado import httputil
from tornado.http1connection import HTTP1Connection, HTTP1ConnectionParameters
from tornado.httpclient import HTTPRequest
from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream
from tornado.simple_httpclient import SimpleAsyncHTTPClient
from tornado.web import Application, RequestHandler

from helpers.http_messages import pieces, request, response

#: What a server answers by.
ANSWERS = [(200, "OK")] * 5 + [(204, ""), (304, "x"), (404, "é"), (101, "y"), (200, "a\rb")]
ODD_HEADERS = [("X", "a\nb"), ("X", "\u1234"), ("Transfer-Encoding", "x"), ("Connection", "y")]
#: What writing a head sets.
SET = (
    "_chunking_output",
    "_expected_content_remaining",
    "_disconnect_on_finish",
    "_response_start_line",
)
#: How many turns of the loop are enough for what has been read.
TURNS = 40


class Logged(logging.Handler):
    """All that Tornado logs."""

    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        error = record.exc_info and repr(record.exc_info[1])
        message = re.sub(r"\d+\.\d+ms|0x[0-9a-f]+|Task-\d+", "", record.getMessage())
        self.lines.append((record.name, record.levelname, message, error))

    def __enter__(self):
        self.logger = logging.getLogger("tornado")
        self.before = self.logger.level, self.logger.propagate
        self.logger.addHandler(self)
        self.logger.setLevel(logging.DEBUG)
        self.logger.propagate = False
        return self.lines

    def __exit__(self, *_):
        self.logger.removeHandler(self)
        self.logger.level, self.logger.propagate = self.before
        self.logger.setLevel(self.before[0])


def seen(headers):
    """All there is to see of headers."""
    return type(headers).__name__, list(headers.get_all()), sorted(headers.items()), vars(headers)


class Noting(httputil.HTTPServerConnectionDelegate):
    """Notes what comes, and answers by its own."""

    def __init__(self, random, notes):
        self.random, self.notes = random, notes

    def start_request(self, _server, connection):
        return NotingMessage(self.random, self.notes, connection)

    def on_close(self, _server):
        self.notes.append("closed")


class NotingMessage(httputil.HTTPMessageDelegate):
    def __init__(self, random, notes, connection):
        self.random, self.notes, self.connection = random, notes, connection
        self.body = b""

    def headers_received(self, start_line, headers):
        self.notes.append((type(start_line).__name__, *start_line, seen(headers)))

    def data_received(self, chunk):
        self.body += chunk

    def finish(self):
        self.notes.append(self.body)
        connection, random = self.connection, self.random
        code, reason = random.choice(ANSWERS)
        headers = httputil.HTTPHeaders({"x-Y": "é", "Server": "a"})
        if random.random() < 0.5:
            headers.add("Set-Cookie", "a")
            headers.add("Set-Cookie", "b")
        if random.random() < 0.6:
            headers["content-length"] = random.choice(["3", "3", "3", "2", "x", "4", "03"])
        if random.random() < 0.1:
            name, value = random.choice(ODD_HEADERS)
            headers[name] = value
        chunk = random.choice([b"abc", b"abc", b"", None])
        start = httputil.ResponseStartLine("", code, reason)
        try:
            connection.write_headers(start, headers, chunk)
            if random.random() < 0.3:
                connection.write(b"def")
        except Exception as error:
            self.notes.append(repr(error))
        self.notes.append(seen(headers))
        self.notes.append([getattr(connection, name) for name in SET])
        connection.finish()

    def on_connection_close(self):
        self.notes.append("lost")


class Echo(RequestHandler):
    """Tells what it was asked."""

    def answer(self):
        asked = self.request
        others = ("headers", "connection", "server_connection", "_start_time", "_cookies")
        said = {name: value for name, value in vars(asked).items() if name not in others}
        said["cookies"] = {name: it.value for name, it in asked.cookies.items()}
        said["same"] = asked.arguments is asked.query_arguments
        self.write(repr((said, seen(asked.headers), asked.full_url())))

    get = post = put = delete = patch = options = head = answer


def waiting(request, connected):
    """How many bytes there are that a socket has sent and that haven't arrived (TIOCOUTQ), or
    that it could read."""
    return int.from_bytes(fcntl.ioctl(connected, request, bytes(4)), sys.byteorder)


class Came:
    """What came back. A server that closes with something unread resets the connection, and the
    end of what it has written may be gone with that, by chance: then any beginning may come."""

    def __init__(self, data, reset):
        self.data, self.reset = data, reset

    def __eq__(self, other):
        short, long = sorted([self, other], key=lambda it: len(it.data))
        return short.data == long.data or (short.reset and long.data.startswith(short.data))

    __hash__ = None

    def __repr__(self):
        return f"{self.data}{' and a reset' * self.reset}"


async def exchange(random, server, port, data):
    """Send bytes in pieces; return all that comes back.

    Nothing else may draw from `random`: how far this gets meanwhile is chance.
    """
    loop = asyncio.get_running_loop()
    came = bytearray()
    reset = False

    async def receive(client):
        nonlocal reset
        try:
            while part := await loop.sock_recv(client, 1 << 16):
                came.extend(part)
        except ConnectionError:
            reset = True

    async def all_is_seen(client):
        """Wait until the server has read everything and done with it, or is gone."""
        quiet = 0
        while quiet < TURNS and (open_ones := [it.stream.socket for it in server._connections]):
            reads = [waiting(termios.FIONREAD, it) for it in open_ones if it is not None]
            busy = waiting(termios.TIOCOUTQ, client) or any(reads)
            quiet = 0 if busy else quiet + 1
            await asyncio.sleep(0)

    with socket.socket() as client:
        client.setblocking(False)
        await loop.sock_connect(client, ("127.0.0.1", port))
        while not server._connections:
            await asyncio.sleep(0)
        receiving = asyncio.ensure_future(receive(client))
        try:
            for piece in pieces(random, data):
                await loop.sock_sendall(client, piece)
                for _ in range(random.choice([1, 2, 5])):
                    await asyncio.sleep(0)
            await asyncio.wait_for(all_is_seen(client), 60)
            client.shutdown(socket.SHUT_WR)
        except OSError:
            # The server has closed it.
            reset = True
        await asyncio.wait_for(receiving, 60)
    return Came(re.sub(rb"Date: [^\r]*", b"Date", bytes(came)), reset)


def server_trace(loop, random, kind):
    """Send some requests to a server; return all that can be seen."""
    notes = []
    options = {
        "max_header_size": random.choice([None, None, 300]),
        "max_body_size": random.choice([None, None, 10, 500]),
        "chunk_size": random.choice([None, None, 7]),
        "decompress_request": random.random() < 0.2,
        "no_keep_alive": random.random() < 0.1,
        "xheaders": random.random() < 0.2,
        "idle_connection_timeout": random.choice([None, 3600.0, 3600]),
    }
    # Drawn before anything happens.
    answers, client = Random(random.random()), Random(random.random())
    data = b"".join(request(random) for _ in range(random.choice([1, 1, 2, 3])))
    data += b"GET /last HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n"

    async def main():
        application = Application([("/.*", Echo), (r"\*", Echo)])
        app = Noting(answers, notes) if kind == "delegate" else application
        server = HTTPServer(app, **options)
        with socket.create_server(("127.0.0.1", 0)) as listening:
            listening.setblocking(False)
            server.add_socket(listening)
            came = await exchange(client, server, listening.getsockname()[1], data)
            server.stop()
            await asyncio.wait_for(server.close_all_connections(), 60)
            return came

    with Logged() as logged:
        came = loop.run_until_complete(main())
    return data, came, notes, logged


def client_trace(loop, random, kind):
    """Answer a client; return all that it sees."""
    data = response(random)
    if random.random() < 0.2:
        data += response(random)
    notes = []
    method = random.choice(["GET", "GET", "HEAD", "POST"])

    async def serve(random, listening):
        loop = asyncio.get_running_loop()
        peer, _ = await loop.sock_accept(listening)
        with peer:
            asked = b""
            while b"\r\n\r\n" not in asked:
                part = await loop.sock_recv(peer, 1 << 16)
                if not part:
                    break
                asked += part
            notes.append(re.sub(rb"127.0.0.1:\d+", b"", asked))
            try:
                for piece in pieces(random, data):
                    await loop.sock_sendall(peer, piece)
                    for _ in range(random.choice([1, 2, 5])):
                        await asyncio.sleep(0)
                # What has come comes before the end.
                while waiting(termios.TIOCOUTQ, peer):
                    await asyncio.sleep(0)
                for _ in range(TURNS):
                    await asyncio.sleep(0)
                peer.shutdown(socket.SHUT_WR)
                # Nothing may be lost by a reset.
                while await loop.sock_recv(peer, 1 << 16):
                    pass
            except OSError:
                pass

    async def fetch(port):
        client = SimpleAsyncHTTPClient(
            force_instance=True,
            max_header_size=random.choice([None, None, 200]),
            max_body_size=random.choice([None, None, 10]),
        )
        body = b"abc" if method == "POST" else None
        asked = HTTPRequest(
            f"http://127.0.0.1:{port}/x",
            method,
            body=body,
            follow_redirects=False,
            request_timeout=60.0,
            headers={"x-Y": "z"},
            decompress_response=random.random() < 0.5,
        )
        try:
            answer = await client.fetch(asked, raise_error=False)
            error = answer.error and (type(answer.error).__name__, str(answer.error))
            notes.append((answer.code, answer.reason, seen(answer.headers), answer.body, error))
        finally:
            client.close()

    async def connect(port):
        stream = IOStream(socket.socket())
        await stream.connect(("127.0.0.1", port))
        chunk_size = random.choice([None, 7])
        connection = HTTP1Connection(stream, True, HTTP1ConnectionParameters(chunk_size=chunk_size))
        given = random.choice([{}, {"content-length": "3"}, {"A": "é", "a-b": "c"}])
        headers = httputil.HTTPHeaders(given)
        target = random.choice(["/", "/é", "/\n", "/x y"])
        start = httputil.RequestStartLine(method, target, "")
        try:
            connection.write_headers(start, headers, random.choice([None, b"abc"]))
            connection.finish()
        except Exception as error:
            notes.append(repr(error))
            stream.close()
            return
        notes.append((seen(headers), [getattr(connection, name) for name in SET]))
        try:
            notes.append(await connection.read_response(NotingResponse(notes)))
        except Exception as error:
            notes.append(repr(error))
        stream.close()

    async def main():
        with socket.create_server(("127.0.0.1", 0)) as listening:
            listening.setblocking(False)
            serving = asyncio.ensure_future(serve(Random(random.random()), listening))
            port = listening.getsockname()[1]
            try:
                await asyncio.wait_for(fetch(port) if kind == "fetch" else connect(port), 90)
            except Exception as error:
                notes.append(re.sub(r"127.0.0.1:\d+", "", repr(error)))
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)

    with Logged() as logged:
        loop.run_until_complete(main())
    return data, notes, logged


class NotingResponse(httputil.HTTPMessageDelegate):
    def __init__(self, notes):
        self.notes, self.body = notes, b""

    def headers_received(self, start_line, headers):
        self.notes.append((type(start_line).__name__, *start_line, seen(headers)))

    def data_received(self, chunk):
        self.body += chunk

    def finish(self):
        self.notes.append(self.body)

    def on_connection_close(self):
        self.notes.append(("lost", self.body))
