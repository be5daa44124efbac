"""A proxy between the two ends of a connection, which hands on what it gets in fragments: one
in each turn of the loop under test, so that each of them is read by itself."""

import contextlib
import socket

# The records of a handshake and of the first data, byte by byte; then as `sizes` says.
BYTEWISE = 6000


class Fragmenting:
    """Both ends of it are plain sockets. `soon` calls a function in the loop's next turn."""

    def __init__(self, soon, address, sizes, bytewise=BYTEWISE):
        self.soon = soon
        self.sizes = sizes
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.listening.setblocking(False)
        self.target = address
        self.ends = []
        self.held = [b"", b""]
        self.open = [True, True]
        self.bytewise = bytewise
        self.fragments = self.handed_on = 0
        self.stopped = False
        soon(self.turn)

    @property
    def address(self):
        return self.listening.getsockname()

    def turn(self):
        if self.stopped:
            return
        if not self.ends:
            self.accept()
        else:
            self.hand_on(0, 1)
            self.hand_on(1, 0)
        self.soon(self.turn)

    def accept(self):
        with contextlib.suppress(BlockingIOError):
            self.ends = [self.listening.accept()[0], socket.create_connection(self.target)]
            for end in self.ends:
                end.setblocking(False)
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def hand_on(self, number, other):
        """One fragment; the end is handed on behind the last of them."""
        if not self.open[number]:
            return
        if not self.held[number]:
            try:
                self.held[number] = self.ends[number].recv(65_536)
            except BlockingIOError:
                return
            except OSError:
                pass
            if not self.held[number]:
                self.open[number] = False
                with contextlib.suppress(OSError):
                    self.ends[other].shutdown(socket.SHUT_WR)
                return
        size = 1 if self.handed_on < self.bytewise else self.sizes()
        try:
            sent = self.ends[other].send(self.held[number][:size])
        except BlockingIOError:
            return
        except OSError:
            self.held[number] = b""
            self.open[number] = False
            return
        self.held[number] = self.held[number][sent:]
        self.handed_on += sent
        self.fragments += 1

    def stop(self):
        self.stopped = True
        for sock in (self.listening, *self.ends):
            sock.close()
