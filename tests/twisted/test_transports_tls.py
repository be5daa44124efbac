"""TLS on native transports: from the beginning, and started in the middle."""

import contextlib

import pytest
from twisted.internet.interfaces import ISSLTransport

from helpers.certificates import client_context, server_context
from helpers.loops import on_reactors, ours_reactor
from helpers.scenarios import run_turns
from helpers.streams import Handing, Traced, run_until, until_lost
from tornado4.platform.twisted import _tcp

LARGE = bytes(range(256)) * 20_000


@contextlib.contextmanager
def over_tls(reactor, server, client):
    port = reactor.listenSSL(0, Handing(server), server_context(), interface="127.0.0.1")
    number = port.getHost().port
    reactor.connectSSL("127.0.0.1", number, Handing(client), client_context())
    run_until(reactor, lambda: server.transport and client.transport)
    yield
    port.stopListening()
    run_turns(reactor)


def echo(protocol):
    protocol.transport.write(protocol.data)
    protocol.data = b""


@on_reactors
@pytest.mark.parametrize("data", [b"hello", LARGE], ids=len)
def test_there_and_back(run, data):
    def scenario(reactor, trace):
        server, client = Traced([], data=echo), Traced([])
        with over_tls(reactor, server, client):
            trace.append(ISSLTransport.providedBy(client.transport))
            trace.append((server.transport.TLS, client.transport.TLS))
            client.transport.write(data)
            run_until(reactor, lambda: len(client.data) == len(data))
            trace.append(client.data == data)
            trace.append(client.transport.getPeerCertificate() is not None)
            client.transport.loseConnection()
            until_lost(reactor, server, client)
            trace.append((server.trace, client.trace))

    told = ["made", ("lost", "ConnectionDone")]
    result = run(scenario)
    assert result[2:] == [True, True, (told, told)]


@on_reactors
@pytest.mark.parametrize("who", ["server", "client"])
@pytest.mark.parametrize("how", ["loseConnection", "abortConnection"])
def test_ending(run, who, how):
    def scenario(reactor, trace):
        made = {"server": Traced([]), "client": Traced([])}
        with over_tls(reactor, made["server"], made["client"]):
            other = made["client" if who == "server" else "server"]
            other.transport.write(b"hello")
            run_until(reactor, lambda: made[who].data)
            made[who].transport.write(b"last")
            getattr(made[who].transport, how)()
            until_lost(reactor, *made.values())
            run_turns(reactor)
            trace.extend((name, end.trace) for name, end in made.items())
            if how == "loseConnection":
                trace.append(other.data)

    lost = ("lost", "ConnectionDone" if how == "loseConnection" else "ConnectionLost")
    ends = [("server", ["made", lost]), ("client", ["made", lost])]
    assert run(scenario) == [*ends, *([b"last"] if how == "loseConnection" else [])]


@on_reactors
@pytest.mark.parametrize("methods", ["sequence", "after loss", "not bytes"])
def test_writing(run, methods):
    def scenario(reactor, trace):
        server, client = Traced([]), Traced([])
        with over_tls(reactor, server, client):
            if methods == "sequence":
                client.transport.writeSequence([b"one", b"", b"two"])
            elif methods == "not bytes":
                for write in [client.transport.write, client.transport.writeSequence]:
                    with pytest.raises(TypeError):
                        write("text")
                client.transport.write(b"onetwo")
            else:
                client.transport.write(b"onetwo")
            run_until(reactor, lambda: len(server.data) == 6)
            client.transport.loseConnection()
            client.transport.write(b"late")
            until_lost(reactor, server, client)
            client.transport.write(b"later")
            client.transport.writeSequence([b"later"])
            trace.append(server.data)

    assert run(scenario)[0][:6] == b"onetwo"


@on_reactors
@pytest.mark.parametrize("streaming", [True, False])
def test_producers(run, streaming):
    class Producer:
        def __init__(self, transport):
            self.transport = transport
            self.left = 30
            self.paused = False

        def resumeProducing(self):
            self.paused = False
            while self.left and not self.paused:
                self.left -= 1
                self.transport.write(LARGE[:100_000])
                if not streaming:
                    return
            if not self.left and self.transport is not None:
                transport, self.transport = self.transport, None
                transport.unregisterProducer()
                transport.loseConnection()

        def pauseProducing(self):
            self.paused = True

        def stopProducing(self):
            self.left = 0

    def scenario(reactor, trace):
        server, client = Traced([]), Traced([])
        with over_tls(reactor, server, client):
            producer = Producer(client.transport)
            client.transport.registerProducer(producer, streaming)
            if streaming:
                producer.resumeProducing()
            until_lost(reactor, server, client)
            trace.append(server.data == LARGE[:100_000] * 30)

    assert run(scenario) == [True]


