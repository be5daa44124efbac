"""Ports that accept: many at once, none any more, without descriptors, in one turn."""

import contextlib
import os
import resource
import socket

import pytest

from helpers.loops import on_reactors, ours_reactor
from helpers.scenarios import open_fds, run_turns
from helpers.streams import Handing, Traced, run_until, until_lost


@contextlib.contextmanager
def clients(count, address):
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(socket.create_connection(address)) for _ in range(count)]


@contextlib.contextmanager
def listening(reactor, factory):
    port = reactor.listenTCP(0, factory, backlog=1000, interface="127.0.0.1")
    yield port, ("127.0.0.1", port.getHost().port)
    port.stopListening()
    run_turns(reactor)


def counted(events, what):
    return sum(event == what for event in events)


@on_reactors
@pytest.mark.parametrize("count", [1, 2, 21, 300])
def test_many_at_once(run, count):
    def scenario(reactor, trace):
        events = []
        protocols = [Traced(events) for _ in range(count)]
        with (
            listening(reactor, Handing(*protocols)) as (_, address),
            clients(count, address) as all_,
        ):
            run_until(reactor, lambda: counted(events, "made") == count)
            trace.append([protocol.transport.sessionno for protocol in protocols])
            trace.append(
                [protocol.transport.getPeer().port for protocol in protocols]
                == [client.getsockname()[1] for client in all_]
            )

    assert run(scenario) == [list(range(count)), True]


@on_reactors
@pytest.mark.parametrize("how", ["close", "reset", "loseConnection", "abortConnection"])
def test_many_end_in_one_turn(run, how):
    count = 1000

    def scenario(reactor, trace):
        events = []
        protocols = [Traced(events) for _ in range(count)]
        with (
            listening(reactor, Handing(*protocols)) as (_, address),
            clients(count, address) as all_,
        ):
            run_until(reactor, lambda: counted(events, "made") == count)
            if how in ["close", "reset"]:
                for client in all_:
                    if how == "reset":
                        linger = b"\1\0\0\0\0\0\0\0"
                        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    client.close()
            else:

                def end_them():
                    for protocol in protocols:
                        getattr(protocol.transport, how)()

                reactor.callLater(0, end_them)
            until_lost(reactor, *protocols)
            run_turns(reactor)
            reasons = sorted({event[1] for event in events if event != "made"})
            trace.append((len(events), reasons, len(reactor.getWriters())))
            trace.append([x for x in reactor.getReaders() if isinstance(x, type(Traced))])

    why = {"reset": "ConnectionLost", "abortConnection": "ConnectionAborted"}
    assert run(scenario) == [(2 * count, [why.get(how, "ConnectionDone")], 0), []]


@on_reactors
def test_one_end_ends_all_the_others(run):
    count = 200

    def scenario(reactor, trace):
        events = []

        def end_all(protocol):
            for other in protocols:
                if other is not protocol:
                    other.transport.abortConnection()

        protocols = [Traced(events, lost=end_all) for _ in range(count)]
        with (
            listening(reactor, Handing(*protocols)) as (_, address),
            clients(count, address) as all_,
        ):
            run_until(reactor, lambda: counted(events, "made") == count)
            for client in all_:
                client.close()
            until_lost(reactor, *protocols)
            run_turns(reactor)
            trace.append(len(events))

    assert run(scenario) == [2 * count]


@on_reactors
@pytest.mark.parametrize("where", ["buildProtocol", "connectionMade"])
def test_listening_that_stops_as_connections_are_accepted(run, where):
    # Those that were accepted in the same turn are served, nobody else.
    def scenario(reactor, trace):
        def stop(_=None):
            if ports:
                ports.pop().stopListening()

        class Stopping(Handing):
            def buildProtocol(self, addr):
                if where == "buildProtocol":
                    stop()
                return super().buildProtocol(addr)

        hooks = {"made": stop} if where == "connectionMade" else {}
        protocols = [Traced(trace, **hooks), Traced(trace), Traced(trace)]
        ports = []
        with listening(reactor, Stopping(*protocols)) as (port, address), clients(3, address):
            ports.append(port)
            run_turns(reactor, 10)
            trace.append(port.connected)
            trace.append([protocol.transport is not None for protocol in protocols])

    assert run(scenario)[:1] == ["made"]


@on_reactors
def test_accepting_ends_where_a_factory_raises_and_goes_on_next_time(run):
    def scenario(reactor, trace):
        class Failing(Handing):
            calls = 0

            def buildProtocol(self, addr):
                self.calls += 1
                if self.calls in (1, 3):
                    raise ValueError(f"call {self.calls}")
                return super().buildProtocol(addr)

        protocols = [Traced(trace) for _ in range(3)]
        with listening(reactor, Failing(*protocols)) as (_, address), clients(5, address):
            run_until(reactor, lambda: counted(trace, "made") == 3)

    logged = [("logged", "ValueError", f"call {number}") for number in (1, 3)]
    assert run(scenario)[:5] == [logged[0], "made", logged[1], "made", "made"]


@on_reactors
def test_how_many_are_accepted_at_once_follows_the_traffic(run):
    def scenario(reactor, trace):
        class Counting(Handing):
            def buildProtocol(self, addr):
                return Traced([])

        with listening(reactor, Counting()) as (port, address):
            for count in [1, 100, 3, 1]:
                with clients(count, address):
                    run_turns(reactor, 10)
                trace.append(port.sessionno)
                run_turns(reactor, 3)

    assert run(scenario) == [1, 101, 104, 105]


@contextlib.contextmanager
def no_descriptors(but=0):
    """Leaves the process so many descriptors."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    spare = [os.open(os.devnull, os.O_RDONLY) for _ in range(but)]
    highest = max(open_fds())
    fill = []
    while not fill or fill[-1] < highest:
        fill.append(os.open(os.devnull, os.O_RDONLY))
    resource.setrlimit(resource.RLIMIT_NOFILE, (fill[-1] + 1, before[1]))
    for fd in spare:
        os.close(fd)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        for fd in fill:
            os.close(fd)


@on_reactors
@pytest.mark.parametrize("left", [0, 1, 2])
def test_no_descriptor_is_left(run, left):
    def scenario(reactor, trace):
        protocols = [Traced([]) for _ in range(10)]
        with listening(reactor, Handing(*protocols)) as (_, address), clients(4, address) as all_:
            with no_descriptors(left):
                run_turns(reactor, 10)
            trace.append([protocol.transport is not None for protocol in protocols].count(True))
            for client in all_[left:]:
                client.settimeout(10)
                with contextlib.suppress(ConnectionResetError):
                    trace.append(client.recv(1))
            # There is room again.
            with clients(2, address):
                run_until(reactor, lambda: protocols[left + 1].transport)
            trace.append([protocol.transport is not None for protocol in protocols].count(True))

    # Those that there are descriptors for, then the ends of those that there are none for.
    assert run(scenario) == [left, *([b""] * (4 - left)), left + 2]


def test_a_listening_socket_that_broke_is_reported():
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with listening(reactor, Handing(protocol)) as (port, address), clients(1, address):
            os.dup2(os.open(os.devnull, os.O_RDONLY), port.fileno())
            port.doRead()
            trace[:] = [event[:2] for event in trace]

    assert ours_reactor(scenario) == [("logged", "OSError")]
