"""Twisted's TLS connections for tests: a protocol in a reactor, and its peer.

The peer works by the standard library's `ssl` on a plain socket that the reactor knows
nothing of, so that what happens to the connection under test happens in an order of its
own, and what comes can be anything.
"""

import contextlib
import socket
import ssl

import pytest
from twisted.internet.interfaces import IHandshakeListener
from twisted.protocols import tls
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import implementer

from helpers.certificates import server_context, ssl_contexts
from helpers.streams import Handing, Traced, run_until

wants_todays_writing = pytest.mark.skipif(
    not hasattr(tls._AggregateSmallWrites, "close"),
    reason="an older Twisted does otherwise with small writes, and only reading is native there",
)


@implementer(IHandshakeListener)
class Shaken(Traced):
    """Writes down what happens to it, and when the handshake is done."""

    shaken = False

    def handshakeCompleted(self):
        self.shaken = True
        self.trace.append("shaken")
        self._happened("shaken")


class Peer:
    """The other end; `pump` moves what there is."""

    def __init__(self, sock, version=None):
        self.sock = sock
        sock.setblocking(False)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = ssl_contexts()[1]
        if version is not None:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            context.minimum_version = context.maximum_version = version
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="test")
        self.shaken = False
        self.data = b""
        # How the connection ended: below TLS, and within.
        self.ended = self.said = None
        # Whether it answers a close_notify.
        self.polite = True
        self._unsent = b""

    def pump(self):
        """Read what there is, and send what can be."""
        try:
            while self.ended is None:
                data = self.sock.recv(65536)
                if not data:
                    self.ended = "closed"
                    self.incoming.write_eof()
                self.incoming.write(data)
        except BlockingIOError:
            pass
        except OSError as error:
            self.ended = type(error).__name__
        with contextlib.suppress(ssl.SSLWantReadError):
            if not self.shaken:
                self.tls.do_handshake()
                self.shaken = True
            self._read()
        self._send()
        return self.shaken

    def _read(self):
        while self.said is None:
            try:
                data = self.tls.read(65536)
            except ssl.SSLWantReadError:
                return
            except ssl.SSLError as error:
                self.said = type(error).__name__
            else:
                self.data += data
                if not data:
                    self.said = "close_notify"
                    if self.polite:
                        self.say_goodbye()

    def _send(self):
        self._unsent += self.outgoing.read()
        with contextlib.suppress(BlockingIOError, ConnectionError):
            while self._unsent:
                self._unsent = self._unsent[self.sock.send(self._unsent) :]

    def write(self, data):
        self.tls.write(data)
        self._send()

    def say_goodbye(self):
        """Send close_notify."""
        with contextlib.suppress(ssl.SSLError):
            self.tls.unwrap()
        self._send()

    def garble(self):
        """Send a record that can't be decrypted."""
        self.sock.send(b"\x17\x03\x03\x00\x20" + b"?" * 32)


@contextlib.contextmanager
def secured(reactor, protocol, shake=True, version=None, wrap=None):
    """Has a port accept a TLS connection for a protocol, and hands out its peer."""
    factory = TLSMemoryBIOFactory(server_context(), False, Handing(protocol))
    if wrap is not None:
        factory.protocol = wrap
    port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    with socket.socket() as sock:
        sock.connect(("127.0.0.1", port.getHost().port))
        # Else what is sent second arrives when the kernel has acknowledged what was first.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer = Peer(sock, version)
        run_until(reactor, lambda: protocol.transport is not None)
        port.stopListening()
        if shake:
            run_until(reactor, lambda: peer.pump() and protocol.transport._handshakeDone)
        yield peer


def comes(reactor, peer, count):
    """Runs until the peer has received so many bytes."""
    run_until(reactor, lambda: peer.pump() and len(peer.data) >= count)
    return peer.data


def ends(reactor, peer):
    """Runs until the connection has ended for the peer: how, within TLS and below."""

    def ended():
        peer.pump()
        return peer.ended is not None

    run_until(reactor, ended)
    return peer.said, peer.ended
