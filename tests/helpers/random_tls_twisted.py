"""Random programs of Twisted's TLS at both ends of a connection, all drawn from a seed.

A step goes on until nothing moves any more. How data is cut in pieces, and how often a
producer is paused, is up to the system; that nobody is told anything else, or in another
order, is compared.
"""

import random
import socket
import termios
import time

from twisted.internet.interfaces import IPullProducer, IPushProducer
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import implementer

from helpers.certificates import client_context, server_context
from helpers.scenarios import outcome, run_turns
from helpers.streams import Handing
from helpers.tls_twisted import LOCAL, Shaking, run_until, told
from helpers.transports import queued

KINDS = ["ssl", "started", "started in mid-stream", "unix", "in another TLS"]
PATTERN = bytes(range(251)) * 12_000
# Rounds of what is quiet, but has something under way: where one end won't read it.
PATIENCE = 60
SIZES = [0, 1, 300, 2000, 16_384, 16_385, 70_000, 300_000]


class End(Shaking):
    """One end: what it wrote, what came, and what it was told."""

    def __init__(self, program, name):
        super().__init__([])
        self.program = program
        self.name = name
        self.written = self.noted = 0
        self.came = bytearray()
        self.paused = self.unsure = self.ending = False
        self.producer = self.armed = None
        self.produced = 0
        self.echoes = self.echoed = False
        self.soon = []

    def piece(self, size):
        start = self.written % 251
        self.written += size
        return PATTERN[start : start + size]

    def dataReceived(self, data):
        assert type(data) is bytes
        self.came += data
        armed, self.armed = self.armed, None
        if self.lost:
            self.trace.append("data after the end")
        self.ending = self.ending or armed is not None
        if self.other.unsure:
            # Data of an end that was aborted comes by chance, and so would what it does.
            armed = None
        if armed == "raise":
            self.unsure = True
            raise ValueError("mine")
        if armed == "abortConnection":
            self.unsure = True
        if armed:
            getattr(self.transport, armed)()
        elif self.echoes and not self.closing():
            self.transport.write(self.piece(len(data)))

    def closing(self):
        """What is written from now on, nobody gets."""
        tls = self.transport
        if not hasattr(tls, "wrappedProtocol"):
            # It was started: TLS is what the transport gives its data to, till the end.
            tls = getattr(tls, "protocol", None)
        return (
            self.lost
            or tls is None
            or tls.disconnecting
            or tls._lostTLSConnection
            or not tls.connected
        )

    def connectionLost(self, reason):
        self.lost = True
        # Two that end at the same time: who is the first is a matter of chance.
        self.trace.append(("lost", *([] if self.chance() else told(reason))))

    def chance(self):
        """Whether it is one how much more comes to this end: before an end was aborted, or
        to one that has said that it goes, which its peer may hear of sooner or later, or
        from one that goes while it still answers."""
        other = self.other
        return self.unsure or other.unsure or self.ending or (other.ending and other.echoed)

    def step(self):
        if not self.chance() and len(self.came) > self.noted:
            self.trace.append(("data", len(self.came)))
        if self.produced and not self.chance():
            self.trace.append(("produced", self.produced))
        # Who comes first in one turn, a call or the end of a connection, nobody is promised.
        self.trace += self.soon
        self.soon.clear()
        self.produced = 0
        self.noted = len(self.came)
        self.trace.append(("step",))


class Producer:
    """Writes so many pieces, then unregisters itself, and perhaps ends the connection."""

    def __init__(self, end, sizes, streaming, then_lose):
        self.end = end
        self.sizes = sizes
        self.streaming = streaming
        self.then_lose = then_lose
        self.paused = False

    def resumeProducing(self):
        self.paused = False
        while self.sizes and not self.paused:
            self.end.transport.write(self.end.piece(self.sizes.pop()))
            if not self.streaming:
                break
        if not self.sizes and self.end.producer is self:
            self.end.producer = None
            self.end.produced += 1
            self.end.transport.unregisterProducer()
            if self.then_lose:
                self.end.ending = True
                self.end.transport.loseConnection()

    def pauseProducing(self):
        self.paused = True

    def stopProducing(self):
        self.sizes.clear()
        if self.end.producer is self:
            self.end.producer = None


