"""Messages of HTTP/1 at random, most with something odd about them."""

from __future__ import annotations

# fmt: off
METHODS = [b"GET"] * 6 + [b"POST"] * 4 + [
    b"HEAD", b"PUT", b"OPTIONS", b"DELETE", b"PATCH",
]
TARGETS = [b"/"] * 4 + [
    b"/a?b=c", b"/a?b=c&b=d&e=%20+f&g", b"*", b"http://other/x", b"/%zz?%ff",
]
HOSTS = [
    b"here", b"Here.Example:80", b"[::1]:8080", b"127.0.0.1", b"a_b~c",
]
ODD_METHODS = [
    b"get", b"G@T", b"", b"GET\t", b"G\x00T", b"M-SEARCH", b"\xc3\xa9", b"TRACE", b"(GET)",
]
ODD_TARGETS = [
    b"", b"/a b", b"/\x00", b"/\xc3\xa9", b"/\xff?\xfe", b"/\t", b"?", b"/\x7f",
    b"/a?" + b"x&" * 40,
]
VERSIONS = [
    b"HTTP/1.0", b"HTTP/1.2", b"HTTP/1.9", b"HTTP/2.0", b"HTTP/0.9", b"http/1.1", b"HTTP/1.1 ",
    b"HTTP/11", b"HTTP/1.", b"", b"HTTP/1.1\x00", b"HTTP/1.10", b"HTTP /1.1", b"HTTP/\xb9.1",
]
ODD_HOSTS = [
    b"", b"a,b", b"a b", b"a/b", b"x:y", b"user@host", b"\xc3\xa9", b":", b"::1", b"%41", b"%",
    b"a:", b"'a'", b"a\tb", b"(x)",
]
LENGTHS = [
    b"+3", b"-3", b"0x3", b"3 ", b"3, 3", b"3,3", b"3, 4", b"3,", b",3", b"3_0", b"\xd9\xa3", b"",
    b" ", b"3.0", b"3;3", b"00003", b"9" * 25, b"99999", b"3\x003", b"3\t3", b"1e1",
]
ENCODINGS = [b"chunked"] * 6 + [
    b"Chunked", b"CHUNKED", b"chunked, chunked", b"gzip, chunked", b"identity",
    b"chunked, identity", b"\x0bchunked", b"chunked\x0b", b" chunked", b"chunked;q=1",
    b"xchunked", b"", b"chunke", b"chu nked", b"'chunked'", b"chunked,", b",chunked",
    b"\xc2\xa0chunked",
]
CONNECTIONS = [
    b"close", b"keep-alive", b"Close", b"Keep-Alive", b"close, x", b"upgrade", b"",
    b"clos\xc3\xa9",
]
FIELDS = [
    b"X: y", b"x-y-z: a b", b"EMPTY:", b"X:y", b"X: \t y \t", b"-a-: 1", b"1a: b", b"A_B: c",
    b"Cookie: a=b; c=\"d\"", b"Accept: */*", b"Accept: text/html", b"Expect: 100-continue",
    b"expect: 100-Continue", b"X-Real-Ip: 1.2.3.4", b"X-Forwarded-For: 5.6.7.8, 9.9.9.9",
    b"X-Scheme: https", b"If-None-Match: *", b"Range: bytes=0-1",
    b"Content-Type: application/x-www-form-urlencoded", b"Content-Encoding: gzip",
    b"!#$%&'*+-.^_`|~: ok",
]
ODD_FIELDS = [
    b"X : y", b"X\t: y", b" X: y", b"\tX: y", b"X", b": y", b"", b"X\x00: y", b"X: \x00",
    b"X: a\x7fb", b"X: a\x0bb", b"X: \x0b", b"X: \x0cy\x0c", b"X: \x85y\x85", b"X: \xa0y\xa0",
    b"X: \xc3\xa9", b"X: \xff", b"\xc3\xa9: y", b"X: a\rb", b"X: a\r", b"\rX: a", b"X(y): z",
    b"X y: z", b"X,y: z", b"X: y\r\n z", b"X: y\r\n\tz", b"X: y\r\n  ", b"X: y\n z", b"@: y",
    b"X: \x1fy\x1c", b"Content-Length : 3", b"Transfer-Encoding : chunked",
    b"Transfer-Encoding\x00: chunked", b"Content_Length: 3",
    b"Content-Length: 3\r\n Transfer-Encoding: chunked", b"Host: other",
    b"Transfer-Encoding:chunked\r\nTransfer-Encoding: identity", b"X: \xe2\x80\xa8y",
]
CHUNKS = [
    b"3\r\nabc\r\n", b"A\r\n0123456789\r\n", b"a\r\n0123456789\r\n", b"01\r\nx\r\n",
]
ODD_CHUNKS = [
    b"3;x=y\r\nabc\r\n", b" 3\r\nabc\r\n", b"3 \r\nabc\r\n", b"+3\r\nabc\r\n", b"-3\r\nabc\r\n",
    b"0x3\r\nabc\r\n", b"3\nabc\r\n", b"3\r\nabc\n", b"3\r\nabcd\r\n", b"3\r\nab\r\n",
    b"3_\r\nabc\r\n", b"\r\n", b"g\r\n", b"FFFFFF\r\n", b"ffffffffffffffff0\r\n",
    b"3" + b" " * 70 + b"\r\nabc\r\n", b"\xd9\xa3\r\nabc\r\n", b"3\x00\r\nabc\r\n", b"3\r\nabc  ",
    b"00000000003\r\nabc\r\n", b"3\r\nabc\r\r\n",
]
ENDS = [b"0\r\n\r\n"] * 6 + [
    b"0\r\nX: y\r\n\r\n", b"0\n\n", b"0\r\n", b"00\r\n\r\n", b"0;x\r\n\r\n", b"0\r\n\n", b"",
]
STATUS_LINES = [b"HTTP/1.1 200 OK"] * 8 + [
    b"HTTP/1.0 200 OK", b"HTTP/1.1 404 Not Found", b"HTTP/1.1 204 No Content",
    b"HTTP/1.1 304 Not Modified", b"HTTP/1.1 100 Continue", b"HTTP/1.1 103 Early",
    b"HTTP/1.1 301 Moved", b"HTTP/1.1 599 \tx ", b"HTTP/1.1 200 ", b"HTTP/1.1 200",
    b"HTTP/1.1  200 OK", b"HTTP/1.1 20 OK", b"HTTP/1.1 2000 OK", b"HTTP/2.0 200 OK",
    b"HTTP/1.2 200 OK", b"HTTP/1.1 +20 OK", b"HTTP/1.1 200 \xc3\xa9", b"HTTP/1.1 200 a\x00b",
    b"ICY 200 OK", b" HTTP/1.1 200 OK", b"", b"HTTP/1.1\t200 OK",
    b"HTTP/1.1 \xd9\xa2\xd9\xa0\xd9\xa0 OK", b"HTTP/1.1 200 a\rb", b"HTTP/1.1 000 x",
]
# fmt: on


def line_end(random):
    return random.choice(
        [b"\r\n"] * 30 + [b"\n"] * 3 + [b"\r\r\n", b"\r", b"\n\r", b"\r\n\r\n", b"\0\r\n"]
    )


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
        message = (
            message[:at] + bytes([random.randrange(256)]) + message[at + random.randrange(2) :]
        )
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
