"""Why a connection ended, as the protocol, the factory and the connector are told."""

import pytest
from twisted.internet.protocol import ClientFactory

from helpers.loops import on_reactors
from helpers.scenarios import run_turns
from helpers.streams import (
    Handing,
    Traced,
    TracedHalves,
    connected,
    on_ends,
    on_some_ends,
    pair,
    reset,
    run_until,
    until_lost,
)

LARGE = bytes(range(256)) * 20_000


@on_reactors
@on_ends
@pytest.mark.parametrize("sends", [b"", b"last words"], ids=len)
def test_a_peer_that_closes(run, end, sends):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            peer.send(sends)
            peer.close()
            until_lost(reactor, protocol)
            trace.append(protocol.data)

    assert run(scenario) == ["made", ("lost", "ConnectionDone"), sends]


@on_reactors
@on_ends
@pytest.mark.parametrize("half", [Traced, TracedHalves])
def test_a_peer_that_resets(run, end, half):
    def scenario(reactor, trace):
        protocol = half(trace)
        with connected(reactor, protocol, end) as peer:
            reset(peer)
            if "unix" in end and half is TracedHalves:
                run_until(reactor, lambda: "read lost" in trace)
            else:
                until_lost(reactor, protocol)

    # A UNIX socket knows no reset.
    unix = "read lost" if half is TracedHalves else ("lost", "ConnectionDone")
    assert run(scenario) == ["made", unix if end.startswith("unix") else ("lost", "ConnectionLost")]


@on_reactors
@on_ends
def test_a_peer_that_closes_with_something_unread(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            protocol.transport.write(b"never read")
            run_turns(reactor, 5)
            peer.close()
            until_lost(reactor, protocol)

    assert run(scenario) == ["made", ("lost", "ConnectionLost")]


@on_reactors
@on_some_ends
def test_writing_to_a_peer_that_closed_while_paused(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            protocol.transport.pauseProducing()
            peer.close()
            for _ in range(5):
                protocol.transport.write(b"into the void")
                run_turns(reactor, 5)
            until_lost(reactor, protocol)

    assert run(scenario) == ["made", ("lost", "ConnectionLost")]


@on_reactors
@on_some_ends
def test_writing_a_lot_to_a_peer_that_closed(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end) as peer:
            protocol.transport.write(LARGE)
            run_turns(reactor, 5)
            peer.close()
            until_lost(reactor, protocol)
            run_turns(reactor)

    assert run(scenario) == ["made", ("lost", "ConnectionLost")]


@on_reactors
@pytest.mark.parametrize("who", ["server", "client"])
@pytest.mark.parametrize("how", ["loseConnection", "abortConnection"])
def test_both_ends_of_a_connection_are_told(run, who, how):
    def scenario(reactor, trace):
        events = {"server": [], "client": []}
        ends = {name: Traced(told) for name, told in events.items()}
        with pair(reactor, ends["server"], ends["client"]):
            getattr(ends[who].transport, how)()
            until_lost(reactor, *ends.values())
            run_turns(reactor)
            trace.extend(events.items())

    mine, theirs = {
        "loseConnection": ("ConnectionDone", "ConnectionDone"),
        "abortConnection": ("ConnectionAborted", "ConnectionLost"),
    }[how]
    names = {"server": theirs, "client": theirs, who: mine}
    assert run(scenario) == [(end, ["made", ("lost", names[end])]) for end in ["server", "client"]]


class Telling(ClientFactory):
    noisy = False

    def __init__(self, trace, protocol):
        self.trace = trace
        self.protocol = protocol

    def doStart(self):
        self.trace.append("factory starts")

    def doStop(self):
        self.trace.append("factory stops")

    def startedConnecting(self, connector):
        self.trace.append(("connecting", connector.state))

    def buildProtocol(self, addr):
        self.trace.append(("building", type(addr).__name__))
        return self.protocol

    def clientConnectionLost(self, connector, reason):
        self.trace.append(("factory", type(reason.value).__name__, connector.state))

    def clientConnectionFailed(self, connector, reason):
        self.trace.append(("failed", type(reason.value).__name__, connector.state))


@on_reactors
@pytest.mark.parametrize("ends", ["peer", "lose", "abort", "disconnect", "disconnect in made"])
def test_the_order_in_which_a_client_is_told(run, ends):
    def scenario(reactor, trace):
        def made(protocol):
            if ends == "disconnect in made":
                connector.disconnect()

        server, client = Traced([]), Traced(trace, made=made)
        port = reactor.listenTCP(0, Handing(server), interface="127.0.0.1")
        factory = Telling(trace, client)
        connector = reactor.connectTCP("127.0.0.1", port.getHost().port, factory)
        run_until(reactor, lambda: server.transport and client.transport)
        if ends == "peer":
            server.transport.loseConnection()
        elif ends == "lose":
            client.transport.loseConnection()
        elif ends == "abort":
            client.transport.abortConnection()
        elif ends == "disconnect":
            connector.disconnect()
        until_lost(reactor, server, client)
        run_turns(reactor)
        port.stopListening()
        run_turns(reactor)

    why = "ConnectionAborted" if ends == "abort" else "ConnectionDone"
    assert run(scenario) == [
        "factory starts",
        ("connecting", "connecting"),
        ("building", "IPv4Address"),
        "made",
        ("lost", why),
        ("factory", why, "disconnected"),
        "factory stops",
    ]


@on_reactors
def test_a_connection_that_is_refused(run):
    def scenario(reactor, trace):
        port = reactor.listenTCP(0, Handing(), interface="127.0.0.1")
        number = port.getHost().port
        port.stopListening()
        run_turns(reactor)
        reactor.connectTCP("127.0.0.1", number, Telling(trace, None))
        run_until(reactor, lambda: "factory stops" in trace)

    assert run(scenario) == [
        "factory starts",
        ("connecting", "connecting"),
        ("failed", "ConnectionRefusedError", "disconnected"),
        "factory stops",
    ]


@on_reactors
@pytest.mark.parametrize("again", [1, 3])
def test_a_connector_may_connect_again(run, again):
    def scenario(reactor, trace):
        class Again(Telling):
            left = again

            def clientConnectionLost(self, connector, reason):
                super().clientConnectionLost(connector, reason)
                if self.left:
                    self.left -= 1
                    self.protocol = Traced(trace)
                    connector.connect()

        protocols = [
            Traced([], made=lambda self: self.transport.loseConnection()) for _ in range(again + 1)
        ]
        port = reactor.listenTCP(0, Handing(*protocols), interface="127.0.0.1")
        reactor.connectTCP("127.0.0.1", port.getHost().port, Again(trace, Traced(trace)))
        run_until(reactor, lambda: "factory stops" in trace)
        port.stopListening()

    once = ["made", ("lost", "ConnectionDone"), ("factory", "ConnectionDone", "disconnected")]
    result = run(scenario)
    assert [event for event in result if event in once] == once * (again + 1)