@on_reactors
def test_pausing(run):
    def scenario(reactor, trace):
        server, client = Traced([]), Traced([])
        with over_tls(reactor, server, client):
            client.transport.write(b"first")
            run_until(reactor, lambda: server.data)
            server.transport.pauseProducing()
            client.transport.write(LARGE)
            run_turns(reactor, 10)
            trace.append(len(server.data))
            server.transport.resumeProducing()
            run_until(reactor, lambda: len(server.data) == len(LARGE) + 5)
            trace.append(server.data == b"first" + LARGE)

    assert run(scenario)[1:] == [True]


@on_reactors
def test_a_client_that_doesn_t_trust(run):
    from twisted.internet import ssl

    def scenario(reactor, trace):
        server, client = Traced([]), Traced([])
        port = reactor.listenSSL(0, Handing(server), server_context(), interface="127.0.0.1")
        context = ssl.optionsForClientTLS("test")
        reactor.connectSSL("127.0.0.1", port.getHost().port, Handing(client), context)
        until_lost(reactor, client)
        trace.append(client.trace)
        port.stopListening()
        run_turns(reactor)

    assert run(scenario) == [["made", ("lost", "Error")]]


class Starting(Traced):
    """Starts TLS after the plain word for it."""

    def __init__(self, context, first):
        super().__init__([])
        self.context = context
        self.first = first

    def connectionMade(self):
        super().connectionMade()
        if self.first:
            self.transport.write(b"STARTTLS")

    def start(self):
        self.transport.startTLS(self.context)
        self.data = b""

    def dataReceived(self, data):
        super().dataReceived(data)
        if self.first and self.data == b"GO":
            self.start()
        elif not self.first and self.data == b"STARTTLS":
            self.transport.write(b"GO")
            self.start()
            self.transport.write(b"welcome")


@on_reactors
def test_started_in_the_middle(run):
    def scenario(reactor, trace):
        server, client = Starting(server_context(), False), Starting(client_context(), True)
        port = reactor.listenTCP(0, Handing(server), interface="127.0.0.1")
        reactor.connectTCP("127.0.0.1", port.getHost().port, Handing(client))
        run_until(reactor, lambda: client.data == b"welcome")
        trace.append((server.transport.TLS, client.transport.TLS))
        client.transport.write(LARGE)
        run_until(reactor, lambda: len(server.data) == len(LARGE))
        trace.append(server.data == LARGE)
        trace.append(client.transport.getPeerCertificate() is not None)
        server.transport.loseConnection()
        until_lost(reactor, server, client)
        trace.append((server.trace, client.trace))
        port.stopListening()
        run_turns(reactor)

    told = ["made", ("lost", "ConnectionDone")]
    assert run(scenario) == [(True, True), True, True, (told, told)]


@on_reactors
def test_aborted_after_it_was_started(run):
    def scenario(reactor, trace):
        server, client = Starting(server_context(), False), Starting(client_context(), True)
        port = reactor.listenTCP(0, Handing(server), interface="127.0.0.1")
        reactor.connectTCP("127.0.0.1", port.getHost().port, Handing(client))
        run_until(reactor, lambda: client.data == b"welcome")
        client.transport.abortConnection()
        until_lost(reactor, server, client)
        trace.append((server.trace, client.trace))
        port.stopListening()
        run_turns(reactor)

    end = ["made", ("lost", "ConnectionLost")]
    assert run(scenario) == [(end, end)]


def test_what_is_under_it_is_native():
    def scenario(reactor, trace):
        server, client = Starting(server_context(), False), Starting(client_context(), True)
        port = reactor.listenTCP(0, Handing(server), interface="127.0.0.1")
        reactor.connectTCP("127.0.0.1", port.getHost().port, Handing(client))
        run_until(reactor, lambda: client.data == b"welcome")
        trace.append((type(server.transport), type(client.transport)))
        client.transport.loseConnection()
        until_lost(reactor, server, client)
        port.stopListening()

    assert ours_reactor(scenario) == [(_tcp.Server, _tcp.Client)]
