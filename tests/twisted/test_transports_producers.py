"""Producers that are registered with a connection: when they are paused and resumed."""

import pytest

from helpers.loops import on_reactors
from helpers.scenarios import outcome, run_turns
from helpers.streams import (
    Traced,
    connected,
    ending,
    fail,
    on_some_ends,
    received,
    run_until,
    until_lost,
)

BLOCK = b"x" * 100_000


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

    def __repr__(self):
        return "<producer>"


class Pull(Push):
    """Writes one of so many blocks each time, then unregisters."""

    def __init__(self, trace, transport, blocks):
        super().__init__(trace)
        self.transport = transport
        self.blocks = blocks

    def resumeProducing(self):
        super().resumeProducing()
        if self.blocks:
            self.transport.write(self.blocks.pop(0))
        else:
            self.transport.unregisterProducer()


@on_reactors
@on_some_ends
def test_a_push_producer_is_paused_and_resumed(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            transport = protocol.transport
            transport.registerProducer(Push(trace), True)
            transport.write(b"little")
            run_turns(reactor)
            trace.append("much")
            transport.write(BLOCK)
            trace.append(transport.producerPaused)
            count = len(received(reactor, peer, 100_006))
            run_until(reactor, lambda: not transport.producerPaused)
            trace.append(count)
            transport.unregisterProducer()
            transport.write(BLOCK)
            trace.append(len(received(reactor, peer, 100_000)))

    expected = ["made", "much", "pause", True, "resume", 100_006, 100_000]
    assert run(scenario) == expected


@on_reactors
@on_some_ends
def test_each_write_to_a_full_buffer_pauses(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end):
            protocol.transport.registerProducer(Push(trace), True)
            protocol.transport.write(b"x" * 65536)
            trace.append("at the limit")
            protocol.transport.write(b"x")
            protocol.transport.producer = None

    assert run(scenario) == ["made", "at the limit", "pause"]


@on_reactors
@on_some_ends
def test_a_pull_producer_is_asked_again_and_again(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            transport = protocol.transport
            pull = Pull(trace, transport, [b"one", BLOCK, b"three"])
            transport.registerProducer(pull, False)
            trace.append("registered")
            data = received(reactor, peer, 100_008)
            run_until(reactor, lambda: transport.producer is None)
            trace.append(data == b"one" + BLOCK + b"three")

    assert run(scenario) == ["made", "resume", "registered", *["resume"] * 3, True]


@on_reactors
def test_a_pull_producer_that_writes_sequences_of_nothing_is_asked_again(run):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol):
            transport = protocol.transport

            class Idle(Pull):
                def resumeProducing(self):
                    Push.resumeProducing(self)
                    if self.blocks:
                        self.transport.writeSequence(self.blocks.pop(0))

            transport.registerProducer(Idle(trace, transport, [[b""], [b"", b""]]), False)
            run_until(reactor, lambda: trace.count("resume") == 3)

    assert run(scenario) == ["made", *["resume"] * 3]


@on_reactors
def test_a_pull_producer_that_writes_nothing_is_not_asked_again(run):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol):
            pull = Pull(trace, protocol.transport, [b"", b"", b""])
            protocol.transport.registerProducer(pull, False)
            run_turns(reactor, 10)

    assert run(scenario) == ["made", "resume"]


@on_reactors
@on_some_ends
@pytest.mark.parametrize("streaming", [True, False])
def test_a_second_producer_is_refused(run, end, streaming):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end):
            producer = Push(trace)
            protocol.transport.registerProducer(producer, streaming)
            trace.append(outcome(protocol.transport.registerProducer, producer, streaming))
            trace.append(protocol.transport.producer is producer)
            protocol.transport.unregisterProducer()
            trace.append(outcome(protocol.transport.registerProducer, producer, streaming))

    resumed = [] if streaming else ["resume"]
    message = (
        "Cannot register producer <producer>, because producer <producer> was never unregistered."
    )
    refused = ("RuntimeError", message)
    assert run(scenario) == ["made", *resumed, refused, True, *resumed, None]


