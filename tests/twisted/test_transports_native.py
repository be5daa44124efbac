"""That the transports are the native ones, and that Python's sockets do nothing."""

import _socket
import functools
import inspect
import os
import socket
import sys

import pytest
from twisted.internet import tcp, unix

from helpers.loops import ours_reactor
from helpers.streams import Traced, connected, ending, on_ends, received, run_until, until_lost
from tornado4 import _core
from tornado4.platform.twisted import TornadoReactor, _tcp, _unix

CLASSES = {
    "tcp server": (_tcp.Server, tcp.Server),
    "tcp client": (_tcp.Client, tcp.Client),
    "tcp6 server": (_tcp.Server, tcp.Server),
    "tcp6 client": (_tcp.Client, tcp.Client),
    "unix server": (_unix.Server, unix.Server),
    "unix client": (_unix.Client, unix.Client),
}


@on_ends
def test_the_classes(end):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol, end):
            mine, stock = CLASSES[end]
            trace.append(type(protocol.transport) is mine)
            for base in [stock, tcp.Connection, _core.StreamTransport]:
                trace.append(isinstance(protocol.transport, base))

    assert ours_reactor(scenario) == ["made", True, True, True, True]


class Raw:
    """A socket past Python's own methods."""

    def __init__(self, sock):
        self.sock = sock

    def send(self, data):
        return _socket.socket.send(self.sock, data)

    def recv(self, count):
        return _socket.socket.recv(self.sock, count)


@on_ends
def test_python_s_sockets_neither_read_nor_write(end, monkeypatch):
    def refuse(self, *args):
        raise AssertionError("Python's socket was used")

    def scenario(reactor, trace):
        protocol = Traced(trace, data=lambda self: self.transport.write(self.data))
        with connected(reactor, protocol, end) as peer:
            for name in ["recv", "recv_into", "recvmsg", "send", "sendall", "sendmsg", "sendto"]:
                monkeypatch.setattr(socket.socket, name, refuse, raising=False)
            peer.setblocking(False)
            raw = Raw(peer)
            raw.send(b"hello")
            trace.append(received(reactor, raw, 5))
            protocol.transport.loseConnection()
            until_lost(reactor, protocol)
            trace.append(ending(reactor, raw))
            monkeypatch.undo()

    done = ("lost", "ConnectionDone")
    assert ours_reactor(scenario) == ["made", b"hello", done, (b"", "closed")]


def test_a_server_makes_no_socket_object():
    def scenario(reactor, trace):
        made = []
        init = socket.socket.__init__

        def counted(self, *args, **kwargs):
            made.append(self)
            init(self, *args, **kwargs)

        protocol = Traced(trace, data=lambda self: self.transport.write(self.data))
        with connected(reactor, protocol) as peer, pytest.MonkeyPatch.context() as patch:
            patch.setattr(socket.socket, "__init__", counted)
            transport = protocol.transport
            peer.send(b"hello")
            trace.append(received(reactor, peer, 5))
            transport.setTcpNoDelay(True)
            transport.setTcpKeepAlive(True)
            transport.getHost(), transport.getPeer(), repr(transport), transport.logPrefix()
            peer.close()
            until_lost(reactor, protocol)
            trace.append(len(made))

    assert ours_reactor(scenario) == ["made", b"hello", ("lost", "ConnectionDone"), 0]


def test_children_don_t_inherit_a_connection():
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol):
            fd = protocol.transport.fileno()
            trace.append((os.get_inheritable(fd), os.get_blocking(fd)))

    assert ours_reactor(scenario) == ["made", (False, False)]


def test_a_reactor_with_methods_of_its_own_is_asked():
    asked = []

    class Watching(TornadoReactor):
        def addReader(self, reader):
            asked.append(("addReader", type(reader).__name__))
            super().addReader(reader)

        def addWriter(self, writer):
            asked.append(("addWriter", type(writer).__name__))
            super().addWriter(writer)

    from tornado4.ioloop import IOLoop

    io_loop = IOLoop(make_current=False)
    reactor = Watching(io_loop)
    protocol = Traced([], data=lambda self: self.transport.write(self.data))
    with connected(reactor, protocol) as peer:
        peer.send(b"hello")
        assert received(reactor, peer, 5) == b"hello"
        peer.close()
        until_lost(reactor, protocol)
    reactor.disconnectAll()
    io_loop.close()
    assert [event for event in asked if event[1] == "Server"] == [
        ("addReader", "Server"),
        ("addWriter", "Server"),
    ]


