"""Twisted's TLS when something unusual happens: beside stock."""

from unittest import mock

import pytest
from twisted.protocols.tls import BufferingTLSTransport

from helpers import authorities
from helpers.authorities import VERSIONS
from helpers.loops import on_reactors
from helpers.programs import output_of
from helpers.streams import run_until, until_lost
from helpers.tls_secured import Shaken, comes, secured
from helpers.tls_twisted import Shaking, facing


class Contexts:
    """A context for each connection of a client: the same one."""

    def __init__(self, context):
        self.context = context

    def getContext(self):
        return self.context


@on_reactors
@pytest.mark.parametrize("aborting", [False, True])
def test_an_abort_while_a_record_is_read(run, aborting):
    # A callback of the context's is told of a session's ticket, with data behind that.
    def scenario(reactor, trace):
        told = []

        def look(connection, where, value):
            if protocol.shaken and not told:
                told.append(where)
                if aborting:
                    protocol.transport.abortConnection()

        context = authorities.peer_context()
        context.set_info_callback(look)
        protocol = Shaking(trace)
        theirs = authorities.peer_context("good", VERSIONS[-1])
        with facing(reactor, protocol, "client", Contexts(context), theirs) as both:
            peer = both.peer
            both.until(lambda: protocol.shaken or peer.handshake())
            peer.held = True
            both.until(peer.handshake)
            peer.tls.send(b"data")
            peer.held = False
            peer.flush()
            if not aborting:
                both.until(lambda: protocol.data)
                peer.close_notify()
            both.over()
        trace.append(len(told))

    trace = run(scenario)
    assert trace[-1] == 1
    assert (("data", b"data") in trace) is not aborting


@on_reactors
def test_much_is_sent_bit_by_bit(run):
    # All of its ciphertext at once would need several times the memory.
    size = 3_000_000

    def scenario(reactor, trace):
        server = Shaken([])
        with secured(reactor, server) as peer:
            below = server.transport.transport
            with mock.patch.object(below, "write", side_effect=below.write) as write:
                server.transport.write(bytes(size))
            pieces = [len(call.args[0]) for call in write.call_args_list]
            trace.append(max(pieces) < 1 << 18)
            trace.append(comes(reactor, peer, size) == bytes(size))
            server.transport.abortConnection()
            until_lost(reactor, server)

    assert run(scenario) == [True, True]


@on_reactors
@pytest.mark.parametrize("kept", ["method", "aggregator"])
def test_what_a_factory_has_kept_of_a_protocol(run, kept):
    # Before there is a transport.
    def scenario(reactor, trace):
        found = []

        def wrap(*args):
            made = BufferingTLSTransport(*args)
            found.append(made.write if kept == "method" else made._aggregator)
            return made

        server = Shaken([])
        with secured(reactor, server, wrap=wrap) as peer:
            write = found[0] if kept == "method" else found[0].write
            server.transport.write(b"1")
            write(b"2")
            server.transport.write(b"3")
            server.transport.loseConnection()
            run_until(reactor, lambda: peer.pump() and server.lost)
            trace.append(peer.data)

    assert run(scenario) == [b"123"]


FORBIDDEN = """
import socket, sys
if {stock}:
    from twisted.internet import epollreactor as reactors
else:
    from tornado4.platform import twisted as reactors
reactors.install()
from twisted.internet import protocol, reactor
sys.modules[{module!r}] = {instead}

class Telling(protocol.Protocol):
    def dataReceived(self, data):
        print(data.decode())
        reactor.stop()

factory = protocol.ServerFactory.forProtocol(Telling)
port = reactor.listenTCP(0, factory, interface="127.0.0.1")
client = socket.create_connection(("127.0.0.1", port.getHost().port))
client.send(b"hello")
reactor.callLater(10, reactor.stop)
reactor.run()
client.close()
"""


@pytest.mark.parametrize("stock", [True, False])
@pytest.mark.parametrize("instead", ["None", "object()"])
@pytest.mark.parametrize(
    "module", ["OpenSSL", "OpenSSL.SSL", "twisted.internet.endpoints", "twisted.protocols.tls"]
)
def test_modules_that_somebody_has_replaced(module, instead, stock):
    # Such as `None`, which forbids to import them: it is no business of plain connections.
    code = FORBIDDEN.format(module=module, instead=instead, stock=stock)
    assert output_of(code) == "hello\n"
