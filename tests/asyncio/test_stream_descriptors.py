"""Descriptors of asyncio's connections: what comes along with bytes, whose a number is, and
who else has the socket."""

import array
import os
import socket

import pytest

from helpers.scenarios import outcome, turns
from helpers.transports import (
    Buffered,
    Peer,
    Plain,
    connected,
    events,
    on_transports,
    ours_transports,
    run_turns,
    run_until,
)

MADE = ("connection_made",)
LOST = ("connection_lost", None)


def accepted(loop, protocol, sock):
    """The transport of a socket that its caller keeps."""
    sock.setblocking(False)
    return loop.run_until_complete(loop.connect_accepted_socket(lambda: protocol, sock))[0]


ORDERS = {
    "first": ["with", "without"],
    "second": ["without", "with", "without"],
    "each": ["with", "with", "with"],
    "last": ["without", "without", "with"],
}


@on_transports
@pytest.mark.parametrize("kind", ["unix server", "unix client"])
@pytest.mark.parametrize("made", [Plain, Buffered])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("ends", [False, True])
def test_bytes_beside_descriptors(run, kind, made, order, ends):
    """The kernel ends a read behind descriptors: the rest is there all the same."""

    def scenario(loop, trace):
        protocol = made(trace)
        with connected(loop, protocol, kind) as sock:
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [sock.fileno()]))
            for number, along in enumerate(ORDERS[order]):
                sock.sendmsg([b"%d" % number], [rights] if along == "with" else [])
            if ends:
                sock.shutdown(socket.SHUT_WR)
                run_until(loop, lambda: protocol.lost)
            else:
                run_turns(loop, trace, 4)

    trace = [event for event in run(scenario) if event != "turn"]
    assert b"".join(data for (data,) in events(trace, "data")) == b"012"[: len(ORDERS[order])]
    ended = [("eof_received",), LOST] if ends else []
    assert [event for event in trace if event[0] != "data"] == [MADE, *ended]


def pair_at(number):
    """Two sockets, of which the first has a certain number that is free."""
    pair = sorted(socket.socketpair(), key=lambda end: end.fileno() != number)
    if pair[0].fileno() != number:
        # There are lower ones that are free.
        with pair[0] as first:
            pair[0] = socket.socket(fileno=os.dup2(first.fileno(), number))
    return pair


def taken_over(sock, peer, how):
    """Another socket of the number that `sock` has given up, and its peer."""
    number = sock.fileno()
    if how == "detach":
        return socket.socket(fileno=sock.detach()), peer
    sock.close()
    return pair_at(number)


@on_transports
@pytest.mark.parametrize("how", ["detach", "close"])
@pytest.mark.parametrize("newcomer", ["reader", "transport"])
def test_a_number_that_another_owns_by_now(run, how, newcomer):
    """The end of a connection leaves alone who has its number since its owner gave it up."""

    def scenario(loop, trace):
        peer, sock = socket.socketpair()
        old = Plain(trace, "old")
        accepted(loop, old, sock).abort()
        other, its_peer = taken_over(sock, peer, how)
        other.setblocking(False)
        with peer, its_peer, other:
            new = Plain(trace, "new")
            if newcomer == "transport":
                transport = loop._make_socket_transport(other, new)
            else:
                loop.add_reader(other, lambda: new.received(other.recv(100)))
            run_until(loop, lambda: old.lost)
            turns(loop, 2)
            its_peer.send(b"for another")
            run_until(loop, lambda: new.data)
            if newcomer == "transport":
                # Who owns it is known as well.
                trace.append(type(outcome(loop.add_reader, other.fileno(), print)))
                transport.abort()
                run_until(loop, lambda: new.lost)
            else:
                trace.append(loop.remove_reader(other))

    trace = run(scenario)
    assert ("old", *LOST) in trace
    assert ("new", "data", b"for another") in trace
    if newcomer == "transport":
        assert trace[-2:] == [tuple, ("new", *LOST)]
    else:
        assert trace[-1] is True


def own(transport):
    return transport.get_extra_info("socket")


def duplicate(sock):
    with sock.dup() as copy:
        copy.send(b"b")