@on_reactors
@on_some_ends
def test_the_end_stops_the_producer(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            protocol.transport.registerProducer(Push(trace), True)
            peer.close()
            until_lost(reactor, protocol)
            trace.append(protocol.transport.producer)
            trace.append(outcome(protocol.transport.registerProducer, Push(trace), True))
            trace.append(outcome(protocol.transport.unregisterProducer))

    expected = ["made", "stop", ("lost", "ConnectionDone"), None, "stop", None, None]
    assert run(scenario) == expected


@on_reactors
@on_some_ends
def test_losing_does_not_wait_for_a_push_producer(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            transport = protocol.transport
            transport.registerProducer(Push(trace), True)
            transport.write(b"some ")
            transport.loseConnection()
            run_turns(reactor, 5)
            trace.append((protocol.lost, transport.disconnecting))
            transport.write(b"more")
            transport.unregisterProducer()
            data = ending(reactor, peer)
            until_lost(reactor, protocol)
            trace.append(data)

    # One that isn't paused is not waited for.
    done = ("lost", "ConnectionDone")
    assert run(scenario) == ["made", "stop", done, (True, 1), (b"some ", "closed")]


@on_reactors
@on_some_ends
def test_losing_waits_for_a_pull_producer(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            transport = protocol.transport
            transport.registerProducer(Pull(trace, transport, [b"one ", b"two ", BLOCK]), False)
            transport.loseConnection()
            data, how = ending(reactor, peer)
            until_lost(reactor, protocol)
            trace.append((data == b"one two " + BLOCK, how))

    done = ("lost", "ConnectionDone")
    assert run(scenario) == ["made", *["resume"] * 4, done, (True, "closed")]


@on_reactors
@on_some_ends
def test_registering_while_disconnecting(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            transport = protocol.transport
            transport.loseConnection()
            transport.registerProducer(Pull(trace, transport, [b"one ", b"two"]), False)
            data = ending(reactor, peer)
            until_lost(reactor, protocol)
            trace.append(data)

    done = ("lost", "ConnectionDone")
    assert run(scenario) == ["made", *["resume"] * 3, done, (b"one two", "closed")]


@on_reactors
@on_some_ends
def test_stopconsuming_ends_the_connection(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            protocol.transport.registerProducer(Push(trace), True)
            protocol.transport.write(b"last")
            protocol.transport.stopConsuming()
            data = ending(reactor, peer)
            until_lost(reactor, protocol)
            trace.append(data)

    assert run(scenario) == ["made", ("lost", "ConnectionDone"), (b"last", "closed")]


@on_reactors
@on_some_ends
def test_a_producer_that_raises_when_paused(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            transport = protocol.transport
            transport.registerProducer(Push(trace, pause=fail), True)
            trace.append(outcome(transport.write, BLOCK))
            trace.append(transport.producerPaused)
            transport.unregisterProducer()
            transport.write(b"more")
            trace.append(len(received(reactor, peer, 100_004)))

    refused = ("ValueError", "mine")
    assert run(scenario) == ["made", "pause", refused, True, 100_004]


@on_reactors
@on_some_ends
def test_a_producer_that_raises_when_resumed(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            protocol.transport.registerProducer(Push(trace, resume=fail), True)
            protocol.transport.write(BLOCK)
            data, how = ending(reactor, peer)
            until_lost(reactor, protocol)
            trace.append((len(data), how))

    logged, lost = ("logged", "ValueError", "mine"), ("lost", "ValueError")
    expected = ["made", "pause", "resume", logged, "stop", lost, (100_000, "closed")]
    assert run(scenario) == expected


@on_reactors
@on_some_ends
def test_a_producer_that_raises_when_stopped(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            transport = protocol.transport
            transport.registerProducer(Push(trace, stop=fail), True)
            peer.close()
            run_until(reactor, lambda: ("logged", "ValueError", "mine") in trace)
            trace.append((protocol.lost, transport.connected, transport.disconnected))
            trace.append(transport in reactor.getReaders() + reactor.getWriters())
            transport.producer = None
            transport.loseConnection()
            run_turns(reactor)

    result = run(scenario)
    assert result == ["made", "stop", ("logged", "ValueError", "mine"), (False, 0, 1), False]


@on_reactors
@on_some_ends
def test_a_producer_that_writes_when_paused(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            transport = protocol.transport

            def write_once():
                if trace.count("pause") == 1:
                    transport.write(b"paused")

            transport.registerProducer(Push(trace, pause=write_once), True)
            transport.write(BLOCK)
            data = received(reactor, peer, 100_006)
            run_until(reactor, lambda: "resume" in trace)
            trace.append(data == BLOCK + b"paused")

    assert run(scenario) == ["made", "pause", "pause", "resume", True]


@on_reactors
@on_some_ends
def test_a_producer_that_writes_when_resumed(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            transport = protocol.transport

            def go_on():
                if trace.count("resume") < 4:
                    transport.write(BLOCK)
                else:
                    transport.unregisterProducer()
                    transport.loseConnection()

            transport.registerProducer(Push(trace, resume=go_on), True)
            transport.write(BLOCK)
            data = ending(reactor, peer)
            until_lost(reactor, protocol)
            trace.append(data == (BLOCK * 4, "closed"))

    done = ("lost", "ConnectionDone")
    assert run(scenario) == ["made", *["pause", "resume"] * 4, done, True]


@on_reactors
@on_some_ends
def test_a_slow_reader_holds_the_producer_back(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end, peer_buffer=4096) as peer:
            transport = protocol.transport
            state = {"paused": False, "written": 0, "most": 0}

            def produce():
                while not state["paused"] and state["written"] < 8_000_000:
                    state["written"] += 50_000
                    transport.write(b"x" * 50_000)
                    state["most"] = max(state["most"], len(transport.dataBuffer))
                if state["written"] >= 8_000_000:
                    transport.unregisterProducer()
                    transport.loseConnection()

            producer = Push([], pause=lambda: state.update(paused=True))
            producer.hooks["resume"] = lambda: (state.update(paused=False), produce())
            transport.registerProducer(producer, True)
            produce()
            run_turns(reactor, 10)
            trace.append(state["paused"])
            trace.append(state["written"] < 8_000_000)
            data, how = ending(reactor, peer)
            until_lost(reactor, protocol)
            trace.append((len(data), how, state["most"] < 200_000))

    expected = ["made", True, True, ("lost", "ConnectionDone"), (8_000_000, "closed", True)]
    assert run(scenario) == expected
