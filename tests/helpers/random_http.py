"""Messages of HTTP/1 at random, most with something odd about them, and what comes of them.

`server_trace` sends requests to Tornado's servers, `client_trace` answers Tornado's client; both
in random pieces, by real sockets, and return all that can be seen.
"""

from __future__ import annotations

import asyncio
import logging
import re
import socket

from tornado import httputil
from tornado.http1connection import HTTP1Connection, HTTP1ConnectionParameters
from tornado.httpclient import HTTPRequest
from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream
from tornado.simple_httpclient import SimpleAsyncHTTPClient
from tornado.web import Application, RequestHandler

#: How many turns of the loop are enough for what has come.
TURNS = 40

METHODS = [b"GET"] * 6 + [b"POST"] * 4 + [b"HEAD", b"PUT", b"OPTIONS", b"DELETE", b"PATCH"]
TARGETS = [b"/"] * 4 + [b"/a?b=c", b"/a?b=c&b=d&e=%20+f&g", b"*", b"http://other/x", b"/%zz?%ff"]
HOSTS = [b"here", b"Here.Example:80", b"[::1]:8080", b"127.0.0.1", b"a_b~c"]
ODD_METHODS = [b"get", b"G@T", b"", b"GET\t", b"G\x00T", b"M-SEARCH", b"\xc3\xa9", b"TRACE", b"(GET)"]
ODD_TARGETS = [b"", b"/a b", b"/\x00", b"/\xc3\xa9", b"/\xff?\xfe", b"/\t", b"?", b"/\x7f", b"/a?" + b"x&" * 40]
VERSIONS = [b"HTTP/1.0", b"HTTP/1.2", b"HTTP/1.9", b"HTTP/2.0", b"HTTP/0.9", b"http/1.1", b"HTTP/1.1 ",
            b"HTTP/11", b"HTTP/1.", b"", b"HTTP/1.1\x00", b"HTTP/1.10", b"HTTP /1.1", b"HTTP/\xb9.1"]  # fmt: skip
ODD_HOSTS = [b"", b"a,b", b"a b", b"a/b", b"x:y", b"user@host", b"\xc3\xa9", b":", b"::1", b"%41", b"%", b"a:",
             b"'a'", b"a\tb", b"(x)"]  # fmt: skip
LENGTHS = [b"+3", b"-3", b"0x3", b"3 ", b"3, 3", b"3,3", b"3, 4", b"3,", b",3", b"3_0", b"\xd9\xa3", b"", b" ",
           b"3.0", b"3;3", b"00003", b"9" * 25, b"99999", b"3\x003", b"3\t3", b"1e1"]  # fmt: skip
ENCODINGS = [b"chunked"] * 6 + [b"Chunked", b"CHUNKED", b"chunked, chunked", b"gzip, chunked", b"identity",
             b"chunked, identity", b"\x0bchunked", b"chunked\x0b", b" chunked", b"chunked;q=1", b"xchunked", b"",
             b"chunke", b"chu nked", b"'chunked'", b"chunked,", b",chunked", b"\xc2\xa0chunked"]  # fmt: skip
