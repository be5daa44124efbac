"""Producers of Twisted's TLS: when they are paused, resumed and stopped."""

import time

import pytest

from helpers.certificates import client_context, server_context
from helpers.loops import on_reactors, ours_reactor
from helpers.scenarios import outcome, run_turns
from helpers.streams import PATTERN, Handing, run_until, until_lost
from helpers.tls_secured import Shaken, comes, secured, wants_todays_writing

pytestmark = wants_todays_writing

# More than the kernel takes of a peer that doesn't read.
HUGE = PATTERN * 2


class Push:
    """Writes down what it is asked to do; `hooks` do more."""

    def __init__(self, trace, **hooks):
        self.trace = trace
        self.hooks = hooks

    def _asked(self, name):
        self.trace.append(name)
        if name in self.hooks:
            self.hooks[name]()

    def pauseProducing(self):
        self._asked("pause")

    def resumeProducing(self):
        self._asked("resume")

    def stopProducing(self):
        self._asked("stop")


class Pull(Push):
    """Writes one of so many blocks each time, then unregisters."""

    def __init__(self, trace, transport, blocks):
        super().__init__(trace)
        self.transport = transport
        self.blocks = blocks

    def resumeProducing(self):
        if self.blocks:
            self.transport.write(self.blocks.pop(0))
        else:
            self.transport.unregisterProducer()
            self.trace.append("done")


def settled(reactor, peer):
    """Runs until nothing more has come to a peer for a while."""
    quiet = 0
    while quiet < 50:
        before = len(peer.data)
        time.sleep(0.002)
        peer.pump()
        run_turns(reactor)
        quiet = 0 if len(peer.data) > before else quiet + 1


@on_reactors
@pytest.mark.parametrize("size", [10, 60_000, 70_000, 200_000, len(HUGE)])
def test_when_a_producer_is_paused(run, size):
    def scenario(reactor, trace):
        server = Shaken([])
        with secured(reactor, server) as peer:
            told = []
            producer = Push(told)
            server.transport.registerProducer(producer, True)

            def write():
                server.transport.write(HUGE[:size])
                trace.append(("at once", list(told)))

            reactor.callWhenRunning(write)
            run_turns(reactor, 10)
            trace.append(("then", list(told)))
            trace.append(comes(reactor, peer, size) == HUGE[:size])
            run_turns(reactor)
            trace.append(list(told))
            server.transport.unregisterProducer()
            server.transport.loseConnection()
            run_until(reactor, lambda: peer.pump() and server.lost)
            trace.append(told)

    assert run(scenario)[2] is True


@on_reactors
@pytest.mark.parametrize("count", [1, 3, 40])
def test_small_writes_pause_as_a_large_one_does(run, count):
    def scenario(reactor, trace):
        server = Shaken([])
        with secured(reactor, server) as peer:
            told = []
            server.transport.registerProducer(Push(told), True)

            def write():
                for number in range(count):
                    server.transport.write(b"x" * 20_000)
                    trace.append((number, list(told)))

            reactor.callWhenRunning(write)
            run_turns(reactor, 10)
            trace.append(list(told))
            comes(reactor, peer, 20_000 * count)
            run_turns(reactor)
            trace.append(list(told))
            server.transport.unregisterProducer()
            server.transport.abortConnection()
            until_lost(reactor, server)

    run(scenario)


@on_reactors
@pytest.mark.parametrize("blocks", [[], [b"one"], [b"x" * 100_000] * 20])
def test_pull(run, blocks):
    def scenario(reactor, trace):
        server = Shaken([])
        with secured(reactor, server) as peer:
            told = []
            server.transport.registerProducer(Pull(told, server.transport, list(blocks)), False)
            size = sum(map(len, blocks))
            run_until(reactor, lambda: peer.pump() and "done" in told and len(peer.data) == size)
            trace.append(told)
            server.transport.loseConnection()
            run_until(reactor, lambda: peer.pump() and server.lost)

    assert run(scenario) == [["done"]]


@on_reactors
@pytest.mark.parametrize(
    ("method", "way"),
    [
        *(("pause", way) for way in ["abortConnection", "raise"]),
        *(("resume", way) for way in ["loseConnection", "abortConnection", "raise", "write"]),
    ],
)
def test_what_a_producer_does_when_it_is_told(run, method, way):
    def scenario(reactor, trace):
        server = Shaken([])
        with secured(reactor, server) as peer:

            def act():
                if way == "raise":
                    raise ValueError("mine")
                if way == "write":
                    return server.transport.write(b"more")
                return getattr(server.transport, way)()

            told = []
            producer = Push(told, **{method: act})
            server.transport.registerProducer(producer, True)
            reactor.callWhenRunning(lambda: trace.append(outcome(server.transport.write, HUGE)))
            run_turns(reactor, 10)
            settled(reactor, peer)
            # After a pause that raises Twisted has yet to send all of it, from the start.
            if way != "abortConnection" and (method, way) != ("pause", "raise"):
                trace.append(len(peer.data))
            trace.append(told)
            if not server.lost:
                server.transport.unregisterProducer()
                server.transport.abortConnection()
                until_lost(reactor, server)
            trace.append(server.trace[-1])

    run(scenario)


