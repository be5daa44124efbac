"""What a reactor watches in our tests: it writes down all that happens to it."""

import contextlib
import os

from twisted.internet.interfaces import IHalfCloseableDescriptor, IReadWriteDescriptor
from zope.interface import implementer


@implementer(IReadWriteDescriptor)
class Watched:
    """Watches `fd`; `read` and `write`, where given, are what doRead and doWrite do."""

    def __init__(self, trace, name, fd, read=None, write=None):
        self.trace = trace
        self.name = name
        self.fd = fd
        self.read = read
        self.write = write

    def __repr__(self):
        return self.name

    def fileno(self):
        return self.fd

    def logPrefix(self):
        return self.name

    def doRead(self):
        self.trace.append((self.name, "doRead"))
        return self.read() if self.read else None

    def doWrite(self):
        self.trace.append((self.name, "doWrite"))
        return self.write() if self.write else None

    def connectionLost(self, reason):
        self._lost("connectionLost", reason)

    def _lost(self, what, reason):
        self.trace.append((self.name, what, type(reason.value).__name__))


@implementer(IHalfCloseableDescriptor)
class HalfCloseable(Watched):
    def readConnectionLost(self, reason):
        self._lost("readConnectionLost", reason)

    def writeConnectionLost(self, reason):
        self._lost("writeConnectionLost", reason)


def drain(fd):
    """Reads all there is, so that a level-triggered descriptor falls silent."""
    with contextlib.suppress(BlockingIOError):
        while os.read(fd, 65536):
            pass
