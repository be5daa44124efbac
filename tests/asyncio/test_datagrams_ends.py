"""Datagram endpoints on ours and on stock: errors, and how they end."""

import asyncio
import gc
import random
import socket
import sys
import warnings
import weakref

import pytest

import tornado4
from helpers.endpoints import HOST, Traced, endpoint, nobodys_address, send
from helpers.reported import plain, reported
from helpers.scenarios import turns
from helpers.transports import run_until

both = pytest.mark.parametrize(
    "make", [asyncio.SelectorEventLoop, tornado4.new_event_loop], ids=["stock", "tornado4"]
)
is_native = pytest.mark.parametrize("make", [tornado4.new_event_loop], ids=["tornado4"])


@pytest.fixture
def loop(make):
    loop = make()
    yield loop
    loop.close()


@both
def test_an_error_is_received_as_from_an_except_clause(loop):
    class Handling(Traced):
        def error_received(self, exc):
            self.trace.append((type(exc), sys.exc_info()[1] is exc))
            raise ValueError("of the protocol")

    contexts = []
    loop.set_exception_handler(lambda loop, context: contexts.append(context))
    transport, protocol = endpoint(loop, Handling, remote_addr=nobodys_address())
    transport.sendto(b"to nobody")
    run_until(loop, lambda: contexts)
    transport.sendto(b"to nobody")
    with pytest.raises(ValueError, match="of the protocol") as caught:
        transport.sendto(b"to nobody")
    assert protocol.trace == 2 * [(ConnectionRefusedError, True)]
    assert isinstance(caught.value.__context__, ConnectionRefusedError)
    assert isinstance(contexts[0]["exception"].__context__, ConnectionRefusedError)
    assert reported(contexts[0]) == (
        "reported",
        {
            "message": "Exception in callback _SelectorDatagramTransport._read_ready()",
            "exception": ("ValueError", "of the protocol"),
            "handle": "<Handle _SelectorDatagramTransport._read_ready()>",
        },
        False,
    )
    transport.abort()
    turns(loop, 3)


@both
def test_a_socket_that_is_closed_behind_its_back_is_an_error(loop):
    """The descriptor's next owner gets nothing of it."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.bind((HOST, 0))
    transport, protocol = endpoint(loop, sock=sock)
    number = sock.fileno()
    sock.close()
    mine, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with mine, other:
        assert number in (mine.fileno(), other.fileno())
        transport.sendto(b"x", (HOST, 9))
        transport._read_ready()
        for end in (mine, other):
            end.setblocking(False)
            with pytest.raises(BlockingIOError):
                end.recv(10)
    assert [(type(error), error.errno) for error in protocol.trace] == 2 * [(OSError, 9)]
    transport.abort()
    turns(loop, 3)


@both
def test_an_unclosed_one_warns_and_closes_its_socket(loop):
    transport, _ = endpoint(loop)
    sock = transport._sock
    gc.collect()  # what other tests have left
    # As if the loop had gone with it.
    loop._remove_reader(transport._sock_fd)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        shown = plain(repr(transport))
        del transport, _
        gc.collect()
    texts = [plain(str(warning.message)) for warning in caught]
    assert texts == [f"unclosed transport {shown}"]
    assert caught[0].category is ResourceWarning
    assert sock.fileno() == -1


@both
def test_a_closed_one_goes_with_its_protocol(loop):
    transport, protocol = endpoint(loop)
    protocol.itself = transport
    gone = weakref.ref(transport), weakref.ref(protocol)
    transport.close()
    turns(loop, 3)
    assert protocol.lost
    del transport, protocol
    gc.collect()
    assert [ref() for ref in gone] == [None, None]


@both
def test_a_protocol_that_ends_the_loop_ends_it(loop):
    class Ending(Traced):
        def datagram_received(self, data, addr):
            raise SystemExit(7)

    transport, _ = endpoint(loop, Ending)
    send(transport, b"1")
    with pytest.raises(SystemExit):
        loop.run_forever()
    transport.abort()
    turns(loop, 3)


@is_native
def test_endpoints_that_come_and_go_leave_nothing(loop):
    def once():
        transport, protocol = endpoint(loop)
        transport.sendto(b"x", transport.get_extra_info("sockname"))
        run_until(loop, lambda: protocol.trace)
        transport.close()
        turns(loop, 3)

    once()
    gc.collect()
    before = sum(isinstance(one, tornado4._core.DatagramEndpoint) for one in gc.get_objects())
    for _ in range(50):
        once()
    gc.collect()
    after = sum(isinstance(one, tornado4._core.DatagramEndpoint) for one in gc.get_objects())
    assert after == before == 0


@both
def test_an_error_is_in_no_cycle(loop):
    transport, protocol = endpoint(loop, remote_addr=nobodys_address())
    transport.sendto(b"to nobody")
    run_until(loop, lambda: protocol.trace)
    transport.sendto(b"to nobody")
    transport.sendto(b"to nobody")
    assert [error.__traceback__ is not None for error in protocol.trace] == [True, True]
    gc.collect()
    gc.disable()
    try:
        protocol.trace.clear()
        left = [one for one in gc.get_objects() if isinstance(one, ConnectionRefusedError)]
    finally:
        gc.enable()
    assert left == []
    transport.abort()
    turns(loop, 3)


@both
def test_a_recycled_descriptor_gets_only_its_own_datagrams(loop):
    """Endpoints that close while more is there for them; others get their numbers."""
    chance = random.Random(11)
    wrong, count, numbers = [], 0, set()

    class Closing(Traced):
        def datagram_received(self, data, addr):
            nonlocal count
            count += 1
            if data != self.expected:
                wrong.append((data, self.expected))
            if chance.random() < 0.5:
                chance.choice([self.transport.close, self.transport.abort])()

    async def many():
        peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with peer:
            alive = []
            for index in range(600):
                transport, protocol = await loop.create_datagram_endpoint(
                    Closing, local_addr=(HOST, 0)
                )
                numbers.add(transport._sock_fd)
                protocol.expected = b"%d" % index
                alive.append(protocol)
                alive = [one for one in alive if not one.transport.is_closing()]
                for one in chance.choices(alive, k=10) if alive else ():
                    address = one.transport.get_extra_info("sockname")
                    peer.sendto(one.expected, address)
            for one in alive:
                one.transport.abort()
            await asyncio.sleep(0)

    loop.run_until_complete(many())
    turns(loop, 3)
    assert wrong == []
    assert count > 1000
    # It was about numbers that are used again.
    assert len(numbers) < 300
