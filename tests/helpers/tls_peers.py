"""The other end of a TLS connection, of which a loop knows nothing: OpenSSL over a plain
socket, so that a record can be sent in parts, too early, too late or wrong."""

import contextlib
import socket
import struct

from OpenSSL import SSL

# A record's type, version and length.
HEADER = 5


class TLSPeer:
    """Does a step each time it is asked, as far as there is something to be read."""

    def __init__(self, sock, context, *, server, name=None):
        self.sock = sock
        sock.setblocking(False)
        if sock.family == socket.AF_INET:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.tls = SSL.Connection(context, None)
        if server:
            self.tls.set_accept_state()
        else:
            self.tls.set_connect_state()
            if name:
                self.tls.set_tlsext_host_name(name.encode())
        self.data = b""
        # How it has ended for TLS, and for the socket.
        self.ended = self.hung_up = None
        self.unsent = b""
        self.answered = False
        self.held = False

    def fill(self):
        """What has come is given to TLS."""
        while self.hung_up is None:
            # Or what our end sends next waits for this to be acknowledged.
            if self.sock.family == socket.AF_INET:
                self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            try:
                data = self.sock.recv(65_536)
            except BlockingIOError:
                return
            except OSError as error:
                self.hung_up = type(error).__name__
                return
            if not data:
                self.hung_up = "EOF"
                return
            self.tls.bio_write(data)

    def taken(self):
        """What TLS wants to be sent, which isn't sent."""
        found = b""
        with contextlib.suppress(SSL.WantReadError):
            while True:
                found += self.tls.bio_read(65_536)
        return found

    def flush(self):
        """Send as much as the socket takes."""
        if self.held:
            return
        self.raw(self.taken())

    def raw(self, data):
        """Send bytes that are TLS's or not, behind what waits."""
        self.unsent += data
        try:
            while self.unsent:
                self.unsent = self.unsent[self.sock.send(self.unsent) :]
        except BlockingIOError:
            pass
        except OSError:
            self.unsent = b""

    def handshake(self):
        """Whether the handshake has come to its end; `ended` says if that was a bad one."""
        self.fill()
        try:
            self.tls.do_handshake()
        except SSL.WantReadError:
            self.flush()
            if self.hung_up:
                self.ended = "hung up"
            return self.hung_up is not None
        except SSL.Error as error:
            self.ended = shown(error)
        self.flush()
        return True

    def send(self, data):
        self.tls.send(data) if data else None
        self.flush()

    def receive(self):
        """Take what has come; how it has ended, None while it hasn't."""
        self.fill()
        try:
            while self.ended is None:
                self.data += self.tls.recv(65_536)
        except SSL.WantReadError:
            if self.hung_up:
                self.ended = "truncated"
        except SSL.ZeroReturnError:
            self.ended = "close_notify"
        except SSL.Error as error:
            self.ended = shown(error)
        self.flush()
        return self.ended

    def gone(self, answering=False):
        """Whether the socket has come to its end, whatever TLS says; a close_notify may be
        answered till then."""
        if self.receive() == "close_notify" and answering and not self.answered:
            self.close_notify()
        self.fill()
        return self.hung_up

    def close_notify(self):
        self.answered = True
        with contextlib.suppress(SSL.Error):
            self.tls.shutdown()
        self.flush()

    def send_after_close_notify(self, data):
        """OpenSSL refuses to, unless it has forgotten."""
        self.close_notify()
        self.tls.set_shutdown(0)
        self.send(data)

    def record(self, data):
        """The bytes of a record that isn't sent yet."""
        self.flush()
        self.tls.send(data)
        return self.taken()

    def shutdown(self):
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)

    def close(self):
        self.sock.close()
        self.hung_up = self.hung_up or "closed here"

    def reset(self):
        reset(self.sock)
        self.hung_up = self.hung_up or "reset here"


def reset(sock):
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def shown(error):
    """pyOpenSSL's error: the reasons in the queue."""
    if error.args and isinstance(error.args[0], list):
        return ("Error", [entry[-1] for entry in error.args[0]])
    return (type(error).__name__, [str(argument) for argument in error.args])


class HasPeer:
    """A connection under test that has a peer, and waits in `until`."""

    def sent(self, data):
        """The peer sends so much, as our end takes it."""
        for start in range(0, len(data), 16_000):
            self.peer.tls.send(data[start : start + 16_000])
            self.peer.flush()

        def all_gone():
            self.peer.raw(b"")
            return not self.peer.unsent

        self.until(all_gone)
