"""Methods that somebody puts in place, on a transport or its reactor, are the ones used."""

import contextlib
import importlib
import socket
import weakref
from unittest import mock

import pytest
from twisted.internet import posixbase
from twisted.internet.protocol import Protocol

from helpers.loops import on_reactors, ours_reactor
from helpers.scenarios import run_turns
from helpers.streams import (
    Handing,
    Traced,
    connected,
    ending,
    on_some_ends,
    received,
    reset,
    run_until,
    until_lost,
)
from tornado4.platform.twisted import _reports

DONE = ("lost", "ConnectionDone")


def wrapped(owner, name, happened):
    """Puts a method in place on an object that notes its name and does the same."""
    stock = getattr(owner, name)

    def noting(*args):
        happened.append(name)
        return stock(*args)

    setattr(owner, name, noting)


@on_reactors
@on_some_ends
@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize(
    "name",
    [
        "_closeSocket",
        "_dataReceived",
        "_postLoseConnection",
        "connectionLost",
        "doRead",
        "doWrite",
        "fileno",
        "loseConnection",
        "startWriting",
        "stopReading",
        "stopWriting",
        "write",
    ],
)
def test_a_method_set_on_a_transport(run, end, name, late):
    def scenario(reactor, trace):
        called = []

        def wrap(protocol):
            wrapped(protocol.transport, name, called)

        def respond(protocol):
            if len(protocol.data) == 2:
                protocol.transport.write(b"answer")
                protocol.transport.loseConnection()

        protocol = Traced(trace, data=respond, **({} if late else {"made": wrap}))
        with connected(reactor, protocol, end) as peer:
            peer.send(b"a")
            run_until(reactor, lambda: protocol.data)
            if late:
                wrap(protocol)
            peer.send(b"b")
            trace.append(ending(reactor, peer))
            until_lost(reactor, protocol)
        trace.append((name in called, protocol.data))

    result = run(scenario)
    assert result[0] == "made"
    assert sorted(map(repr, result[1:3])) == sorted(map(repr, [DONE, (b"answer", "closed")]))
    assert result[3] == (True, b"ab")


@on_reactors
def test_a_method_set_on_a_transport_that_gets_another_socket(run):
    def scenario(reactor, trace):
        called = []
        protocol = Traced(trace)
        with connected(reactor, protocol) as peer:
            wrapped(protocol.transport, "_closeSocket", called)
            protocol.transport.socket = protocol.transport.socket
            peer.close()
            until_lost(reactor, protocol)
        trace.append(called)

    assert run(scenario) == ["made", DONE, ["_closeSocket"]]


@on_reactors
def test_a_method_that_is_deleted_again(run):
    def scenario(reactor, trace):
        called = []
        protocol = Traced(trace)
        with connected(reactor, protocol) as peer:
            wrapped(protocol.transport, "stopReading", called)
            protocol.transport.pauseProducing()
            del protocol.transport.stopReading
            protocol.transport.resumeProducing()
            protocol.transport.pauseProducing()
            with pytest.raises(AttributeError):
                del protocol.transport.stopReading
            protocol.transport.resumeProducing()
            peer.send(b"data")
            run_until(reactor, lambda: protocol.data)
        trace.append(called)

    assert run(scenario) == ["made", ["stopReading"]]


@on_reactors
@pytest.mark.parametrize("name", ["addReader", "addWriter", "removeReader", "removeWriter"])
@pytest.mark.parametrize("late", [False, True])
def test_a_method_set_on_the_reactor(run, name, late):
    def scenario(reactor, trace):
        called = []
        if not late:
            wrapped(reactor, name, called)
        try:
            protocol = Traced(trace)
            with connected(reactor, protocol) as peer:
                if late:
                    wrapped(reactor, name, called)
                called.clear()
                # What follows is about the one connection.
                if name == "addReader":
                    protocol.transport.pauseProducing()
                    protocol.transport.resumeProducing()
                elif name == "addWriter":
                    protocol.transport.loseConnection()
                reset(peer)
                until_lost(reactor, protocol)
                trace.append(called[:1])
        finally:
            delattr(reactor, name)

    made, (lost, _), called = run(scenario)
    assert (made, lost, called) == ("made", "lost", [name])


@on_reactors
@pytest.mark.parametrize("late", [False, True])
def test_a_write_asks_the_reactor_s_own_method(run, late):
    def scenario(reactor, trace):
        called = []
        if not late:
            wrapped(reactor, "addWriter", called)
        try:
            protocol = Traced(trace)
            with connected(reactor, protocol) as peer:
                if late:
                    wrapped(reactor, "addWriter", called)
                protocol.transport.write(b"data")
                trace.append(called[:1])
                trace.append(received(reactor, peer, 4))
        finally:
            delattr(reactor, "addWriter")

    assert run(scenario) == ["made", ["addWriter"], b"data"]