USES = {
    "send": (lambda transport, sock: sock.send(b"b"), b"ab"),
    "write": (lambda transport, sock: os.write(sock.fileno(), b"b"), b"ab"),
    "dup": (lambda transport, sock: duplicate(sock), b"ab"),
    "own number": (lambda transport, sock: os.write(own(transport).fileno(), b"b"), b"ab"),
    "own dup": (lambda transport, sock: duplicate(own(transport)), b"ab"),
    "shutdown": (lambda transport, sock: sock.shutdown(socket.SHUT_WR), (b"a", "EOF")),
    "close": (lambda transport, sock: sock.close(), (b"a", "EOF")),
}


@on_transports
@pytest.mark.parametrize("use", USES)
def test_the_caller_uses_its_socket_after_a_write(run, use):
    """Who passed the socket has it still, and all that was written before."""
    act, expected = USES[use]

    def scenario(loop, trace):
        peer, sock = socket.socketpair()
        protocol = Plain([])
        with peer, sock:
            transport = accepted(loop, protocol, sock)

            def write():
                transport.write(b"a")
                act(transport, sock)

            loop.call_soon(write)
            turns(loop)
            trace.append(got_from(peer))
            trace.append(transport.is_closing())
            transport.abort()
            run_until(loop, lambda: protocol.lost)

    assert run(scenario) == [expected, False]


def got_from(peer):
    """What has arrived, and whether it is the end."""
    peer.settimeout(10)
    got = peer.recv(100)
    peer.setblocking(False)
    try:
        while data := peer.recv(100):
            got += data
    except BlockingIOError:
        return got
    return got, "EOF"


@on_transports
def test_a_duplicate_used_between_writes(run):
    def scenario(loop, trace):
        protocol = Plain(trace)
        with connected(loop, protocol, "unix server") as sock:
            transport = protocol.transport

            def write():
                transport.write(b"1")
                with own(transport).dup() as copy:
                    copy.send(b"2")
                    transport.write(b"3")
                    copy.send(b"4")

            loop.call_soon(write)
            turns(loop)
            trace.append(Peer(sock, transport).received())

    assert run(scenario) == [MADE, b"1234"]


def test_get_buffer_ends_the_connection_and_gives_its_number_to_another():
    # Ours only: an iteration within a callback is ours, and stock fails on the protocol
    # that is gone.
    def scenario(loop, trace):
        others = []

        def get_buffer(protocol):
            if not others:
                number = own(protocol.transport).fileno()
                protocol.transport.abort()
                loop._nested_turn(0)
                # It is free, or this would close it.
                trace.append(outcome(os.fstat, number)[0])
                others.extend(pair_at(number))
                others[1].send(b"secret of another")
            return bytearray(100)

        protocol = Buffered(trace, get_buffer=get_buffer)
        with connected(loop, protocol, "unix server") as sock:
            sock.send(b"mine")
            run_until(loop, lambda: protocol.lost)
            turns(loop, 2)
            with others[0], others[1]:
                others[0].setblocking(False)
                trace.append(others[0].recv(100))

    assert ours_transports(scenario) == [MADE, LOST, "OSError", b"secret of another"]


class Failing(socket.socket):
    fails = False

    def fileno(self):
        if self.fails:
            raise OSError("mine")
        return super().fileno()


@on_transports
def test_a_shared_socket_whose_fileno_raises(run):
    """It is that connection's trouble: the loop goes on, and so do others."""

    def scenario(loop, trace):
        peer, plain = socket.socketpair()
        sock = Failing(fileno=plain.detach())
        protocol = Plain([])
        with peer, sock:
            transport = accepted(loop, protocol, sock)

            def write():
                sock.fails = True
                outcome(transport.write, b"x")

            loop.call_soon(write)
            other = Plain(trace)
            with connected(loop, other, "tcp server") as its_peer:
                peer.send(b"data")
                its_peer.send(b"others go on")
                run_until(loop, lambda: other.data)
                sock.fails = False
                transport.abort()
                run_until(loop, lambda: protocol.lost)
        # Stock never asks; ours reports what it is told.
        assert all(
            ("exception", ("OSError", "mine")) in event[0] for event in events(trace, "reported")
        )
        trace[:] = [event for event in trace if event[0] != "reported"]

    assert run(scenario) == [MADE, ("data", b"others go on")]