CONNECTIONS = [b"close", b"keep-alive", b"Close", b"Keep-Alive", b"close, x", b"upgrade", b"", b"clos\xc3\xa9"]
FIELDS = [
    b"X: y", b"x-y-z: a b", b"EMPTY:", b"X:y", b"X: \t y \t", b"-a-: 1", b"1a: b", b"A_B: c", b"Cookie: a=b; c=\"d\"",
    b"Accept: */*", b"Accept: text/html", b"Expect: 100-continue", b"expect: 100-Continue", b"X-Real-Ip: 1.2.3.4",
    b"X-Forwarded-For: 5.6.7.8, 9.9.9.9", b"X-Scheme: https", b"If-None-Match: *", b"Range: bytes=0-1",
    b"Content-Type: application/x-www-form-urlencoded", b"Content-Encoding: gzip", b"!#$%&'*+-.^_`|~: ok",
]  # fmt: skip
ODD_FIELDS = [
    b"X : y", b"X\t: y", b" X: y", b"\tX: y", b"X", b": y", b"", b"X\x00: y", b"X: \x00", b"X: a\x7fb", b"X: a\x0bb",
    b"X: \x0b", b"X: \x0cy\x0c", b"X: \x85y\x85", b"X: \xa0y\xa0", b"X: \xc3\xa9", b"X: \xff", b"\xc3\xa9: y",
    b"X: a\rb", b"X: a\r", b"\rX: a", b"X(y): z", b"X y: z", b"X,y: z", b"X: y\r\n z", b"X: y\r\n\tz", b"X: y\r\n  ",
    b"X: y\n z", b"@: y", b"X: \x1fy\x1c", b"Content-Length : 3", b"Transfer-Encoding : chunked",
    b"Transfer-Encoding\x00: chunked", b"Content_Length: 3", b"Content-Length: 3\r\n Transfer-Encoding: chunked",
    b"Host: other", b"Transfer-Encoding:chunked\r\nTransfer-Encoding: identity", b"X: \xe2\x80\xa8y",
]  # fmt: skip
CHUNKS = [b"3\r\nabc\r\n", b"A\r\n0123456789\r\n", b"a\r\n0123456789\r\n", b"01\r\nx\r\n"]
ODD_CHUNKS = [
    b"3;x=y\r\nabc\r\n", b" 3\r\nabc\r\n", b"3 \r\nabc\r\n", b"+3\r\nabc\r\n", b"-3\r\nabc\r\n", b"0x3\r\nabc\r\n",
    b"3\nabc\r\n", b"3\r\nabc\n", b"3\r\nabcd\r\n", b"3\r\nab\r\n", b"3_\r\nabc\r\n", b"\r\n", b"g\r\n", b"FFFFFF\r\n",
    b"ffffffffffffffff0\r\n", b"3" + b" " * 70 + b"\r\nabc\r\n", b"\xd9\xa3\r\nabc\r\n", b"3\x00\r\nabc\r\n",
    b"3\r\nabc  ", b"00000000003\r\nabc\r\n", b"3\r\nabc\r\r\n",
]  # fmt: skip
ENDS = [b"0\r\n\r\n"] * 6 + [b"0\r\nX: y\r\n\r\n", b"0\n\n", b"0\r\n", b"00\r\n\r\n", b"0;x\r\n\r\n", b"0\r\n\n", b""]
STATUS_LINES = [b"HTTP/1.1 200 OK"] * 8 + [
    b"HTTP/1.0 200 OK", b"HTTP/1.1 404 Not Found", b"HTTP/1.1 204 No Content", b"HTTP/1.1 304 Not Modified",
    b"HTTP/1.1 100 Continue", b"HTTP/1.1 103 Early", b"HTTP/1.1 301 Moved", b"HTTP/1.1 599 \tx ", b"HTTP/1.1 200 ",
    b"HTTP/1.1 200", b"HTTP/1.1  200 OK", b"HTTP/1.1 20 OK", b"HTTP/1.1 2000 OK", b"HTTP/2.0 200 OK", b"HTTP/1.2 200 OK",
    b"HTTP/1.1 +20 OK", b"HTTP/1.1 200 \xc3\xa9", b"HTTP/1.1 200 a\x00b", b"ICY 200 OK", b" HTTP/1.1 200 OK", b"",
    b"HTTP/1.1\t200 OK", b"HTTP/1.1 \xd9\xa2\xd9\xa0\xd9\xa0 OK", b"HTTP/1.1 200 a\rb", b"HTTP/1.1 000 x",
]  # fmt: skip


def line_end(random):
    return random.choice([b"\r\n"] * 30 + [b"\n"] * 3 + [b"\r\r\n", b"\r", b"\n\r", b"\r\n\r\n", b"\0\r\n"])


def body_of(random, odd):
    """A body, and the fields that say how long it is."""
    kind = random.random()
    if kind < 0.4 and not odd:
        return [], b""
    if kind < 0.7:
        body = random.choice([b"", b"abc", b"a=b&c=d", bytes(range(256)), b"x" * 700])
        length = str(len(body)).encode()
        fields = [b"Content-Length: " + length]
        if odd and random.random() < 0.5:
            fields[0] = b"Content-Length: " + random.choice(LENGTHS)
        if odd and random.random() < 0.3:
            fields.append(b"content-length: " + random.choice([length, *LENGTHS]))
    else:
        chunks = CHUNKS + ODD_CHUNKS * odd
        body = b"".join(random.choice(chunks) for _ in range(random.randrange(4)))
        body += random.choice(ENDS if odd else ENDS[:1])
        encoding = random.choice(ENCODINGS if odd else ENCODINGS[:1])
        fields = [b"Transfer-Encoding: " + encoding]
        if odd and random.random() < 0.2:
            fields.append(b"Transfer-Encoding: " + random.choice(ENCODINGS))
    if odd and random.random() < 0.2:
        both = [b"Content-Length: 3", b"Transfer-Encoding: chunked"]
        fields.append(random.choice(both))
    random.shuffle(fields)
    return fields, body