@pytest.mark.parametrize("name", ["Server", "Client", "Port", "Connector"])
@pytest.mark.parametrize("module", [_tcp, _unix])
def test_public_methods_take_what_twisted_s_take(module, name):
    mine = getattr(module, name)
    stock = getattr({_tcp: tcp, _unix: unix}[module], name)
    for method, function in inspect.getmembers(stock, inspect.isfunction):
        if method.startswith("_") or method in ["fileno", "logPrefix"]:
            continue
        ours = getattr(mine, method)
        if inspect.isdatadescriptor(ours):
            continue  # doRead and doWrite, attributes of the instance
        if (module, name, method) == (_tcp, "Server", "doRead"):
            continue
        names = [
            [
                n.strip("_")
                for n, p in inspect.signature(f).parameters.items()
                if p.default is p.empty
            ]
            for f in (ours, function)
        ]
        assert len(names[0]) == len(names[1]), method


def test_a_transport_of_nothing():
    transport = _core.StreamTransport()
    assert transport.fileno() == -1
    assert not transport.connected
    assert transport.logstr == "Uninitialized"
    assert transport.write(b"nowhere") is None
    assert transport.dataBuffer == b""
    for name in ["socket", "protocol", "reactor", "server"]:
        with pytest.raises(AttributeError):
            getattr(transport, name)
    with pytest.raises(TypeError, match="Data must be bytes"):
        transport.write("text")
    with pytest.raises(AttributeError):
        transport.startReading()
    assert transport.connectionLost(None) is None


def test_waiting_data_is_shown():
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol) as peer:
            transport = protocol.transport

            def look():
                transport.write(b"one")
                transport.writeSequence([b"two", b"three"])
                trace.append((bytes(transport.dataBuffer), transport.offset))
                trace.append(transport._tempDataLen)

            reactor.callLater(0, look)
            run_until(reactor, lambda: len(trace) == 3)
            trace.append(received(reactor, peer, 11))
            trace.append(bytes(transport.dataBuffer))

    assert ours_reactor(scenario) == ["made", (b"onetwothree", 0), 0, b"onetwothree", b""]


@pytest.mark.parametrize("name", ["doRead", "logPrefix", "_closeSocket"])
def test_a_method_knows_its_name(name):
    method = getattr(_tcp.Server, name)
    assert method.__name__ == name
    assert method.__qualname__ == f"StreamTransport.{name}"
    assert functools.wraps(method)(lambda transport: None).__name__ == name


def test_a_transport_is_small():
    """Of 100,000 idle connections each counts; Twisted's own takes twice as much."""
    # Before 3.11 without the room for the pointer to the attributes.
    with_headers = 32 if sys.version_info >= (3, 11) else 16
    assert _tcp.Server.__basicsize__ + with_headers <= 224


@pytest.mark.parametrize("how", ["deleted", "set", "deleted and set"])
@pytest.mark.parametrize("name", ["client", "hostname", "repstr"])
def test_attributes_that_are_made_when_asked_for(name, how):
    def scenario(reactor, trace):
        protocol = Traced(trace)
        with connected(reactor, protocol):
            transport = protocol.transport
            assert getattr(transport, name) is getattr(transport, name)
            if "deleted" in how:
                delattr(transport, name)
                with pytest.raises(AttributeError, match=name):
                    getattr(transport, name)
                with pytest.raises(AttributeError, match=name):
                    delattr(transport, name)
                assert name not in vars(transport)
            if "set" in how:
                setattr(transport, name, "mine")
                assert getattr(transport, name) == vars(transport)[name] == "mine"

    assert ours_reactor(scenario) == ["made"]
