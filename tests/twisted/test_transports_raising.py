"""Protocols and factories that raise: what is logged, and what becomes of the connection."""

import pytest
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.protocol import ClientFactory

from helpers.loops import on_reactors
from helpers.scenarios import run_turns
from helpers.streams import (
    Handing,
    Traced,
    connected,
    ending,
    fail,
    on_ends,
    on_some_ends,
    pair,
    run_until,
    until_lost,
)

LOGGED = ("logged", "ValueError", "mine")


@on_reactors
@on_ends
def test_datareceived_that_raises(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace, data=fail)
        with connected(reactor, protocol, end) as peer:
            peer.send(b"hello")
            until_lost(reactor, protocol)
            trace.append(ending(reactor, peer))

    assert run(scenario) == ["made", LOGGED, ("lost", "ValueError"), (b"", "closed")]


@on_reactors
@on_some_ends
def test_what_was_written_before_it_raised(run, end):
    # Nothing of it need arrive: the connection is closed at once.
    def scenario(reactor, trace):
        def answer(protocol):
            protocol.transport.write(b"never sent")
            fail()

        protocol = Traced(trace, data=answer)
        with connected(reactor, protocol, end) as peer:
            peer.send(b"hello")
            until_lost(reactor, protocol)
            trace.append(ending(reactor, peer))

    assert run(scenario) == ["made", LOGGED, ("lost", "ValueError"), (b"", "closed")]


@on_reactors
@on_some_ends
@pytest.mark.parametrize("error", [ConnectionDone, ConnectionLost, KeyError, AttributeError])
def test_what_kind_it_raises_is_told(run, end, error):
    def scenario(reactor, trace):
        def refuse(protocol):
            raise error("mine")

        protocol = Traced(trace, data=refuse)
        with connected(reactor, protocol, end) as peer:
            peer.send(b"hello")
            until_lost(reactor, protocol)

    result = run(scenario)
    assert result[1][:2] == ("logged", error.__name__)
    assert result[2] == ("lost", error.__name__)


@on_reactors
@on_ends
def test_connectionmade_that_raises(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace, made=fail)
        with connected(reactor, protocol, end) as peer:
            peer.send(b"hello")
            run_turns(reactor, 10)
            trace.append((protocol.data, protocol.lost))

    result = run(scenario)
    assert result[:2] == ["made", LOGGED]


@on_reactors
@on_ends
def test_connectionlost_that_raises(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace, lost=fail)
        with connected(reactor, protocol, end) as peer:
            peer.close()
            until_lost(reactor, protocol)
            run_turns(reactor)
            transport = protocol.transport
            trace.append((transport.connected, transport.disconnected))
            trace.append(transport in reactor.getReaders() + reactor.getWriters())

    assert run(scenario) == ["made", ("lost", "ConnectionDone"), LOGGED, (0, 1), False]


@on_reactors
@on_some_ends
@pytest.mark.parametrize("how", ["loseConnection", "abortConnection"])
def test_connectionlost_that_raises_after_an_own_end(run, end, how):
    def scenario(reactor, trace):
        protocol = Traced(trace, lost=fail)
        with connected(reactor, protocol, end):
            getattr(protocol.transport, how)()
            run_until(reactor, lambda: LOGGED in trace)

    why = "ConnectionDone" if how == "loseConnection" else "ConnectionAborted"
    assert run(scenario) == ["made", ("lost", why), LOGGED]


@on_reactors
@on_some_ends
def test_both_datareceived_and_connectionlost_raise(run, end):
    def scenario(reactor, trace):
        protocol = Traced(trace, data=fail, lost=fail)
        with connected(reactor, protocol, end) as peer:
            peer.send(b"hello")
            until_lost(reactor, protocol)
            run_turns(reactor)

    assert run(scenario) == ["made", LOGGED, ("lost", "ValueError"), LOGGED]


class Refusing(ClientFactory):
    """Refuses as many connections as asked for, then hands out the protocol."""

    noisy = False

    def __init__(self, protocol, refuse, count=1):
        self.protocol = protocol
        self.refuse = refuse
        self.left = count

    def buildProtocol(self, addr):
        if self.left:
            self.left -= 1
            return self.refuse()
        return self.protocol


@on_reactors
@pytest.mark.parametrize("refuse", [lambda: None, fail], ids=["None", "raises"])
@pytest.mark.parametrize("family", ["tcp", "unix"])
def test_a_server_s_factory_that_refuses(run, refuse, family, tmp_path):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        factory = Refusing(protocol, refuse, 3)
        if family == "tcp":
            port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        else:
            port = reactor.listenUNIX(str(tmp_path / "s"), factory)
        clients = [Traced([]) for _ in range(4)]
        connectors = []
        for client in clients:
            if family == "tcp":
                connect = reactor.connectTCP, "127.0.0.1", port.getHost().port
            else:
                connect = reactor.connectUNIX, str(tmp_path / "s")
            connectors.append(connect[0](*connect[1:], Handing(client)))
            run_until(reactor, lambda client=client: client.lost or protocol.transport)
        trace.append([client.lost for client in clients])
        # A refused one has used up no number.
        trace.append(protocol.transport.sessionno)
        port.stopListening()
        run_turns(reactor)

    logged = [] if refuse is not fail else [LOGGED] * 3
    assert run(scenario) == [*logged, "made", [True, True, True, False], 0]


@on_reactors
@pytest.mark.parametrize("refuse", [lambda: None, fail], ids=["None", "raises"])
def test_a_client_s_factory_that_refuses(run, refuse):
    def scenario(reactor, trace):
        class Told(Refusing):
            def clientConnectionLost(self, connector, reason):
                trace.append(("factory", type(reason.value).__name__))

            def clientConnectionFailed(self, connector, reason):
                trace.append(("failed", type(reason.value).__name__))

        server = Traced([])
        port = reactor.listenTCP(0, Handing(server), interface="127.0.0.1")
        reactor.connectTCP("127.0.0.1", port.getHost().port, Told(None, refuse))
        run_until(reactor, lambda: server.lost)
        run_turns(reactor)
        port.stopListening()

    raised = [("logged", "ValueError", "mine"), ("failed", "ConnectError")]
    assert run(scenario) == (raised if refuse is fail else [("factory", "ConnectionDone")])


@on_reactors
def test_one_connection_s_error_is_nobody_else_s(run):
    def scenario(reactor, trace):
        good = Traced(trace)
        with pair(reactor, good, Traced([])), connected(reactor, Traced([], data=fail)) as peer:
            peer.send(b"hello")
            run_until(reactor, lambda: LOGGED in trace)
            trace.append(good.lost)

    assert run(scenario) == ["made", LOGGED, False]
