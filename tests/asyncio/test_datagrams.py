"""Datagram endpoints on ours and on stock, case by case."""

import asyncio
import contextlib
import contextvars
import random
import socket
import sys
import threading

import pytest

import tornado4
from helpers.endpoints import HOST, Traced, endpoint, send
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
def test_it_is_what_asyncio_promises(loop):
    transport, _ = endpoint(loop)
    stock = asyncio.selector_events._SelectorDatagramTransport
    assert isinstance(transport, stock)
    assert isinstance(transport, asyncio.Transport)
    assert type(transport).__name__ == "_SelectorDatagramTransport"
    assert loop._transports[transport._sock_fd] is transport
    with pytest.raises(RuntimeError, match="is used by transport"):
        loop.add_reader(transport._sock_fd, print)
    transport.close()
    turns(loop, 3)


@is_native
def test_it_is_a_datagram_transport_on_every_python(loop):
    transport, _ = endpoint(loop)
    assert isinstance(transport, asyncio.DatagramTransport)
    assert isinstance(transport, tornado4._core.DatagramEndpoint)
    transport.close()
    turns(loop, 3)


@both
def test_what_a_datagram_has_scheduled_comes_before_the_next_one(loop):
    class Scheduling(Traced):
        def datagram_received(self, data, addr):
            self.trace.append(data)
            loop.call_soon(self.trace.append, b"soon " + data)

    transport, protocol = endpoint(loop, Scheduling)
    send(transport, b"1", b"2", b"3")
    run_until(loop, lambda: len(protocol.trace) == 6)
    assert protocol.trace == [b"1", b"soon 1", b"2", b"soon 2", b"3", b"soon 3"]
    transport.close()
    turns(loop, 3)


can_pause = pytest.mark.skipif(
    sys.version_info < (3, 11), reason="asyncio's datagram transports can't pause there"
)


@both
@pytest.mark.parametrize(
    "method", [pytest.param("pause_reading", marks=can_pause), "close", "abort", "stop"]
)
def test_no_datagram_comes_after_that(loop, method):
    class Ending(Traced):
        def datagram_received(self, data, addr):
            self.trace.append(data)
            getattr(loop if method == "stop" else self.transport, method)()

    transport, protocol = endpoint(loop, Ending)
    send(transport, b"1", b"2", b"3")
    loop.call_later(5, loop.stop)
    if method != "stop":
        loop.call_later(0.05, loop.stop)
    loop.run_forever()
    assert [entry for entry in protocol.trace if isinstance(entry, bytes)] == [b"1"]
    transport.abort()
    turns(loop, 3)


@both
def test_a_busy_endpoint_leaves_the_others_their_turn(loop):
    """It sends to itself, for ever; the other one and a timer come all the same."""

    class Busy(Traced):
        def datagram_received(self, data, addr):
            self.transport.sendto(data, self.transport.get_extra_info("sockname"))

    busy, _ = endpoint(loop, Busy)
    other, protocol = endpoint(loop)
    timer = loop.create_future()
    for _ in range(50):
        busy.sendto(b"again", busy.get_extra_info("sockname"))
    loop.call_later(0.01, timer.set_result, "due")
    send(other, b"for the other one")
    assert loop.run_until_complete(asyncio.wait_for(timer, 60)) == "due"
    run_until(loop, lambda: protocol.trace)
    assert protocol.trace == [b"for the other one"]
    busy.abort()
    other.abort()
    turns(loop, 3)


@both
def test_a_call_from_another_thread_comes_between_datagrams(loop):
    class Busy(Traced):
        def datagram_received(self, data, addr):
            self.transport.sendto(data, self.transport.get_extra_info("sockname"))

    transport, _ = endpoint(loop, Busy)
    for _ in range(10):
        transport.sendto(b"again", transport.get_extra_info("sockname"))
    called = threading.Event()
    done = loop.create_future()
    thread = threading.Thread(
        target=lambda: loop.call_soon_threadsafe(lambda: (called.set(), done.set_result(1)))
    )
    loop.call_soon(thread.start)
    loop.run_until_complete(asyncio.wait_for(done, 60))
    assert called.is_set()
    thread.join()
    transport.abort()
    turns(loop, 3)


@both
def test_callbacks_run_in_the_context_in_which_reading_began(loop):
    variable = contextvars.ContextVar("variable", default="none")

    class InContext(Traced):
        def datagram_received(self, data, addr):
            self.trace.append((data, variable.get()))
            variable.set("of a datagram")

    async def make():
        variable.set("of the maker")
        made = await loop.create_datagram_endpoint(InContext, local_addr=(HOST, 0))
        variable.set("later")
        return made

    transport, protocol = loop.run_until_complete(make())
    send(transport, b"1", b"2", b"3")
    run_until(loop, lambda: len(protocol.trace) == 3)
    assert protocol.trace == [
        (b"1", "of the maker"),
        (b"2", "of a datagram"),
        (b"3", "of a datagram"),
    ]
    transport.close()
    turns(loop, 3)


