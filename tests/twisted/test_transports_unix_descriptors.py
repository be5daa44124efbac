"""Descriptors among data: a read stops at each, and what comes after it comes all the same."""

import array
import contextlib
import os
import random
import socket

import pytest
from twisted.internet.interfaces import IFileDescriptorReceiver
from twisted.python import log
from zope.interface import implementer

from helpers.loops import on_reactors
from helpers.scenarios import run_turns
from helpers.streams import PATTERN, Traced, connected, run_until, until_lost

on_unix_ends = pytest.mark.parametrize("end", ["unix server", "unix client"])


@implementer(IFileDescriptorReceiver)
class Receiving(Traced):
    """Keeps what came in the order in which it came; data that follows data is joined."""

    def __init__(self, trace, **hooks):
        super().__init__(trace, **hooks)
        self.came = []

    def dataReceived(self, data):
        before = self.came.pop() if self.came and isinstance(self.came[-1], bytes) else b""
        self.came.append(before + data)
        super().dataReceived(data)

    def fileDescriptorReceived(self, descriptor):
        with open(descriptor, "rb") as file:
            self.came.append(int(file.read()))
        self._happened("descriptor")


def numbered(number):
    """A descriptor from which its number is read."""
    r, w = os.pipe()
    os.write(w, b"%d" % number)
    os.close(w)
    return r


def send(peer, data, numbers):
    """Sends data with descriptors of these numbers; how much went."""
    fds = [numbered(number) for number in numbers]
    try:
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
        return peer.sendmsg([data], rights if fds else [])
    finally:
        for fd in fds:
            os.close(fd)


@on_reactors
@on_unix_ends
@pytest.mark.parametrize("passes_credentials", [False, True])
def test_many_descriptors_in_one_go(run, end, passes_credentials):
    def scenario(reactor, trace):
        logged = []
        protocol = Receiving(trace)
        with connected(reactor, protocol, end) as peer:
            if passes_credentials:
                option = (socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
                protocol.transport.socket.setsockopt(*option)
            log.addObserver(logged.append)
            for number in range(20):
                send(peer, b"data%d," % number, [number] if number % 3 else [])
            run_until(reactor, lambda: protocol.data.endswith(b"data19,"))
            log.removeObserver(logged.append)
            trace.append((protocol.data.count(b"data"), protocol.came[-1]))
            trace.append([came for came in protocol.came if isinstance(came, int)])
            told = [event["format"] for event in logged if "cmsgType" in event]
            trace.append((bool(told), set(told)))

    numbers = [number for number in range(20) if number % 3]
    result = run(scenario)
    assert result[:3] == ["made", (20, b"data18,data19,"), numbers]
    assert result[3][0] == passes_credentials


@on_reactors
@on_unix_ends
@pytest.mark.parametrize("does", ["raise", "lose", "pause", "switch"])
def test_a_receiver_that_does_something(run, end, does):
    def scenario(reactor, trace):
        def descriptor(protocol):
            if does == "raise":
                raise ValueError("mine")
            if does == "lose":
                protocol.transport.loseConnection()
            elif does == "pause":
                protocol.transport.pauseProducing()
                reactor.callLater(0.01, protocol.transport.resumeProducing)
            else:
                protocol.transport.protocol = second
                second.makeConnection(protocol.transport)

        first, second = Receiving(trace, descriptor=descriptor), Receiving(trace)
        with connected(reactor, first, end) as peer:
            for number in range(4):
                send(peer, b"%d" % number, [number])
            if does in ("raise", "lose"):
                until_lost(reactor, first)
            else:
                run_until(reactor, lambda: (first.data + second.data).endswith(b"3"))
            trace.append((first.came, second.came))

    done = ("lost", "ConnectionDone")
    last = {
        "raise": [("logged", "ValueError", "mine"), ("lost", "ValueError"), ([0], [])],
        "lose": [done, ([0, b"0"], [])],
        "pause": [([0, b"0", 1, b"1", 2, b"2", 3, b"3"], [])],
        "switch": ["made", ([0], [b"0", 1, b"1", 2, b"2", 3, b"3"])],
    }
    assert run(scenario) == ["made", *last[does]]


@on_reactors
@on_unix_ends
@pytest.mark.parametrize("seed", range(6))
def test_at_random(run, end, seed):
    def scenario(reactor, trace):
        rng = random.Random(seed)
        protocol = Receiving(trace)
        with connected(reactor, protocol, end) as peer:
            transport = protocol.transport
            transport.bufferSize = rng.choice([1, 7, 1_000, 65_536, 65_536])
            expected, number = [], 0
            for _ in range(rng.randrange(5, 40)):
                step = rng.random()
                if step < 0.6:
                    data = PATTERN[: rng.choice([1, 5, 300, 3_000])]
                    numbers = list(range(number, number + rng.choice([0, 0, 1, 3])))
                    number += len(numbers)
                    with contextlib.suppress(BlockingIOError):
                        sent = send(peer, data, numbers)
                        expected += numbers
                        expected.append(data[:sent])
                elif step < 0.7:
                    transport.pauseProducing()
                    reactor.callLater(0.002, transport.resumeProducing)
                elif step < 0.8:
                    transport.getHandle()
                elif step < 0.9:
                    transport.sendFileDescriptor(0)
                    transport.write(b"data")
                else:
                    run_turns(reactor, rng.randrange(1, 4))
            if rng.random() < 0.5:
                peer.shutdown(socket.SHUT_WR)
                until_lost(reactor, protocol)
            size = sum(len(data) for data in expected if isinstance(data, bytes))
            run_until(reactor, lambda: len(protocol.data) >= size)
            numbers = [came for came in expected if isinstance(came, int)]
            trace.append([came for came in protocol.came if isinstance(came, int)] == numbers)
            data = b"".join(came for came in expected if isinstance(came, bytes))
            came = b"".join(came for came in protocol.came if isinstance(came, bytes))
            trace.append((came == data, len(data)))

    result = run(scenario)
    assert result[-2] is True
    assert result[-1][0]
