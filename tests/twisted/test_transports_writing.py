"""What is written to a connection arrives, whoever writes it and when."""

import threading

import pytest

from helpers.loops import on_reactors, ours_reactor
from helpers.scenarios import outcome, run_reactor, run_turns
from helpers.streams import Traced, connected, ending, on_ends, on_some_ends, received, run_until

LARGE = bytes(range(256)) * 4096 * 4


@on_reactors
@on_ends
def test_what_is_written_arrives_in_order(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            protocol.transport.write(b"one")
            protocol.transport.writeSequence([b"two", b"", b"three"])
            protocol.transport.write(b"")
            protocol.transport.write(b"four")
            trace.append(received(reactor, peer, 15))

    assert run(scenario) == ["made", b"onetwothreefour"]


@on_reactors
@on_some_ends
def test_what_is_large_arrives_whole(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            protocol.transport.write(LARGE)
            protocol.transport.writeSequence([LARGE[:1000]] * 1000)
            protocol.transport.write(LARGE)
            expected = LARGE + LARGE[:1000] * 1000 + LARGE
            trace.append(received(reactor, peer, len(expected)) == expected)

    assert run(scenario) == ["made", True]


@on_reactors
@on_some_ends
@pytest.mark.parametrize(
    "data", ["text", None, 3, bytearray(b"x"), memoryview(b"x"), [b"x"]], ids=type
)
def test_only_bytes_may_be_written(run, end, data):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            transport = protocol.transport
            trace.append(outcome(transport.write, data))
            trace.append(outcome(transport.writeSequence, [b"lost", data]))
            transport.loseConnection()
            trace.append(outcome(transport.write, data))
            trace.append(ending(reactor, peer))
            trace.append(outcome(transport.write, data))
            trace.append(outcome(transport.writeSequence, [data]))

    refused = ("TypeError", "Data must be bytes")
    loss = ("lost", "ConnectionDone")
    expected = ["made", refused, refused, refused, loss, (b"", "closed"), refused, refused]
    result = run(scenario)
    assert sorted(result, key=repr) == sorted(expected, key=repr)


@on_reactors
@pytest.mark.parametrize("data", ["text", b"bytes", None, 3], ids=repr)
def test_a_sequence_of_something_else_is_refused(run, data):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol):
            trace.append(outcome(protocol.transport.writeSequence, data))

    assert run(scenario)[1][0] == "TypeError"


@on_reactors
@pytest.mark.parametrize("empty", [[], (), [b""], [b"", b""]], ids=repr)
def test_an_empty_sequence_writes_nothing(run, empty):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol) as peer:
            protocol.transport.writeSequence(empty)
            run_turns(reactor)
            protocol.transport.write(b"next")
            trace.append(received(reactor, peer, 4))

    assert run(scenario) == ["made", b"next"]


def test_a_generator_is_written_too():
    # Twisted's own transports look at its pieces once too often and write nothing.
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol) as peer:
            protocol.transport.writeSequence(b"%d" % number for number in range(10))
            trace.append(received(reactor, peer, 10))

    assert ours_reactor(scenario)[1] == b"0123456789"


def test_a_generator_may_write_itself():
    def scenario(reactor, trace):
        def pieces(transport):
            transport.write(b"0")
            yield b"1"
            transport.write(b"0")
            yield b"1"

        protocol = Traced(trace)
        with connected(reactor, protocol) as peer:
            protocol.transport.writeSequence(pieces(protocol.transport))
            trace.append(received(reactor, peer, 4))

    assert ours_reactor(scenario)[1] == b"0011"


@on_reactors
@on_some_ends
def test_what_is_written_after_the_end_is_dropped(run, end):
    def scenario(reactor, trace):
        def write(protocol):
            trace.append(protocol.transport.write(b"late"))
            trace.append(protocol.transport.writeSequence([b"late"]))

        protocol = Traced(trace, lost=write)
        with connected(reactor, protocol, end) as peer:
            protocol.transport.loseConnection()
            run_until(reactor, lambda: protocol.lost)
            write(protocol)
            trace.append(ending(reactor, peer))
            run_turns(reactor)

    nothing = [None, None]
    assert run(scenario) == [
        "made",
        ("lost", "ConnectionDone"),
        *nothing,
        *nothing,
        (b"", "closed"),
    ]


@on_reactors
@on_some_ends
def test_what_is_written_after_loseconnection_is_sent(run, end):
    # Twisted's own transports send it as long as the connection is there.
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            protocol.transport.write(b"before ")
            protocol.transport.loseConnection()
            protocol.transport.write(b"after")
            data = ending(reactor, peer)
            run_until(reactor, lambda: protocol.lost)
            trace.append(data)

    assert run(scenario) == ["made", ("lost", "ConnectionDone"), (b"before after", "closed")]


@on_reactors
@on_ends
def test_what_is_written_as_the_connection_is_made_arrives(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace, made=lambda self: self.transport.write(b"hello"))
        with connected(reactor, protocol, end) as peer:
            trace.append(received(reactor, peer, 5))

    assert run(scenario) == ["made", b"hello"]


@on_reactors
@on_some_ends
@pytest.mark.parametrize("how", ["before run", "startup", "soon", "later", "thread"])
def test_from_wherever_it_is_written_it_arrives(run, end, how):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            write = protocol.transport.write
            if how == "before run":
                write(b"hello")
            elif how == "startup":
                reactor.callWhenRunning(write, b"hello")
            elif how == "soon":
                reactor.callLater(0, write, b"hello")
            elif how == "later":
                reactor.callLater(0.01, write, b"hello")
            else:
                other = threading.Thread(target=reactor.callFromThread, args=(write, b"hello"))
                other.start()
                other.join()
            trace.append(received(reactor, peer, 5))

    assert run(scenario) == ["made", b"hello"]


@on_reactors
@on_some_ends
def test_what_is_written_as_the_reactor_shuts_down_is_lost(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            reactor.addSystemEventTrigger("before", "shutdown", protocol.transport.write, b"bye")
            reactor.callWhenRunning(reactor.stop)
            run_reactor(reactor)
            peer.setblocking(True)
            trace.append(peer.recv(10))

    assert run(scenario) == ["made", ("lost", "ConnectionLost"), b""]


@on_reactors
@on_some_ends
def test_nested_turns_send_what_was_written_before_them(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:

            def ask():
                protocol.transport.write(b"question")
                for _ in range(1000):
                    reactor.iterate(0.01)
                    try:
                        trace.append(peer.recv(100))
                        break
                    except BlockingIOError:
                        pass
                reactor.crash()

            reactor.callLater(0, ask)
            run_reactor(reactor)

    assert run(scenario)[1:2] == [b"question"]


@on_reactors
@on_some_ends
def test_turns_by_hand_send(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            protocol.transport.write(b"by hand")
            for _ in range(5):
                reactor.iterate(0)
            trace.append(peer.recv(100))

    assert run(scenario)[1] == b"by hand"


@on_reactors
@pytest.mark.parametrize("value", [b"set", bytearray(b"set"), memoryview(b"set")], ids=type)
def test_a_data_buffer_of_somebody_elses_is_sent_once(run, value):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol) as peer:
            transport = protocol.transport

            def set_it():
                transport.dataBuffer = value
                transport.startWriting()

            reactor.callLater(0, set_it)
            trace.append(received(reactor, peer, 3))
            run_turns(reactor)
            trace.append(transport.dataBuffer)
            reactor.callLater(0, transport.write, b"more")
            trace.append(received(reactor, peer, 4))

    assert run(scenario) == ["made", b"set", b"", b"more"]
