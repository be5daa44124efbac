"""What one TLS connection's failure leaves to another one of the same thread.

Where the system has refused a write, or a read, Python's `ssl` leaves that in OpenSSL's queue of
the thread's errors, from Python 3.12.10 and 3.13.3 and OpenSSL 3.2 on. The next call of `ssl` that
has to wait takes it for its own failure (python/cpython#148594), whatever the loop. Tests of what
a failure does to other connections leave that out by these.
"""

from __future__ import annotations

import ssl

from tornado.iostream import SSLIOStream

from helpers.certificates import ssl_contexts


def forget_errors() -> None:
    """Empty this thread's queue, as making a connection does."""
    ssl_contexts()[1].wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="test")


class Careful(SSLIOStream):
    """Tornado's own stream, which leaves nothing there."""

    def _do_ssl_handshake(self) -> None:
        super()._do_ssl_handshake()  # type: ignore[misc]
        if self.closed():
            forget_errors()

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        try:
            return super().read_from_fd(buf)
        except OSError:
            forget_errors()
            raise

    def write_to_fd(self, data: memoryview) -> int:
        try:
            return super().write_to_fd(data)
        except OSError:
            forget_errors()
            raise