def fields_of(random, odd):
    fields = [random.choice(FIELDS) for _ in range(random.choice([0, 1, 2, 5]))]
    if random.random() < 0.3:
        fields.append(b"Connection: " + random.choice(CONNECTIONS))
    if odd:
        fields += [random.choice(ODD_FIELDS) for _ in range(random.choice([0, 0, 1, 2]))]
        if random.random() < 0.05:
            fields += [b"X: y"] * random.choice([98, 99, 100, 101, 300])
        if random.random() < 0.05:
            fields.append(b"X: " + b"y" * random.choice([100, 500, 70_000]))
    random.shuffle(fields)
    return fields


def joined(random, odd, lines, body):
    end = (lambda: line_end(random)) if odd and random.random() < 0.3 else lambda: b"\r\n"
    head = b"".join(line + end() for line in [*lines, b""])
    if odd and random.random() < 0.05:
        head = random.choice([b"\r\n", b"\n", b"\r\n\r\n\n", b"\r", b" "]) + head
    message = head + body
    if odd and random.random() < 0.05:
        message = message[: random.randrange(len(message) + 1)]
    if odd and random.random() < 0.1:
        at = random.randrange(len(message) + 1)
        message = message[:at] + bytes([random.randrange(256)]) + message[at + random.randrange(2) :]
    return message


def request(random):
    """A request, which may be anything."""
    odd = random.random() < 0.6
    method, target, version = random.choice(METHODS), random.choice(TARGETS), b"HTTP/1.1"
    if odd and random.random() < 0.15:
        method = random.choice(ODD_METHODS)
    if odd and random.random() < 0.15:
        target = random.choice(ODD_TARGETS)
    if random.random() < (0.3 if odd else 0.1):
        version = random.choice(VERSIONS if odd else VERSIONS[:1])
    space = b" " if random.random() < 0.97 or not odd else random.choice([b"  ", b"\t", b""])
    more, body = body_of(random, odd)
    fields = [*fields_of(random, odd), *more]
    hosts = [b"Host: " + random.choice(HOSTS)]
    if odd and random.random() < 0.2:
        hosts = random.choice([[], [b"Host: " + random.choice(ODD_HOSTS)], hosts * 2])
    at = random.randrange(len(fields) + 1)
    lines = [space.join([method, target, version]), *fields[:at], *hosts, *fields[at:]]
    return joined(random, odd, lines, body)


def response(random):
    """A response, which may be anything."""
    odd = random.random() < 0.6
    start = random.choice(STATUS_LINES if odd else STATUS_LINES[:14])
    more, body = body_of(random, odd)
    return joined(random, odd, [start, *fields_of(random, odd), *more], body)


def pieces(random, data):
    """The same bytes, in random pieces."""
    most = random.choice([1, 3, 20, 1000, len(data) + 1]) if len(data) < 3000 else len(data)
    while data:
        size = random.randint(1, most)
        yield data[:size]
        data = data[size:]


class Logged(logging.Handler):
    """All that Tornado logs."""

    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        error = record.exc_info and repr(record.exc_info[1])
        message = re.sub(r"\d+\.\d+ms|0x[0-9a-f]+", "", record.getMessage())
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
        code, reason = random.choice([(200, "OK")] * 5 + [(204, ""), (304, "x"), (404, "é"), (101, "y"), (200, "a\rb")])
        headers = httputil.HTTPHeaders({"x-Y": "é", "Server": "a"})
        if random.random() < 0.5:
            headers.add("Set-Cookie", "a")
            headers.add("Set-Cookie", "b")
        if random.random() < 0.6:
            headers["content-length"] = random.choice(["3", "3", "3", "2", "x", "4", "03"])
        if random.random() < 0.1:
            name, value = random.choice([("X", "a\nb"), ("X", "\u1234"), ("Transfer-Encoding", "x"), ("Connection", "y")])
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
        names = ("_chunking_output", "_expected_content_remaining", "_disconnect_on_finish", "_response_start_line")
        self.notes.append([getattr(connection, name) for name in names])
        connection.finish()

    def on_connection_close(self):
        self.notes.append("lost")


