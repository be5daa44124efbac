"""Connections that were just accepted: the poll is asked about each at the end of the
iteration, so what `connectionMade` does with one comes first. As on Twisted's own.
"""

import contextlib
import os
import random
import select
import socket

import pytest

from helpers.epolls import asked_of_the_kernel
from helpers.loops import on_reactors, ours_reactor
from helpers.scenarios import open_fds, run_turns
from helpers.streams import (
    Handing,
    Traced,
    TracedHalves,
    ending,
    received,
    reset,
    run_until,
    until_lost,
)

on_families = pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
PEERS = ["waits", "has written", "has ended", "was reset"]


@contextlib.contextmanager
def accepted(reactor, tmp_path, family, protocol, peer_is="waits"):
    """Has a port accept a connection, whose peer has done something before that."""
    factory = Handing(protocol)
    if family == socket.AF_UNIX:
        path = str(tmp_path / f"{len(os.listdir(tmp_path))}")
        port, address = reactor.listenUNIX(path, factory), path
    else:
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        address = ("127.0.0.1", port.getHost().port)
    with socket.socket(family) as peer:
        peer.connect(address)
        if peer_is == "has written":
            peer.send(b"hello")
        elif peer_is == "has ended":
            peer.close()
        elif peer_is == "was reset":
            reset(peer)
        if peer.fileno() >= 0:
            peer.setblocking(False)
        run_until(reactor, lambda: protocol.transport is not None)
        yield peer
    port.stopListening()
    run_turns(reactor)


def nothing(transport, reactor):
    pass


def iterate(transport, reactor):
    # Not by `iterate`: a reactor's turn within a turn.
    reactor.iterate(0)


STEPS = {
    "nothing": nothing,
    "write": lambda transport, reactor: transport.write(b"made"),
    "lose": lambda transport, reactor: transport.loseConnection(),
    "abort": lambda transport, reactor: transport.abortConnection(),
    "stop reading": lambda transport, reactor: transport.stopReading(),
    "start reading": lambda transport, reactor: transport.startReading(),
    "pause": lambda transport, reactor: transport.pauseProducing(),
    "resume": lambda transport, reactor: transport.resumeProducing(),
    "start writing": lambda transport, reactor: transport.startWriting(),
    "stop writing": lambda transport, reactor: transport.stopWriting(),
    "remove": lambda transport, reactor: reactor.removeReader(transport),
    "add": lambda transport, reactor: reactor.addReader(transport),
    "fileno": lambda transport, reactor: transport.fileno(),
    "socket": lambda transport, reactor: transport.socket,
    "turn": iterate,
}


def watched(reactor, transport):
    return transport in reactor.getReaders(), transport in reactor.getWriters()


def what_comes_of(steps, peer_is, family, tmp_path):
    # When what was written is sent is up to the reactor.
    writes = any("write" in step for step in steps)

    def scenario(reactor, trace):
        def shown(transport):
            reads, waits_to_write = watched(reactor, transport)
            return reads if writes else (reads, waits_to_write)

        def made(protocol):
            for step in steps:
                if protocol.lost:
                    break
                STEPS[step](protocol.transport, reactor)
                trace.append((step, shown(protocol.transport)))

        protocol = Traced(trace, made=made)
        with accepted(reactor, tmp_path, family, protocol, peer_is) as peer:
            run_turns(reactor, 6)
            trace.append((protocol.data, shown(protocol.transport)))
            if not protocol.lost:
                # Whatever the steps have stopped.
                protocol.transport.startReading()
                protocol.transport.loseConnection()
                protocol.transport.startWriting()
                until_lost(reactor, protocol)
            if peer.fileno() >= 0:
                trace.append(ending(reactor, peer))

    return scenario


@on_reactors
@on_families
@pytest.mark.parametrize("peer_is", PEERS)
@pytest.mark.parametrize("step", STEPS)
def test_one_step(run, step, peer_is, family, tmp_path):
    if peer_is == "was reset" and family == socket.AF_UNIX:
        pytest.skip("a UNIX socket isn't reset")
    if step == "write" and peer_is == "has ended":
        pytest.skip("which comes first, the failure or the end, is up to when it is sent")
    trace = run(what_comes_of([step], peer_is, family, tmp_path))
    assert trace[0] == "made"
    assert counted_ends(trace) == 1


def counted_ends(trace):
    return sum(event[0] == "lost" for event in trace)