@implementer(IPushProducer)
class Pushing(Producer):
    pass


@implementer(IPullProducer)
class Pulled(Producer):
    pass


def is_pattern(data):
    """Whether every piece goes on where the last one ended."""
    whole, rest = divmod(len(data), len(PATTERN))
    return data == PATTERN * whole + PATTERN[:rest]


class TwistedTLSProgram:
    ACTIONS = (
        *("write", "write", "write", "write", "sequence", "sequence", "pause", "resume", "resume"),
        *("produce", "lose", "abort", "arm", "look", "write_wrong", "other", "echo", "soon"),
    )
    STEPS = 12

    def __init__(self, seed, reactor, trace):
        self.random = random.Random(seed)
        self.reactor = reactor
        self.trace = trace
        self.count = 0
        self.fatal = self.random.choice([0.03, 0.3])
        self.left, self.right = End(self, "left"), End(self, "right")
        self.left.other, self.right.other = self.right, self.left
        self.kind = self.random.choice(KINDS)
        self.ends = self.left, self.right

    def run(self, folder):
        self.connect(folder)
        self.trace.append(("begun", self.kind))
        for _ in range(self.STEPS):
            end = self.random.choice(self.ends)
            for _ in range(self.random.randint(1, 6)):
                self.act(end)
            self.settle()
            for one in self.ends:
                one.step()
        self.finish()

    def connect(self, folder):
        reactor, left, right = self.reactor, self.left, self.right
        contexts = server_context(), client_context()
        factories = Handing(left), Handing(right)
        if self.kind in ("unix", "in another TLS"):
            factories = [
                TLSMemoryBIOFactory(context, client, factory)
                for context, client, factory in zip(contexts, (False, True), factories, strict=True)
            ]
        if self.kind == "unix":
            port = reactor.listenUNIX(f"{folder}/s", factories[0])
            reactor.connectUNIX(f"{folder}/s", factories[1])
        elif self.kind in ("ssl", "in another TLS"):
            port = reactor.listenSSL(0, factories[0], contexts[0], interface=LOCAL)
            reactor.connectSSL(LOCAL, port.getHost().port, factories[1], contexts[1])
        else:
            port = reactor.listenTCP(0, factories[0], interface=LOCAL)
            reactor.connectTCP(LOCAL, port.getHost().port, factories[1])
        run_until(reactor, lambda: left.transport and right.transport)
        port.stopListening()
        if "started" in self.kind:
            if "mid" in self.kind:
                for end in self.ends:
                    end.transport.write(end.piece(self.random.choice([10, 10_000, 300_000])))
                run_until(reactor, lambda: all(e.written == len(e.other.came) for e in self.ends))
            for end, context in zip(self.ends, contexts, strict=True):
                end.transport.startTLS(context)
                # The transport is TLS's from here on.
        for end in self.ends:
            if self.kind != "unix":
                # What is small shall not wait for what has gone before to be acknowledged.
                end.transport.setTcpNoDelay(True)
            end.transport.write(end.piece(5))
        run_until(reactor, lambda: all(e.written == len(e.other.came) for e in self.ends))

    def finish(self):
        """Both ends are ended in order, those that wait for the other one at last by force."""
        for end in self.ends:
            if not end.lost:
                self.resume(end)
                self.lose(end)
            self.settle()
        for end in self.ends:
            end.trace.append(("at the end", end.lost))
            if not end.lost:
                end.transport.abortConnection()
        # An exception of the application's may keep it from being told.
        run_until(self.reactor, lambda: all(e.lost or not self.lowest(e) for e in self.ends))
        for end in self.ends:
            assert is_pattern(end.came), (end.name, "another byte")
            assert len(end.came) <= end.other.written, (end.name, "what nobody wrote")
            self.trace += [(end.name, event) for event in end.trace]

    def moved(self):
        state = []
        busy = False
        for end in self.ends:
            handle = end.transport and self.lowest(end)
            fd = handle.fileno() if handle is not None else -1
            here = queued(fd) if fd != -1 else 0
            there = queued(fd, termios.TIOCOUTQ) if fd != -1 else 0
            busy = busy or (here and not end.paused) or (there and not end.other.paused)
            state.append((len(end.came), len(end.trace), end.written, here, there))
        return state, busy

    def lowest(self, end):
        """The socket at the bottom of it all."""
        transport = end.transport
        while hasattr(transport, "wrappedProtocol"):
            transport = transport.transport
        own = getattr(transport, "socket", None)
        return own if isinstance(own, socket.socket) and own.fileno() != -1 else None

    def settle(self):
        last = None
        for _ in range(PATIENCE):
            run_turns(self.reactor, 6)
            state, busy = self.moved()
            if state == last and not busy:
                return
            if busy:
                time.sleep(0.0005)
            last = state

    def act(self, end):
        action = self.random.choice(self.ACTIONS)
        if action in ("lose", "abort", "arm") and self.random.random() > self.fatal:
            return
        self.count += 1
        getattr(self, action)(end)

    def size(self):
        return self.random.choice([self.random.choice(SIZES), self.random.randint(0, 300)])

    def write(self, end):
        # With a producer it may write as long as that isn't done, even after it has ended.
        if end.producer is not None:
            return
        if not end.closing():
            end.transport.write(end.piece(self.size()))
        else:
            end.transport.write(b"too late")

    def sequence(self, end):
        if end.producer is None and not end.closing():
            sizes = [self.size() for _ in range(self.random.randint(0, 4))]
            end.transport.writeSequence([end.piece(size) for size in sizes])

    def write_wrong(self, end):
        how = self.random.choice(["write", "writeSequence"])
        end.trace.append((how, outcome(getattr(end.transport, how), "text")))

    def pause(self, end):
        # How much a producer writes to one that doesn't read is up to the kernel, and so it is
        # when one hears that its peer has gone.
        other = end.other
        if end.lost or end.ending or end.producer:
            return
        if other.producer is None and other.armed is None and not other.unsure:
            end.paused = True
            end.transport.pauseProducing()

    def resume(self, end):
        if not end.lost:
            end.paused = False
            end.transport.resumeProducing()

    def produce(self, end):
        # Twisted drops what it has gathered of a producer that is done after `loseConnection`:
        # whether that is before is a matter of chance where data is what ends it.
        if end.producer is not None or end.closing() or end.armed:
            return
        if end.paused or end.other.paused:
            return
        streaming = self.random.random() < 0.5
        sizes = [self.size() for _ in range(self.random.randint(0, 8))]
        lose = self.random.random() < self.fatal
        end.producer = (Pushing if streaming else Pulled)(end, sizes, streaming, lose)
        producer = end.producer
        end.transport.registerProducer(producer, streaming)
        if streaming:
            producer.resumeProducing()

    def lose(self, end):
        self.resume(end)
        end.ending = True
        end.transport.loseConnection()

    def abort(self, end):
        if end.other.paused:
            return
        end.unsure = True
        end.trace.append(("abort", outcome(end.transport.abortConnection)))

    def arm(self, end):
        """The next data that comes to it ends it, one way or another."""
        armed = self.random.choice(["raise", "loseConnection", "abortConnection"])
        end.armed = None if end.other.paused or end.producer else armed

    def echo(self, end):
        end.echoes = not end.other.echoes
        end.echoed = end.echoed or end.echoes

    def look(self, end):
        own = end.transport
        names = ["connected", "disconnecting", "TLS"]
        if end.lost and end.chance():
            # Whether its peer's last words came before it aborted.
            names.remove("disconnecting")
        end.trace.append(tuple(getattr(own, name, None) for name in names))

    def other(self, end):
        """The application's protocol is replaced by one that hands everything on."""
        own = end.transport
        if not end.lost and hasattr(own, "wrappedProtocol"):
            end.trace.append(("wrapped", own.wrappedProtocol is end))
            own.wrappedProtocol = end

    def soon(self, end):
        self.reactor.callLater(0, end.soon.append, ("soon", self.count))
