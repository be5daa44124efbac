"""A TLS connection of asyncio's whose other end is driven by hand, record by record."""

import contextlib
import socket
import ssl

from helpers.certificates import ssl_contexts
from helpers.scenarios import turns
from helpers.transports import run_until


def connected(family):
    """Two connected sockets."""
    if family == "unix":
        return socket.socketpair()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sock = socket.create_connection(listener.getsockname())
        accepted = listener.accept()[0]
    for one in (accepted, sock):
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Others pace what they send: it would come some turns later.
        with contextlib.suppress(OSError, AttributeError):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")
    return accepted, sock


class TLSPeer:
    """The peer of a transport that the loop has: a client over a plain socket."""

    def __init__(self, loop, factory, *, family="tcp", version=ssl.TLSVersion.TLSv1_3):
        server_side, _ = ssl_contexts()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.minimum_version = context.maximum_version = version
        self.loop = loop
        sock, self.sock = connected(family)
        sock.setblocking(False)
        self.sock.setblocking(False)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing)
        task = loop.create_task(loop.connect_accepted_socket(factory, sock, ssl=server_side))
        while not task.done():
            with contextlib.suppress(ssl.SSLWantReadError):
                self.tls.do_handshake()
            self.flush()
            turns(loop)
            self.receive()
        self.transport, self.protocol = task.result()
        # What came with the handshake's end.
        self.early = self.read()

    def receive(self):
        """Take what has come."""
        with contextlib.suppress(BlockingIOError, ConnectionError):
            while data := self.sock.recv(1 << 20):
                self.incoming.write(data)

    def flush(self):
        """Send what was encrypted."""
        self.send_raw(self.outgoing.read())

    def send_raw(self, data):
        """Send bytes as they are."""
        view = memoryview(data)
        while view:
            try:
                view = view[self.sock.send(view) :]
            except BlockingIOError:
                turns(self.loop)

    def encrypted(self, *pieces):
        """The records of some pieces, each of them one or more."""
        for piece in pieces:
            self.tls.write(piece)
        return self.outgoing.read()

    def write(self, *pieces):
        """Send pieces by one system call, if they aren't much."""
        self.send_raw(self.encrypted(*pieces))

    def read(self):
        """The plaintext that has come."""
        self.receive()
        came = b""
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            while data := self.tls.read(1 << 20):
                came += data
        return came

    def read_all(self, count):
        """So many bytes of plaintext."""
        came = b""

        def done():
            nonlocal came
            came += self.read()
            return len(came) >= count

        run_until(self.loop, done)
        return came

    def close_notify(self):
        """Say that nothing more comes."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.unwrap()
        self.flush()

    def close(self):
        """End the connection."""
        self.sock.close()
        if not self.transport.is_closing():
            self.transport.abort()
        turns(self.loop, 5)

    @property
    def tls_protocol(self):
        """asyncio's protocol for TLS under the transport."""
        return self.transport._ssl_protocol