@pytest.mark.parametrize("more", [b"", b"more", PATTERN[:70_000]])
@pytest.mark.parametrize("way", ["loseConnection", "write", "iterate"])
def test_what_is_done_in_a_pause_loses_nothing(way, more):
    # Twisted sends all of it twice, or loses what is written then: while it writes what it
    # keeps, that is still kept, and forgotten afterwards.
    def scenario(reactor, trace):
        server = Shaken([])
        with secured(reactor, server) as peer:

            def act():
                del producer.hooks["pause"]
                server.transport.write(more)
                if way == "loseConnection":
                    server.transport.loseConnection()
                elif way == "iterate":
                    reactor.iterate()

            producer = Push([], pause=act)
            server.transport.registerProducer(producer, True)
            reactor.callWhenRunning(server.transport.write, HUGE)
            trace.append(comes(reactor, peer, len(HUGE + more)) == HUGE + more)
            settled(reactor, peer)
            trace.append(len(peer.data) - len(HUGE))
            server.transport.unregisterProducer()
            server.transport.abortConnection()
            until_lost(reactor, server)

    assert ours_reactor(scenario) == [True, len(more)]


def test_a_pause_that_raises_loses_nothing():
    # Twisted sends what it had sent already once more.
    def scenario(reactor, trace):
        server = Shaken([])
        with secured(reactor, server) as peer:

            def act():
                raise ValueError("mine")

            server.transport.registerProducer(Push([], pause=act), True)
            trace.append(outcome(server.transport.write, HUGE)[0])
            server.transport.write(b"more")
            trace.append(comes(reactor, peer, len(HUGE) + 4) == HUGE + b"more")
            server.transport.unregisterProducer()
            server.transport.abortConnection()
            until_lost(reactor, server)

    assert ours_reactor(scenario) == ["ValueError", True]


@on_reactors
@pytest.mark.parametrize("way", ["loseConnection", "abortConnection", "write"])
def test_what_a_producer_does_when_it_is_stopped(run, way):
    def scenario(reactor, trace):
        server = Shaken([])
        with secured(reactor, server):

            def act():
                return getattr(server.transport, way)(*[b"more"] * (way == "write"))

            told = []
            server.transport.registerProducer(Push(told, stop=act), True)
            server.transport.write(b"hello")
            server.transport.abortConnection()
            until_lost(reactor, server)
            trace.append(told)
            trace.append(server.trace[-1])

    run(scenario)


@on_reactors
def test_a_pause_that_raises_at_the_iteration_s_end(run):
    # Small writes, so that it isn't within the write that is over the mark.
    def scenario(reactor, trace):
        server = Shaken([])

        def fail():
            raise ValueError("mine")

        with secured(reactor, server) as peer:
            server.transport.transport.bufferSize = 1000
            told = []
            server.transport.registerProducer(Push(told, pause=fail), True)
            reactor.callWhenRunning(
                lambda: trace.append(outcome(server.transport.write, b"x" * 5000))
            )
            run_turns(reactor, 5)
            trace.append(told[:1])
            server.transport.unregisterProducer()
            server.transport.abortConnection()
            run_until(reactor, lambda: peer.pump() and server.lost)

    assert run(scenario) == [None, ("logged", "ValueError", "mine"), ["pause"]]


@on_reactors
@pytest.mark.parametrize("streaming", [True, False])
def test_registered_twice_and_after_the_end(run, streaming):
    def scenario(reactor, trace):
        server = Shaken([])
        with secured(reactor, server) as peer:
            told = []
            server.transport.registerProducer(Push(told), streaming)
            trace.append(outcome(server.transport.registerProducer, Push(told), streaming)[0])
            server.transport.unregisterProducer()
            server.transport.unregisterProducer()
            server.transport.loseConnection()
            run_until(reactor, lambda: peer.pump() and server.lost)
            del told[:]
            server.transport.registerProducer(Push(told), streaming)
            trace.append(told)

    assert run(scenario) == ["RuntimeError", ["stop"]]


@on_reactors
def test_from_one_end_to_the_other(run):
    # What consumes pauses the producer at the other end, by way of both.
    def scenario(reactor, trace):
        server, client = Shaken([]), Shaken([])
        port = reactor.listenSSL(0, Handing(server), server_context(), interface="127.0.0.1")
        number = port.getHost().port
        reactor.connectSSL("127.0.0.1", number, Handing(client), client_context())
        run_until(reactor, lambda: server.shaken and client.shaken)
        told = []
        left = [HUGE[n : n + 50_000] for n in range(0, len(HUGE), 50_000)]
        paused = []

        def go_on():
            del paused[:]
            while left and not paused:
                server.transport.write(left.pop(0))

        server.transport.registerProducer(
            Push(told, pause=lambda: paused.append(1), resume=go_on), True
        )
        client.transport.pauseProducing()
        reactor.callWhenRunning(go_on)
        run_turns(reactor, 50)
        trace.append((bool(left), told[-1:]))
        client.transport.resumeProducing()
        run_until(reactor, lambda: len(client.data) == len(HUGE))
        trace.append(client.data == HUGE)
        server.transport.unregisterProducer()
        server.transport.loseConnection()
        until_lost(reactor, server, client)
        port.stopListening()
        run_turns(reactor)

    assert run(scenario) == [(True, ["pause"]), True]
