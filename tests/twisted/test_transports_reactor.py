"""The reactor and its native transports: who is watched, and how all of them end."""

import pytest

from helpers.loops import on_reactors
from helpers.scenarios import run_turns
from helpers.streams import (
    Handing,
    Traced,
    connected,
    on_ends,
    on_some_ends,
    pair,
    run_until,
    until_lost,
)

LARGE = bytes(range(256)) * 20_000


@on_reactors
@on_ends
def test_who_is_watched(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            transport = protocol.transport

            def watched():
                trace.append((transport in reactor.getReaders(), transport in reactor.getWriters()))

            run_turns(reactor)
            watched()
            transport.write(LARGE)
            run_turns(reactor)
            watched()
            transport.pauseProducing()
            watched()
            transport.resumeProducing()
            transport.loseConnection()
            watched()
            peer.close()
            until_lost(reactor, protocol)
            watched()

    states = [(True, False), (True, True), (False, True), (False, True)]
    assert run(scenario) == ["made", *states, ("lost", "ConnectionLost"), (False, False)]


@on_reactors
@on_some_ends
def test_disconnectall_tells_every_protocol(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end):
            protocol.transport.write(LARGE)
            run_turns(reactor)
            reactor.disconnectAll()
            trace.append(protocol.lost)
            reactor.disconnectAll()
            trace.append(protocol.transport in reactor.getReaders() + reactor.getWriters())

    assert run(scenario) == ["made", ("lost", "ConnectionLost"), True, False]


@on_reactors
def test_disconnectall_with_many(run):
    def scenario(reactor, trace):
        events = []
        servers = [Traced(events) for _ in range(50)]
        clients = [Traced(events) for _ in range(50)]
        port = reactor.listenTCP(0, Handing(*servers), interface="127.0.0.1")
        for client in clients:
            reactor.connectTCP("127.0.0.1", port.getHost().port, Handing(client))
        run_until(reactor, lambda: all(end.transport for end in servers + clients))
        reactor.disconnectAll()
        trace.append(all(end.lost for end in servers + clients))
        trace.append(len(events))
        run_turns(reactor)

    assert run(scenario) == [True, 200]


@on_reactors
@on_some_ends
def test_removeall_takes_them_off_and_they_may_come_back(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            run_turns(reactor)
            removed = reactor.removeAll()
            trace.append(removed.count(protocol.transport))
            peer.send(b"hello")
            run_turns(reactor)
            trace.append(protocol.data)
            protocol.transport.startReading()
            run_until(reactor, lambda: protocol.data)
            trace.append(protocol.data)

    assert run(scenario) == ["made", 1, b"", b"hello"]


@on_reactors
@on_some_ends
def test_removing_by_the_reactor_s_own_methods(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            reactor.removeReader(protocol.transport)
            peer.send(b"hello")
            run_turns(reactor)
            trace.append(protocol.data)
            reactor.addReader(protocol.transport)
            reactor.addReader(protocol.transport)
            run_until(reactor, lambda: protocol.data)
            reactor.addWriter(protocol.transport)
            run_turns(reactor)
            trace.append(protocol.transport in reactor.getWriters())

    assert run(scenario) == ["made", b"", False]


@on_reactors
@pytest.mark.parametrize("who", ["server", "client"])
def test_stopping_the_reactor_tells_both_ends(run, who):
    def scenario(reactor, trace):
        server, client = Traced([]), Traced([])
        with pair(reactor, server, client):
            reactor.callLater(0, reactor.stop)
            reactor.run(installSignalHandlers=False)
            trace.extend([server.trace, client.trace])

    told = ["made", ("lost", "ConnectionLost")]
    assert run(scenario) == [told, told]


@on_reactors
@on_some_ends
def test_nested_turns_within_datareceived(run, end):
    def scenario(reactor, trace):
        def turn(protocol):
            if protocol.data == b"one":
                peer.send(b"two")
                while protocol.data == b"one":
                    reactor.iterate(0.01)
                trace.append("outer")
            else:
                trace.append("inner")

        protocol = Traced(trace, data=turn)
        with connected(reactor, protocol, end) as peer:
            peer.send(b"one")
            run_until(reactor, lambda: "outer" in trace)

    assert run(scenario) == ["made", "inner", "outer"]


@on_reactors
@on_some_ends
@pytest.mark.parametrize("how", ["close", "loseConnection", "abortConnection"])
def test_the_end_within_nested_turns(run, end, how):
    def scenario(reactor, trace):
        def turn(protocol):
            if how == "close":
                peer.close()
            else:
                getattr(protocol.transport, how)()
            while not protocol.lost:
                reactor.iterate(0.01)
            trace.append("outer")
            protocol.transport.write(b"late")

        protocol = Traced(trace, data=turn)
        with connected(reactor, protocol, end) as peer:
            peer.send(b"hello")
            run_until(reactor, lambda: "outer" in trace)
            run_turns(reactor)

    why = "ConnectionAborted" if how == "abortConnection" else "ConnectionDone"
    assert run(scenario) == ["made", ("lost", why), "outer"]
