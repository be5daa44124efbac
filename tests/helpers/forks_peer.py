"""The other end of a server that forks: a process of its own, which checks each byte.

Frames have a length and a body. The body's first byte says what the server is to do before
it sends the frame back.
"""

import json
import random
import select
import socket
import ssl
import struct
import sys

HEAD = struct.Struct("!I")


class Frames:
    """What of the bytes that come is a whole frame."""

    def __init__(self):
        self.rest = b""

    def feed(self, data):
        self.rest += data
        while len(self.rest) >= HEAD.size:
            (size,) = HEAD.unpack_from(self.rest)
            if len(self.rest) < HEAD.size + size:
                return
            body, self.rest = self.rest[HEAD.size :][:size], self.rest[HEAD.size + size :]
            yield body


def frame(body):
    return HEAD.pack(len(body)) + body


def connect(address, kind):
    family = socket.AF_UNIX if kind == "unix" else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
    sock.settimeout(60)
    sock.connect(address if kind == "unix" else tuple(address))
    if kind == "tls":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        sock = context.wrap_socket(sock)
    return sock


def exchange(socks, frames, sent, random_):
    """Send one frame on each of the connections, and read them back."""
    order = list(range(len(socks)))
    random_.shuffle(order)
    for index in order:
        socks[index].sendall(frame(sent[index]))
    for index in order:
        got = []
        while not got:
            data = socks[index].recv(65536)
            if not data:
                return f"connection {index} ended"
            got += frames[index].feed(data)
        if got != [sent[index]]:
            return (
                f"connection {index}: {len(got)} frames, {got[0][:20]!r} for {sent[index][:20]!r}"
            )
    return None


def stray(socks):
    """What comes unasked."""
    ready, _, _ = select.select(socks, [], [], 0.2)
    return [(socks.index(sock), sock.recv(100)) for sock in ready]


def main():
    address, kind, seed, actions = json.loads(sys.argv[1])
    random_ = random.Random(seed)
    socks = [connect(address, kind) for _ in range(4)]
    frames = [Frames() for _ in socks]
    most = [1, 10, 1000, 8000] if kind == "udp" else [1, 10, 1000, 70_000, 300_000]
    trouble = None
    for action in actions:
        sizes = [random_.choice(most) for _ in socks]
        sent = [b"." + random_.randbytes(size) for size in sizes]
        who = random_.randrange(len(socks))
        sent[who] = action.encode() + sent[who][1:]
        trouble = trouble or exchange(socks, frames, sent, random_)
    unasked = [] if trouble else stray(socks)
    for sock in socks:
        sock.close()
    print(json.dumps([trouble, repr(unasked) if unasked else None]))


if __name__ == "__main__":
    main()