@on_reactors
def test_twisted_s_way_of_disconnecting_replaced_before_there_is_a_reactor(run, monkeypatch):
    owner = posixbase._DisconnectSelectableMixin
    stock = owner._disconnectSelectable
    told = []

    def noting(self, selectable, why, *args):
        told.append(type(why).__name__)
        return stock(self, selectable, why, *args)

    def scenario(reactor, trace):
        told.clear()
        protocol = Traced(trace)
        with connected(reactor, protocol) as peer:
            peer.close()
            until_lost(reactor, protocol)
        trace.extend(told)

    monkeypatch.setattr(owner, "_disconnectSelectable", noting)
    assert run(scenario) == ["made", DONE, "ConnectionDone"]


@pytest.mark.parametrize("other", [mock.Mock(), lambda *_: None], ids=["mock", "function"])
@pytest.mark.parametrize(
    ("owner", "name", "ours"),
    [
        (posixbase._DisconnectSelectableMixin, "_disconnectSelectable", "disconnect_selectable"),
        (Protocol, "logPrefix", "log_prefix"),
    ],
)
def test_a_method_of_twisted_s_replaced_before_the_import(owner, name, ours, other):
    assert getattr(_reports, ours) is getattr(owner, name)
    with mock.patch.object(owner, name, other):
        importlib.reload(_reports)
        replaced = getattr(_reports, ours)
    importlib.reload(_reports)
    assert replaced is None
    assert getattr(_reports, ours) is getattr(owner, name)


@on_reactors
@on_some_ends
@pytest.mark.parametrize("late", [False, True])
def test_write_some_data_set_on_a_transport(run, end, late):
    def scenario(reactor, trace):
        def shout(protocol):
            stock = protocol.transport.writeSomeData
            protocol.transport.writeSomeData = lambda data: stock(bytes(data).upper())

        protocol = Traced(trace, **({} if late else {"made": shout}))
        with connected(reactor, protocol, end) as peer:
            if late:
                protocol.transport.write(b"hello")
                trace.append(received(reactor, peer, 5))
                shout(protocol)
            protocol.transport.write(b"hello")
            trace.append(received(reactor, peer, 5))
            protocol.transport.loseConnection()
            until_lost(reactor, protocol)

    assert run(scenario) == ["made", *([b"hello"] if late else []), b"HELLO", DONE]


@on_reactors
def test_a_log_prefix_put_in_place_for_a_while(run):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol):
            transport = protocol.transport
            before = transport.logPrefix()
            with mock.patch.object(transport, "logPrefix", return_value="mine"):
                trace.append(transport.logPrefix())
            trace.append(transport.logPrefix() == before)
            with pytest.raises(AttributeError):
                del transport.logPrefix
            with pytest.raises(TypeError, match="attribute name must be string"):
                transport.__setattr__(1, 2)

    assert run(scenario) == ["made", "mine", True]


@on_reactors
def test_a_log_prefix_that_cannot_be_shown(run):
    class Hidden:
        def __str__(self):
            raise ValueError("mine")

    def scenario(reactor, trace):
        protocol = Traced(trace)
        protocol.logPrefix = Hidden
        port = reactor.listenTCP(0, Handing(protocol), interface="127.0.0.1")
        with socket.create_connection(("127.0.0.1", port.getHost().port)) as peer:
            peer.setblocking(False)
            trace.append(ending(reactor, peer))
        port.stopListening()

    assert run(scenario) == [("logged", "ValueError", "mine"), (b"", "closed")]


@on_reactors
@pytest.mark.parametrize("when", ["before", "made"])
def test_a_log_prefix_set_on_the_protocol(run, when):
    def scenario(reactor, trace):
        def name(protocol):
            protocol.logPrefix = lambda: "mine"

        protocol = Traced(trace, made=name) if when == "made" else Traced(trace)
        if when == "before":
            name(protocol)
        with connected(reactor, protocol) as peer:
            peer.send(b"data")
            run_until(reactor, lambda: protocol.data)
            trace.append(protocol.transport.logstr.split(",")[0])
            protocol.transport.protocol = other = Traced(trace)
            trace.append(protocol.transport.logstr.split(",")[0])
            other.makeConnection(protocol.transport)
            peer.close()
            until_lost(reactor, other)
            trace.append(protocol.transport.logstr.split(",")[0])

    # Twisted asks when it accepts.
    prefix = "mine" if when == "before" else "Traced"
    assert run(scenario) == ["made", prefix, prefix, "made", DONE, prefix]


