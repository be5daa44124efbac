"""TLS that is started on a connection that has been plain so far."""

import pytest

from helpers.certificates import client_context, server_context
from helpers.loops import on_reactors
from helpers.scenarios import run_turns
from helpers.streams import PATTERN, pair, run_until, until_lost
from helpers.tls_secured import Shaken


def start(reactor, server, client, first="server"):
    order = [(server, server_context()), (client, client_context())]
    for end, tls in order if first == "server" else order[::-1]:
        end.transport.startTLS(tls)
    server.data = client.data = b""
    run_until(reactor, lambda: server.shaken and client.shaken)


@on_reactors
@pytest.mark.parametrize("first", ["server", "client"])
@pytest.mark.parametrize("size", [5, 200_000])
def test_both_ways(run, first, size):
    def scenario(reactor, trace):
        server, client = Shaken([]), Shaken([])
        with pair(reactor, server, client):
            client.transport.write(b"plain")
            run_until(reactor, lambda: server.data == b"plain")
            start(reactor, server, client, first)
            for one, other in [(server, client), (client, server)] * 2:
                other.data = b""
                one.transport.write(PATTERN[:size])
                one.transport.writeSequence([b"and", b"more"])
                run_until(reactor, lambda other=other: len(other.data) == size + 7)
                trace.append(other.data == PATTERN[:size] + b"andmore")
            client.transport.loseConnection()
            until_lost(reactor, server, client)
            run_turns(reactor)
            trace.append((server.trace, client.trace))

    assert run(scenario)[:4] == [True] * 4


@on_reactors
@pytest.mark.parametrize("way", ["loseConnection", "abortConnection"])
@pytest.mark.parametrize("who", ["server", "client"])
@pytest.mark.parametrize("when", ["started", "shaken", "written"])
def test_ended(run, when, who, way):
    def scenario(reactor, trace):
        ends = {"server": Shaken([]), "client": Shaken([])}
        server, client = ends.values()
        with pair(reactor, server, client):
            server.transport.startTLS(server_context())
            client.transport.startTLS(client_context())
            if when != "started":
                run_until(reactor, lambda: server.shaken and client.shaken)
            if when == "written":
                ends[who].transport.write(b"hello")
            getattr(ends[who].transport, way)()
            until_lost(reactor, server, client)
            run_turns(reactor)
            told = [[event for event in end.trace if event != "shaken"] for end in (server, client)]
            trace.append(told if when == "started" else (server.trace, client.trace))
            if (when, way) == ("written", "loseConnection"):
                trace.append((server.data, client.data))

    run(scenario)


@on_reactors
def test_within_what_comes(run):
    # The protocol starts it while it is told of the last plain data.
    def starts(protocol):
        if protocol.data == b"STARTTLS\r\n":
            protocol.data = b""
            protocol.transport.startTLS(server_context())
            protocol.transport.write(b"welcome")

    def scenario(reactor, trace):
        server, client = Shaken([], data=starts), Shaken([])
        with pair(reactor, server, client):
            client.transport.write(b"STARTTLS\r\n")
            run_until(reactor, lambda: server.transport.TLS)
            client.transport.startTLS(client_context())
            client.transport.write(b"hello")
            run_until(reactor, lambda: client.data and server.data)
            trace.append((server.data, client.data))
            client.transport.write(b"again")
            run_until(reactor, lambda: server.data == b"helloagain")
            client.transport.loseConnection()
            until_lost(reactor, server, client)
            trace.append((server.trace, client.trace))

    assert run(scenario)[0] == (b"hello", b"welcome")


@on_reactors
@pytest.mark.parametrize("streaming", [True, False])
def test_a_producer_goes_with_it(run, streaming):
    class Producer:
        def __init__(self, told):
            self.told = told

        def resumeProducing(self):
            self.told.add("resume")

        def pauseProducing(self):
            self.told.add("pause")

        def stopProducing(self):
            self.told.add("stop")

    def scenario(reactor, trace):
        server, client = Shaken([]), Shaken([])
        with pair(reactor, server, client):
            told = set()
            server.transport.registerProducer(Producer(told), streaming)
            start(reactor, server, client)
            server.transport.write(PATTERN[:200_000])
            run_until(reactor, lambda: len(client.data) == 200_000)
            run_turns(reactor)
            trace.append(sorted(told))
            server.transport.unregisterProducer()
            server.transport.write(b"more")
            run_until(reactor, lambda: len(client.data) == 200_004)
            server.transport.loseConnection()
            until_lost(reactor, server, client)
            trace.append((server.trace, client.trace))

    run(scenario)