@both
def test_a_socket_of_a_class_of_its_own_is_asked(loop):
    class Changing(socket.socket):
        def recvfrom(self, size):
            data, addr = super().recvfrom(size)
            return b"changed " + data, addr

        def sendto(self, data, addr):
            return super().sendto(b"sent " + data, addr)

    sock = Changing(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.bind((HOST, 0))
    transport, protocol = endpoint(loop, sock=sock)
    transport.sendto(b"x", sock.getsockname())
    run_until(loop, lambda: protocol.trace)
    assert protocol.trace == [b"changed sent x"]
    transport.close()
    turns(loop, 3)


@both
def test_methods_may_be_replaced_on_an_endpoint(loop):
    transport, protocol = endpoint(loop)
    sent = []
    transport.sendto = lambda *args: sent.append(args)
    transport.sendto(b"x", (HOST, 9))
    del transport.sendto
    protocol.datagram_received = lambda data, addr: protocol.trace.append(b"replaced " + data)
    transport.sendto(b"y", transport.get_extra_info("sockname"))
    run_until(loop, lambda: protocol.trace)
    assert (sent, protocol.trace) == ([(b"x", (HOST, 9))], [b"replaced y"])
    transport.close()
    turns(loop, 3)


@both
def test_another_protocol_gets_the_next_datagram(loop):
    class Handing(Traced):
        def datagram_received(self, data, addr):
            super().datagram_received(data, addr)
            self.transport.set_protocol(other)

    other = Traced()
    transport, protocol = endpoint(loop, Handing)
    send(transport, b"1", b"2", b"3")
    run_until(loop, lambda: len(other.trace) == 2)
    assert (protocol.trace, other.trace) == ([b"1"], [b"2", b"3"])
    assert transport.get_protocol() is other
    transport.close()
    turns(loop, 3)
    assert other.trace == [b"2", b"3", ("lost", None)]


@both
@pytest.mark.parametrize(
    ("bound", "sender", "shown"),
    [
        ("::", "::1", ("::1", "PORT", 0, 0)),
        ("::", HOST, ("::ffff:127.0.0.1", "PORT", 0, 0)),
        ("::ffff:127.0.0.1", HOST, ("::ffff:127.0.0.1", "PORT", 0, 0)),
    ],
)
def test_addresses_of_ipv6(loop, bound, sender, shown):
    class Answering(Traced):
        def datagram_received(self, data, addr):
            self.trace.append(addr)
            self.transport.sendto(data, tuple(addr))

    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.setblocking(False)
    sock.bind((bound, 0))
    transport, protocol = endpoint(loop, Answering, sock=sock)
    port = sock.getsockname()[1]
    family = socket.AF_INET6 if ":" in sender else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as peer:
        peer.settimeout(20)
        peer.sendto(b"x", (sender, port))
        run_until(loop, lambda: protocol.trace)
        assert peer.recv(10) == b"x"
        number = peer.getsockname()[1]
    assert protocol.trace == [tuple(number if part == "PORT" else part for part in shown)]
    transport.close()
    turns(loop, 3)


@both
def test_a_scope_is_a_number_in_the_address(loop):
    """Link-local addresses, if there are any here."""
    with open("/proc/net/if_inet6") as interfaces:
        found = [line.split() for line in interfaces if line.startswith("fe80")]
    if not found:
        pytest.skip("no interface has a link-local address")
    packed, index, *_ = found[0]
    host = socket.inet_ntop(socket.AF_INET6, bytes.fromhex(packed))
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.bind((host, 0, 0, int(index, 16)))
    transport, protocol = endpoint(
        loop,
        type("Addressed", (Traced,), {"datagram_received": lambda s, d, a: s.trace.append(a)}),
        sock=sock,
    )
    transport.sendto(b"x", sock.getsockname())
    run_until(loop, lambda: protocol.trace)
    assert protocol.trace == [sock.getsockname()]
    transport.close()
    turns(loop, 3)


@both
def test_what_is_held_back_goes_out_as_it_was(loop, tmp_path):
    """The receiver's queue is full: what is mutable is copied, and comes in order."""
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    with receiver:
        receiver.bind(str(tmp_path / "receiver"))
        receiver.setblocking(False)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.connect(str(tmp_path / "receiver"))
        transport, protocol = endpoint(loop, sock=sock)
        numbers = 0
        while transport.get_write_buffer_size() < 10 * 1000:
            data = bytearray(b"%d " % numbers).ljust(1000, b"x")
            transport.sendto(data)
            data[:] = b"?" * 1000
            numbers += 1
        transport.close()
        transport.sendto(b"after close")
        got = []

        def read():
            try:
                got.append(receiver.recv(2000))
            except BlockingIOError:
                return False
            return True

        run_until(loop, lambda: not read() and protocol.lost)
        expected = [(b"%d " % number).ljust(1000, b"x") for number in range(numbers)]
        assert got[:-1] == expected
        assert got[-1] == b"after close"


@both
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_each_of_many_senders_is_known_by_its_address(loop, family):
    """More than are remembered, in random order: everyone gets his own answers."""
    chance = random.Random(5)
    host = HOST if family == socket.AF_INET else "::1"

    class Answering(Traced):
        def datagram_received(self, data, addr):
            self.trace.append((data, addr))
            self.transport.sendto(data, addr)

    transport, protocol = endpoint(loop, Answering, local_addr=(host, 0))
    with contextlib.ExitStack() as stack:
        peers = []
        for index in range(150):
            peer = stack.enter_context(socket.socket(family, socket.SOCK_DGRAM))
            peer.settimeout(20)
            # Some have a port in common, where each has an address of its own.
            source = f"127.0.0.{1 + index % 50}" if family == socket.AF_INET else host
            port = peers[index - 1].getsockname()[1] if index % 3 and source != host else 0
            peer.bind((source, port))
            peer.connect(transport.get_extra_info("sockname"))
            peers.append(peer)
        sent = []
        for number in range(20):
            chosen = chance.choices(peers, k=30)
            for index, peer in enumerate(chosen):
                data = b"%d %d" % (number, index)
                peer.send(data)
                sent.append((data, peer.getsockname()))
            run_until(loop, lambda: len(protocol.trace) == len(sent))
            for index, peer in enumerate(chosen):
                assert peer.recv(100) == b"%d %d" % (number, index)
    assert protocol.trace == sent
    transport.close()
    turns(loop, 3)
