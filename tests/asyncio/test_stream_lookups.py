"""What asyncio's connections look up of a protocol and a loop, and when: methods that are
missing or changed, errors that end the loop, loops that are closed."""

import asyncio
import socket
import threading

import pytest

from helpers.scenarios import described, outcome, turns
from helpers.transports import (
    Buffered,
    Peer,
    Plain,
    connected,
    on_transports,
    ours_transports,
    run_until,
)

MADE = ("connection_made",)
LOST = ("connection_lost", None)


class Nothing:
    """No protocol at all."""


@on_transports
@pytest.mark.parametrize(("factory", "name"), [(lambda: None, "NoneType"), (Nothing, "Nothing")])
def test_a_protocol_without_connection_made(run, factory, name):
    """Who makes the connection is told."""

    def scenario(loop, trace):
        with socket.create_server(("127.0.0.1", 0)) as listening:
            made = loop.create_connection(factory, *listening.getsockname())
            trace.append(outcome(loop.run_until_complete, asyncio.wait_for(made, 10)))

    message = f"'{name}' object has no attribute 'connection_made'"
    assert run(scenario) == [("AttributeError", message)]


@on_transports
@pytest.mark.parametrize("error", [asyncio.CancelledError, GeneratorExit])
def test_connection_made_raises_what_is_no_exception(run, error):
    """It is reported, and the connection is there."""

    def scenario(loop, trace):
        def fail(_protocol):
            raise error("mine")

        protocol = Plain(trace, connection_made=fail)
        with connected(loop, protocol, "unix client") as sock:
            Peer(sock, protocol.transport).send(b"data")
            turns(loop, 2)

    trace = run(scenario)
    assert [event[0] for event in trace] == ["connection_made", "reported", "data"]
    assert ("exception", (error.__name__, "mine")) in trace[1][1]


@on_transports
def test_another_protocol_before_connection_made(run):
    """It is the first that is told of the connection, the second that gets the data."""

    def scenario(loop, trace):
        peer, sock = socket.socketpair()
        first, second = Plain(trace, "first"), Plain(trace, "second")
        with peer:
            sock.setblocking(False)
            transport = loop._make_socket_transport(sock, first)
            transport.set_protocol(second)
            turns(loop, 2)
            peer.send(b"data")
            turns(loop, 2)
            transport.abort()
            turns(loop, 2)

    assert run(scenario) == [
        *(("first", *MADE), ("second", "data", b"data"), ("second", *LOST)),
    ]


@on_transports
def test_connection_made_raises_and_so_does_the_exception_handler(run):
    """The loop ends; when it goes on, the connection reads."""

    def scenario(loop, trace):
        def fail(_protocol):
            raise ValueError("mine")

        def leave(loop, context):
            raise SystemExit(context["message"].split(" ")[0])

        peer, sock = socket.socketpair()
        protocol = Plain(trace, connection_made=fail)
        with peer:
            sock.setblocking(False)
            loop.set_exception_handler(leave)
            making = loop.create_task(loop.connect_accepted_socket(lambda: protocol, sock))
            try:
                loop.run_forever()
            except SystemExit as error:
                trace.append(described(error))
            peer.send(b"data")
            run_until(loop, lambda: protocol.data)
            trace.append(making.done() and making.result() == (protocol.transport, protocol))
            protocol.transport.abort()
            run_until(loop, lambda: protocol.lost)

    expected = [MADE, ("SystemExit", "Exception"), ("data", b"data"), True, LOST]
    assert run(scenario) == expected


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_resume_writing_ends_the_loop_while_closing(error):
    # Ours only: stock's connection never ends, and each turn reports a failed assertion.
    def scenario(loop, trace):
        def leave(_protocol):
            raise error("mine")

        protocol = Plain(trace, resume_writing=leave)
        with connected(loop, protocol, "unix server") as sock:
            transport = protocol.transport
            transport.set_write_buffer_limits(high=0)
            transport.write(bytes(1_000_000))
            transport.close()
            got = []

            def drain():
                while isinstance(data := outcome(sock.recv, 1_000_000), bytes) and data:
                    got.append(len(data))
                if data != b"":
                    loop.call_later(0.001, drain)

            loop.call_soon(drain)
            try:
                loop.run_forever()
            except error as raised:
                trace.append(described(raised))
            run_until(loop, lambda: protocol.lost and sum(got) == 1_000_000)

    trace = ours_transports(scenario)
    assert trace[:3] == [MADE, ("pause_writing",), ("resume_writing",)]
    assert sorted(trace[3:]) == sorted([(error.__name__, "mine"), LOST])


@on_transports
@pytest.mark.parametrize("kind", ["tcp server", "unix client"])
@pytest.mark.parametrize("size", [1_000, 100_000])
def test_each_get_buffer_has_its_buffer_updated(run, kind, size):
    """A protocol that counts them finds none that came to nothing."""

    def scenario(loop, trace):
        calls = []

        def get_buffer(protocol):
            calls.append("get")
            return memory

        memory = memoryview(bytearray(size))
        protocol = Buffered(
            [], get_buffer=get_buffer, buffer_updated=lambda protocol: calls.append("updated")
        )
        with connected(loop, protocol, kind) as sock:
            sock.setblocking(True)

            def send():
                for _ in range(20):
                    # As much as fits in, and less.
                    sock.sendall(b"x" * size)
                    sock.sendall(b"x" * (size // 2))

            thread = threading.Thread(target=send)
            thread.start()
            run_until(loop, lambda: len(protocol.data) == 30 * size)
            thread.join()
            turns(loop, 3)
        trace.append(calls == ["get", "updated"] * (len(calls) // 2))
        trace.append(len(calls) > 2)

    assert run(scenario) == [True, True]


@on_transports
@pytest.mark.filterwarnings("ignore:unclosed transport:ResourceWarning")
def test_a_connection_of_a_closed_loop(run):
    """What can't be sent or ended there is refused, and none of it says that it is closing."""

    def scenario(loop, trace):
        protocol = Plain([])
        with connected(loop, protocol, "unix server"):
            transport = protocol.transport
            loop.close()
            trace.append(outcome(transport.write, bytes(10_000_000)))
            trace.append(transport.is_closing())
            trace.append(transport.get_write_buffer_size())
            trace.append(outcome(transport.abort))

    closed = ("RuntimeError", "Event loop is closed")
    assert run(scenario) == [closed, False, 0, closed]


@on_transports
def test_no_connection_of_a_closed_loop(run):
    def scenario(loop, trace):
        peer, sock = socket.socketpair()
        with peer, sock:
            sock.setblocking(False)
            loop.close()
            trace.append(outcome(loop._make_socket_transport, sock, Plain(trace)))

    assert run(scenario) == [("RuntimeError", "Event loop is closed")]
