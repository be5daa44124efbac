"""What somebody puts in the place of a method of Twisted's TLS or of pyOpenSSL's is used:
on one object or on the class, before the connection is made or in its midst."""

import contextlib
from unittest import mock

import pytest
from OpenSSL import SSL
from twisted.internet.endpoints import _WrappingProtocol
from twisted.protocols.policies import ProtocolWrapper
from twisted.protocols.tls import BufferingTLSTransport, TLSMemoryBIOProtocol

from helpers.certificates import client_context
from helpers.loops import on_reactors
from helpers.scenarios import run_turns
from helpers.streams import run_until
from helpers.tls_secured import Shaken, comes, secured, wants_todays_writing

pytestmark = wants_todays_writing

# What reading and writing call, of the protocol and of its connection.
OF_PROTOCOL = ["dataReceived", "_flushReceiveBIO", "_flushSendBIO", "_write"]
OF_CONNECTION = ["recv", "send", "bio_read", "bio_write"]


def counting(method, calls):
    """The same, and says that it was called."""

    def counted(*args):
        calls.append(method.__name__)
        return method(*args)

    return counted


def exchanged(reactor, server, peer):
    """Something comes and something goes."""
    server.data = peer.data = b""
    peer.write(b"hello")
    run_until(reactor, lambda: server.data)
    server.transport.write(b"back")
    comes(reactor, peer, 4)
    # What is called once more to find nothing.
    run_turns(reactor)
    return server.data, peer.data


def in_use(run, patched):
    """Patches `(object, name)`s in the midst of a connection. What is called how often is
    Twisted's affair, whether it is called isn't."""

    def scenario(reactor, trace):
        server = Shaken([])
        with secured(reactor, server) as peer:
            trace.append(exchanged(reactor, server, peer))
            calls = []
            with contextlib.ExitStack() as stack:
                for target, name in patched(server):
                    method = counting(getattr(target, name), calls)
                    stack.enter_context(mock.patch.object(target, name, method))
                trace.append(exchanged(reactor, server, peer))
                trace.append(sorted(set(calls)))
            del calls[:]
            trace.append(exchanged(reactor, server, peer))
            trace.append(calls)
            server.transport.loseConnection()
            run_until(reactor, lambda: peer.pump() and server.lost)
            trace.append(server.trace)

    return run(scenario)


def expected(called):
    told = (b"hello", b"back")
    return [told, told, called, told, [], ["made", "shaken", ("lost", "ConnectionDone")]]


@on_reactors
@pytest.mark.parametrize("name", OF_PROTOCOL)
def test_on_a_protocol(run, name):
    assert in_use(run, lambda server: [(server.transport, name)]) == expected([name])


@on_reactors
@pytest.mark.parametrize("name", OF_CONNECTION)
def test_on_a_connection(run, name):
    patched = in_use(run, lambda server: [(server.transport.getHandle(), name)])
    assert patched == expected([name])


@on_reactors
@pytest.mark.parametrize("name", OF_PROTOCOL)
@pytest.mark.parametrize("cls", [TLSMemoryBIOProtocol, BufferingTLSTransport])
def test_on_the_protocol_s_class(run, cls, name):
    assert in_use(run, lambda server: [(cls, name)]) == expected([name])


@on_reactors
@pytest.mark.parametrize("name", OF_CONNECTION)
def test_on_the_connection_s_class(run, name):
    assert in_use(run, lambda server: [(SSL.Connection, name)]) == expected([name])


@on_reactors
def test_on_the_class_behind(run):
    patched = in_use(run, lambda server: [(ProtocolWrapper, "dataReceived")])
    assert patched == expected(["dataReceived"])


@on_reactors
def test_one_after_another(run):
    # The second takes the first one's place, in number too.
    def scenario(reactor, trace):
        server = Shaken([])
        with secured(reactor, server) as peer:
            for name in ["unknown", *OF_PROTOCOL, "unknown", *OF_CONNECTION]:
                target = server.transport
                if name in OF_CONNECTION:
                    target = target.getHandle()
                calls = []
                method = counting(getattr(target, name, run_turns), calls)
                with mock.patch.object(target, name, method, create=True):
                    trace.append(exchanged(reactor, server, peer))
                trace.append(sorted(set(calls)))
            server.transport.abortConnection()
            run_until(reactor, lambda: server.lost)

    assert run(scenario)[1:4] == [[], (b"hello", b"back"), ["dataReceived"]]


@on_reactors
@pytest.mark.parametrize("name", ["write", "writeSequence", "loseConnection"])
def test_what_the_application_calls(run, name):
    def scenario(reactor, trace):
        server = Shaken([])
        with secured(reactor, server) as peer:
            called = mock.Mock()
            with mock.patch.object(server.transport, name, called):
                getattr(server.transport, name)(*[b"lost"] * (name != "loseConnection"))
                run_turns(reactor)
            trace.append(called.call_count)
            trace.append(exchanged(reactor, server, peer))
            server.transport.abortConnection()
            run_until(reactor, lambda: server.lost)

    assert run(scenario) == [1, (b"hello", b"back")]