class Echo(RequestHandler):
    """Tells what it was asked."""

    def answer(self):
        asked = self.request
        names = ["method", "uri", "version", "body", "remote_ip", "protocol", "host", "host_name", "files", "path",
                 "query", "arguments", "query_arguments", "body_arguments", "_finish_time"]  # fmt: skip
        said = {name: getattr(asked, name) for name in names}
        said["names"] = list(vars(asked))
        said["cookies"] = {name: it.value for name, it in asked.cookies.items()}
        said["same"] = asked.arguments is asked.query_arguments
        self.write(repr((said, seen(asked.headers), asked.full_url())))

    get = post = put = delete = patch = options = head = answer


async def exchange(random, port, data):
    """Send bytes in pieces; return all that comes back."""
    loop = asyncio.get_running_loop()
    with socket.socket() as client:
        client.setblocking(False)
        await loop.sock_connect(client, ("127.0.0.1", port))
        came = bytearray()

        async def wait(turns):
            for _ in range(turns):
                try:
                    part = client.recv(1 << 16)
                except BlockingIOError:
                    await asyncio.sleep(0)
                except ConnectionError:
                    return True
                else:
                    came.extend(part)
                    if not part:
                        return True
            return False

        ended = False
        try:
            for piece in pieces(random, data):
                await loop.sock_sendall(client, piece)
                ended = await wait(random.choice([1, 2, 5]))
            if not (ended or await wait(TURNS)):
                client.shutdown(socket.SHUT_WR)
                await asyncio.wait_for(until_end(wait), 60)
        except ConnectionError:
            pass
    return re.sub(rb"Date: [^\r]*", b"Date", bytes(came))


async def until_end(wait):
    while not await wait(1):
        pass


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
    data = b"".join(request(random) for _ in range(random.choice([1, 1, 2, 3])))
    data += b"GET /last HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n"

    async def main():
        app = Noting(random, notes) if kind == "delegate" else Application([("/.*", Echo), (r"\*", Echo)])
        server = HTTPServer(app, **options)
        with socket.create_server(("127.0.0.1", 0)) as listening:
            listening.setblocking(False)
            server.add_socket(listening)
            came = await exchange(random, listening.getsockname()[1], data)
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

    async def serve(listening):
        peer, _ = await asyncio.get_running_loop().sock_accept(listening)
        with peer:
            asked = b""
            while b"\r\n\r\n" not in asked:
                part = await asyncio.get_running_loop().sock_recv(peer, 1 << 16)
                if not part:
                    break
                asked += part
            notes.append(re.sub(rb"127.0.0.1:\d+", b"", asked))
            try:
                for piece in pieces(random, data):
                    await asyncio.get_running_loop().sock_sendall(peer, piece)
                    for _ in range(random.choice([1, 2, 5])):
                        await asyncio.sleep(0)
                # What has come comes before the end.
                for _ in range(TURNS):
                    await asyncio.sleep(0)
            except ConnectionError:
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
        headers = httputil.HTTPHeaders(random.choice([{}, {"content-length": "3"}, {"A": "é", "a-b": "c"}]))
        target = random.choice(["/", "/é", "/\n", "/x y"])
        try:
            connection.write_headers(httputil.RequestStartLine(method, target, ""), headers, random.choice([None, b"abc"]))
            connection.finish()
        except Exception as error:
            notes.append(repr(error))
            stream.close()
            return
        notes.append((seen(headers), connection._chunking_output, connection._expected_content_remaining))
        try:
            notes.append(await connection.read_response(NotingResponse(notes)))
        except Exception as error:
            notes.append(repr(error))
        stream.close()

    async def main():
        with socket.create_server(("127.0.0.1", 0)) as listening:
            listening.setblocking(False)
            serving = asyncio.ensure_future(serve(listening))
            port = listening.getsockname()[1]
            try:
                await asyncio.wait_for(fetch(port) if kind == "fetch" else connect(port), 90)
                await asyncio.wait_for(serving, 60)
            except Exception as error:
                notes.append(re.sub(r"127.0.0.1:\d+", "", repr(error)))
            serving.cancel()

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