@on_reactors
@pytest.mark.parametrize("size", [1, 5])
@pytest.mark.parametrize("taker", ["doRead", "reader"])
def test_nobody_else_is_told_to_read_on(run, size, taker):
    """A read that may have left something is no reason to tell another to read."""

    class Reader:
        def __init__(self, reactor, protocol, trace):
            self.reactor, self.protocol, self.trace = reactor, protocol, trace

        def fileno(self):
            return self.protocol.transport.fileno()

        def logPrefix(self):
            return "reader"

        def doRead(self):
            self.trace.append("read")
            self.reactor.removeReader(self)

        def connectionLost(self, reason):
            self.trace.append("reader lost")

    def scenario(reactor, trace):
        def put_in_place(protocol):
            def read():
                trace.append("read")
                protocol.transport.stopReading()

            reader = Reader(reactor, protocol, trace)
            if taker == "doRead":
                protocol.transport.doRead = read
            elif not readers:
                protocol.transport.stopReading()
                reactor.addReader(reader)
                readers.append(reader)

        def made(protocol):
            protocol.transport.bufferSize = size

        readers = []
        protocol = Traced(trace, made=made, data=put_in_place)
        with connected(reactor, protocol) as peer:
            peer.send(bytes(size))
            run_until(reactor, lambda: protocol.data)
            run_turns(reactor)
            trace.append("more")
            peer.send(bytes(size))
            run_until(reactor, lambda: "read" in trace)
        trace.append(len(protocol.data))

    assert run(scenario) == ["made", "more", "read", size]


@on_reactors
@pytest.mark.parametrize("when", ["connecting", "connected"])
def test_a_client_whose_socket_somebody_has(run, when):
    """It may do without the object that it connected with, unless that is held."""

    def scenario(reactor, trace):
        protocol = Traced(trace)
        held = []
        with contextlib.ExitStack() as stack:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            number = listener.getsockname()[1]
            connector = reactor.connectTCP("127.0.0.1", number, Handing(protocol))
            if when == "connecting":
                run_until(reactor, lambda: hasattr(connector.transport, "socket"))
                held.append(connector.transport.socket)
            run_until(reactor, lambda: protocol.transport)
            if when == "connected":
                held.append(protocol.transport.getHandle())
            peer = stack.enter_context(listener.accept()[0])
            peer.setblocking(False)
            trace.append(held[0] is protocol.transport.socket)
            trace.append(held[0].fileno() == protocol.transport.fileno() >= 0)
            trace.append(held[0].getpeername() == ("127.0.0.1", number))
            trace.append(held[0].gettimeout())
            peer.send(b"data")
            run_until(reactor, lambda: protocol.data)
            trace.append(held[0].send(b"past the transport"))
            trace.append(received(reactor, peer, 18))
            protocol.transport.loseConnection()
            until_lost(reactor, protocol)
            trace.append((held[0].fileno(), protocol.transport.fileno()))
            trace.append(hasattr(protocol.transport, "socket"))

    assert run(scenario) == [
        *("made", True, True, True, 0.0, 18, b"past the transport"),
        *(DONE, (-1, -1), False),
    ]


@on_reactors
def test_a_client_s_address_and_options(run):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, "tcp client") as peer:
            transport = protocol.transport
            host, other = transport.getHost(), transport.getPeer()
            trace.append((host.type, host.host, host.port == peer.getpeername()[1]))
            trace.append((other.type, other.host, other.port == peer.getsockname()[1]))
            for on in [True, False]:
                transport.setTcpNoDelay(on)
                transport.setTcpKeepAlive(on)
                trace.append((transport.getTcpNoDelay(), transport.getTcpKeepAlive()))
            peer.send(b"data")
            run_until(reactor, lambda: protocol.data)
            transport.abortConnection()
            until_lost(reactor, protocol)
            trace.append((transport.fileno(), transport.connected, hasattr(transport, "protocol")))

    address = ("TCP", "127.0.0.1", True)
    assert run(scenario) == [
        *("made", address, address, (True, True), (False, False), ("lost", "ConnectionAborted")),
        (-1, 0, False),
    ]


def test_a_client_does_without_a_socket_object():
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            connector = reactor.connectTCP(*listener.getsockname(), Handing(protocol))
            run_until(reactor, lambda: hasattr(connector.transport, "socket"))
            held = weakref.ref(connector.transport.socket)
            run_until(reactor, lambda: protocol.transport)
            trace.append(held())
            number = protocol.transport.fileno()
            trace.append(protocol.transport.socket.fileno() == number >= 0)
            protocol.transport.abortConnection()
            until_lost(reactor, protocol)

    assert ours_reactor(scenario) == ["made", None, True, ("lost", "ConnectionAborted")]
