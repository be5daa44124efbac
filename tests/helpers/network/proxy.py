"""A proxy in threads that passes on what it gets in pieces, late, and not always to the end."""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import threading
import time
from typing import Any

# What a proxy may do to a connection once so many bytes have passed in one direction.
CUTS = ["close", "reset", "one direction", "silence"]


def reset(end: socket.socket) -> None:
    """Close it so that the peer sees a reset, and a thread that reads from it lets go of it."""
    with contextlib.suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        end.shutdown(socket.SHUT_RD)
    end.close()


class Proxy:
    """Stands before a server. `cut` happens to each second connection after `after` bytes."""

    def __init__(self, server: Any, seed: int, cut: str | None = None, after: int = 20_000) -> None:
        self.server, self.cut, self.after = server, cut, after
        self.random = random.Random(seed)
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.address = self.listening.getsockname()
        self.open: list[socket.socket] = []
        self.closed = False
        self.cut_off = 0
        self.threads = [threading.Thread(target=self.accept, daemon=True)]
        self.threads[0].start()

    def accept(self) -> None:
        count = 0
        while True:
            near, _ = self.listening.accept()
            if self.closed:
                near.close()
                return
            far = socket.create_connection(self.server)
            self.open += [near, far]
            cuts = self.cut is not None and count % 2 == 1
            count += 1
            for source, sink in [(near, far), (far, near)]:
                sink.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                generator = random.Random(self.random.random())
                # It is the server's answers that are cut off.
                args = (source, sink, generator, cuts and source is far)
                self.threads.append(threading.Thread(target=self.pass_on, args=args, daemon=True))
                self.threads[-1].start()

    def pass_on(
        self, source: socket.socket, sink: socket.socket, generator: random.Random, cuts: bool
    ) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while data := source.recv(generator.choice([1, 10, 1000, 65_536])):
                while data:
                    size = generator.choice([1, 3, 100, 1447, 20_000])
                    if cuts:
                        size = min(size, self.after - passed)
                    sink.sendall(data[:size])
                    passed += len(data[:size])
                    data = data[size:]
                    if generator.random() < 0.1:
                        time.sleep(generator.random() * 0.003)
                    if cuts and passed >= self.after:
                        self.cut_off += 1
                        self.cut_them(source, sink)
                        return
            sink.shutdown(socket.SHUT_WR)

    def cut_them(self, source: socket.socket, sink: socket.socket) -> None:
        if self.cut == "one direction":
            sink.shutdown(socket.SHUT_WR)
            return
        if self.cut == "silence":
            # Half-open: neither hears of the other any more, until the proxy is gone.
            time.sleep(0.3)
        for end in (source, sink):
            if self.cut == "close":
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()
            else:
                reset(end)

    def close(self) -> None:
        self.closed = True
        socket.create_connection(self.address).close()
        for thread in self.threads[:1]:
            thread.join()
        for end in self.open:
            reset(end)
        for thread in self.threads:
            thread.join(10)
        self.listening.close()
