"""Peers in threads of their own, whose system calls nothing happens to."""

from __future__ import annotations

import contextlib
import random
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from helpers.certificates import ssl_contexts
from helpers.tls_errors import forget_errors

# Seconds. Only what is lost takes so long.
PATIENCE = 5.0
# The sizes of the messages, each of which is answered before the next one.
SIZES = [1, 100, 3000, 150_000, 5]


@dataclass
class Exchange:
    """What has become of one connection, as its peer saw it."""

    # What came is what was sent, as far as it came.
    intact: bool = True
    complete: bool = False
    # It waited in vain.
    hung: bool = False


def data_of(number: int, sizes: list[int]) -> list[bytes]:
    """Return the messages of a connection, unlike those of any other one."""
    generator = random.Random(number)
    return [generator.randbytes(size) for size in sizes]


def connected(address: Any, transport: str) -> socket.socket:
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    plain = socket.socket(family)
    plain.settimeout(PATIENCE)
    plain.connect(address)
    if transport != "tls":
        return plain
    try:
        return ssl_contexts()[1].wrap_socket(plain, server_hostname="test")
    except BaseException:
        plain.close()
        raise


class Peer:
    """One connection to a server that echoes."""

    def __init__(self, number: int) -> None:
        self.exchange = Exchange()
        self.number = number
        self.socket: socket.socket | None = None

    def attempt(self, step: Callable[[], None]) -> None:
        try:
            step()
        except TimeoutError:
            self.exchange.hung = True
            self.close()
        except (OSError, EOFError):
            self.close()
            forget_errors()

    def connect(self, address: Any, transport: str) -> None:
        self.socket = connected(address, transport)

    def exchange_one(self, data: bytes) -> None:
        if self.socket is None:
            return
        self.socket.sendall(data)
        received = 0
        while received < len(data):
            piece = self.socket.recv(len(data) - received)
            if not piece:
                raise EOFError
            self.exchange.intact &= data[received : received + len(piece)] == piece
            received += len(piece)

    def end(self) -> None:
        """See the end of what the server sends."""
        if self.socket is None:
            return
        if not isinstance(self.socket, ssl.SSLSocket):
            self.socket.shutdown(socket.SHUT_WR)
            self.exchange.intact &= self.socket.recv(1) == b""
        self.exchange.complete = self.exchange.intact
        self.close()

    def close(self) -> None:
        if self.socket is not None:
            self.socket.close()
            self.socket = None


def visit(address: Any, transport: str, count: int = 4) -> list[Exchange]:
    """Talk to a server that echoes by several connections in turn."""
    peers = [Peer(number) for number in range(count)]
    for peer in peers:
        peer.attempt(lambda peer=peer: peer.connect(address, transport))  # type: ignore[misc]
    messages = [data_of(peer.number, SIZES) for peer in peers]
    for turn in range(len(SIZES)):
        for peer, data in zip(peers, messages, strict=True):
            peer.attempt(lambda peer=peer, piece=data[turn]: peer.exchange_one(piece))  # type: ignore[misc]
    for peer in peers:
        peer.attempt(peer.end)
    return [peer.exchange for peer in peers]


def visit_with_datagrams(address: Any, count: int = 30) -> list[bool]:
    """Send datagrams, and tell of each whether it came back, as it was and only once."""
    came = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
        plain.settimeout(PATIENCE / 5)
        for number in range(count):
            data = b"%d" % number
            plain.sendto(data, address)
            with contextlib.suppress(TimeoutError):
                came.append(plain.recv(100) == data)
                continue
            came.append(False)
        plain.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            plain.recv(100)
            came.append(False)
    return came


class Host:
    """A server that echoes, to connect to."""

    def __init__(self, transport: str, path: str | None) -> None:
        family = socket.AF_INET if path is None else socket.AF_UNIX
        self.listening = socket.socket(family)
        self.listening.bind(("127.0.0.1", 0) if path is None else path)
        self.listening.listen(100)
        self.address = self.listening.getsockname()
        self.transport = transport
        self.closed = False
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self) -> None:
        threads = []
        while True:
            with contextlib.suppress(OSError):
                plain, _ = self.listening.accept()
                if self.closed:
                    plain.close()
                    break
                threads.append(threading.Thread(target=self.echo, args=(plain,), daemon=True))
                threads[-1].start()
        for thread in threads:
            thread.join(PATIENCE)

    def echo(self, plain: socket.socket) -> None:
        plain.settimeout(PATIENCE)
        with contextlib.closing(plain), contextlib.suppress(OSError):
            if self.transport == "tls":
                plain = ssl_contexts()[0].wrap_socket(plain, server_side=True)
            with plain:
                while data := plain.recv(100_000):
                    plain.sendall(data)

    def close(self) -> None:
        self.closed = True
        with socket.socket(self.listening.family) as last:
            last.connect(self.address)
            self.thread.join(PATIENCE)
        self.listening.close()