@on_reactors
@pytest.mark.parametrize("seed", range(40))
def test_random_steps(run, seed, tmp_path):
    chosen = random.Random(seed)
    steps = chosen.choices(list(STEPS), k=chosen.randrange(2, 7))
    peer_is = chosen.choice(PEERS[:2])
    family = chosen.choice([socket.AF_INET, socket.AF_UNIX])
    trace = run(what_comes_of(steps, peer_is, family, tmp_path))
    assert counted_ends(trace) == 1


def new_descriptors(before):
    return set(open_fds()) - set(before)


@pytest.mark.skipif(not hasattr(select, "epoll"), reason="looks into epoll")
@on_families
def test_what_is_closed_at_once_is_never_watched(family, tmp_path):
    def scenario(reactor, trace):
        known = []

        def look(protocol):
            trace.append([asked_of_the_kernel(fd) for fd in new_descriptors(before) & ours])

        def made(protocol):
            ours.update(fd for fd in new_descriptors(before) if not listens(fd))
            known.extend(ours)
            look(protocol)
            protocol.transport.loseConnection()

        before, ours = open_fds(), set()
        protocol = Traced(trace, made=made, lost=look)
        with accepted(reactor, tmp_path, family, protocol) as peer:
            # The peer's end is ours too, and never watched.
            until_lost(reactor, protocol)
            trace.append(ending(reactor, peer))

    trace = ours_reactor(scenario)
    made, first, lost, second, ends = trace
    assert (made, lost, ends) == ("made", ("lost", "ConnectionDone"), (b"", "closed"))
    assert len(first) == 2
    assert set(first + second) == {None}


def listens(fd):
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(fd)) as sock:
        return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    return True


@pytest.mark.skipif(not hasattr(select, "epoll"), reason="looks into epoll")
@pytest.mark.parametrize("how", ["fileno", "getHandle", "socket"])
def test_who_knows_the_descriptor_finds_it_watched(how, tmp_path):
    def scenario(reactor, trace):
        def made(protocol):
            known = getattr(protocol.transport, how)
            known = known() if callable(known) else known
            fd = known if isinstance(known, int) else known.fileno()
            trace.append(asked_of_the_kernel(fd) & select.EPOLLIN)

        protocol = Traced(trace, made=made)
        with accepted(reactor, tmp_path, socket.AF_INET, protocol) as peer:
            peer.send(b"hello")
            run_until(reactor, lambda: protocol.data == b"hello")
            protocol.transport.loseConnection()
            until_lost(reactor, protocol)

    trace = ours_reactor(scenario)
    assert trace == ["made", select.EPOLLIN, ("lost", "ConnectionDone")]


@pytest.mark.skipif(not hasattr(select, "epoll"), reason="epoll refuses files")
@pytest.mark.parametrize("kind", [Traced, TracedHalves])
@pytest.mark.parametrize("knows", [False, True])
def test_what_the_poll_refuses_is_reported_and_ends(kind, knows, tmp_path):
    """Whoever puts a file in the place of a descriptor that he can't know. It isn't half of
    the end, for which such a protocol would go on to write.
    """

    def scenario(reactor, trace):
        def made(protocol):
            found = [fd for fd in new_descriptors(before) if not listens(fd)]
            fd = max(found)
            with open(tmp_path / "file", "w") as file:
                os.dup2(file.fileno(), fd)
            if knows:
                trace.append(protocol.transport.fileno() == fd)

        before = open_fds()
        protocol = kind(trace, made=made)
        with accepted(reactor, tmp_path, socket.AF_INET, protocol):
            until_lost(reactor, protocol)

    trace = ours_reactor(scenario)
    reports = [event for event in trace if "PermissionError" in str(event)]
    assert len(reports) == 1
    trace.remove(reports[0])
    assert trace == ["made", *([True] if knows else []), ("lost", "ConnectionLost")]


@on_reactors
def test_a_port_that_is_read_outside_of_the_reactor(run, tmp_path):
    def scenario(reactor, trace):
        protocol = Traced(trace, data=lambda self: self.transport.write(self.data))
        port = reactor.listenTCP(0, Handing(protocol), interface="127.0.0.1")
        with socket.create_connection(("127.0.0.1", port.getHost().port)) as peer:
            peer.setblocking(False)
            port.doRead()
            trace.append(watched(reactor, protocol.transport))
            peer.send(b"hello")
            trace.append(received(reactor, peer, 5))
            protocol.transport.loseConnection()
            until_lost(reactor, protocol)
            trace.append(ending(reactor, peer))
        port.stopListening()
        run_turns(reactor)

    done = ("lost", "ConnectionDone")
    assert run(scenario) == ["made", (True, False), b"hello", done, (b"", "closed")]