@on_reactors
@pytest.mark.parametrize("name", ["write", "writeSequence", "loseConnection", "abortConnection"])
def test_of_the_transport_below(run, name):
    def scenario(reactor, trace):
        server = Shaken([])
        with secured(reactor, server) as peer:
            below = server.transport.transport
            calls = []
            setattr(below, name, counting(getattr(below, name), calls))
            trace.append(exchanged(reactor, server, peer))
            if name == "abortConnection":
                server.transport.abortConnection()
            else:
                server.transport.loseConnection()
            run_until(reactor, lambda: peer.pump() and server.lost)
            trace.append(sorted(set(calls)))

    called = [] if name == "writeSequence" else [name]
    assert run(scenario) == [(b"hello", b"back"), called]


@on_reactors
def test_another_connection_in_its_place(run):
    class Wrapper:
        def __init__(self, connection, calls):
            self.connection = connection
            self.calls = calls

        def __getattr__(self, name):
            self.calls.append(name)
            return getattr(self.connection, name)

    def scenario(reactor, trace):
        server = Shaken([])
        with secured(reactor, server) as peer:
            trace.append(exchanged(reactor, server, peer))
            connection = server.transport._tlsConnection
            calls = []
            server.transport._tlsConnection = Wrapper(connection, calls)
            trace.append(exchanged(reactor, server, peer))
            trace.append(sorted(set(calls)))
            server.transport._tlsConnection = connection
            trace.append(exchanged(reactor, server, peer))
            server.transport.abortConnection()
            run_until(reactor, lambda: server.lost)

    assert run(scenario)[2] == sorted(OF_CONNECTION)


@on_reactors
@pytest.mark.parametrize("cls", [TLSMemoryBIOProtocol, BufferingTLSTransport])
def test_write_on_the_class(run, cls):
    # It comes too late: what keeps small writes together has the method already.
    def scenario(reactor, trace):
        server = Shaken([])
        with secured(reactor, server) as peer:
            trace.append(exchanged(reactor, server, peer))
            calls = []
            with mock.patch.object(cls, "write", counting(cls.write, calls)):
                trace.append(exchanged(reactor, server, peer))
            trace.append(calls)
            trace.append(exchanged(reactor, server, peer))
            server.transport.abortConnection()
            run_until(reactor, lambda: server.lost)

    assert run(scenario)[2] == []


@on_reactors
def test_another_dict_in_its_place(run):
    def scenario(reactor, trace):
        server = Shaken([])
        with secured(reactor, server) as peer:
            trace.append(exchanged(reactor, server, peer))
            calls = []
            transport = server.transport
            method = counting(transport._flushReceiveBIO, calls)
            transport.__dict__ = {**transport.__dict__, "_flushReceiveBIO": method}
            trace.append(exchanged(reactor, server, peer))
            trace.append(sorted(set(calls)))
            transport.abortConnection()
            run_until(reactor, lambda: server.lost)

    assert run(scenario)[2] == ["_flushReceiveBIO"]


@on_reactors
def test_a_class_of_its_own_in_its_midst(run):
    def scenario(reactor, trace):
        server = Shaken([])
        with secured(reactor, server) as peer:
            trace.append(exchanged(reactor, server, peer))
            calls = []

            class Mine(BufferingTLSTransport):
                def dataReceived(self, data):
                    calls.append("mine")
                    super().dataReceived(data)

            server.transport.__class__ = Mine
            trace.append(exchanged(reactor, server, peer))
            trace.append(sorted(set(calls)))
            server.transport.abortConnection()
            run_until(reactor, lambda: server.lost)

    assert run(scenario)[2] == ["mine"]


@on_reactors
@pytest.mark.parametrize("where", ["object", "class"])
def test_what_an_endpoint_puts_between(run, where):
    from twisted.internet import endpoints

    from helpers.certificates import server_context
    from helpers.streams import Handing

    def scenario(reactor, trace):
        server, client = Shaken([]), Shaken([])
        port = reactor.listenSSL(0, Handing(server), server_context(), interface="127.0.0.1")
        text = f"tcp:127.0.0.1:{port.getHost().port}"
        plain = endpoints.clientFromString(reactor, text)
        endpoints.wrapClientTLS(client_context(), plain).connect(Handing(client))
        run_until(reactor, lambda: server.shaken and client.shaken)
        between = client.transport.transport.protocol
        trace.append(type(between))
        calls = []
        target = between if where == "object" else _WrappingProtocol
        method = counting(target.dataReceived, calls)
        server.transport.write(b"before")
        run_until(reactor, lambda: client.data == b"before")
        with mock.patch.object(target, "dataReceived", method):
            server.transport.write(b"with")
            run_until(reactor, lambda: client.data == b"beforewith")
        trace.append(sorted(set(calls)))
        server.transport.write(b"after")
        run_until(reactor, lambda: client.data == b"beforewithafter")
        client.transport.loseConnection()
        run_until(reactor, lambda: server.lost and client.lost)
        port.stopListening()
        run_turns(reactor)

    assert run(scenario) == [_WrappingProtocol, ["dataReceived"]]
