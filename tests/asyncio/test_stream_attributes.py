"""What a connection of asyncio's says about itself."""

import asyncio
import socket

import pytest

from helpers.scenarios import outcome, turns
from helpers.transports import (
    KINDS,
    Peer,
    Plain,
    connected,
    normalized,
    on_transports,
)

on_kinds = pytest.mark.parametrize("kind", KINDS)

LOST = ("connection_lost", None)
MADE = ("connection_made",)


@on_transports
@pytest.mark.parametrize("kind", ["tcp server"])
def test_the_socket_is_first_asked_for_after_the_end(run, kind):
    def scenario(loop, trace):
        protocol = Plain(trace)
        with connected(loop, protocol, kind):
            protocol.transport.abort()
            turns(loop, 2)
            own = protocol.transport.get_extra_info("socket")
            trace.append(own and own.fileno())

    assert run(scenario) == [MADE, LOST, -1]


NAMES = [
    *("socket", "sockname", "peername", "nothing", "sslcontext", "ssl_object", "pipe"),
    *("compression", "cipher", "peercert", "subprocess"),
]


@on_transports
@on_kinds
def test_extra_info(run, kind):
    def scenario(loop, trace):
        protocol = Plain([])
        with connected(loop, protocol, kind) as sock:
            transport = protocol.transport
            infos = {name: transport.get_extra_info(name, "default") for name in NAMES}
            own = infos.pop("socket")
            trace.append(isinstance(own, asyncio.trsock.TransportSocket))
            trace.append(normalized(repr(own))[:34])
            trace.append(own.getsockname() == infos.pop("sockname"))
            trace.append(infos.pop("peername") == own.getpeername())
            trace.append((own.family, own.type, own.gettimeout()))
            trace.append(own is transport.get_extra_info("socket"))
            trace.append(infos)
            trace.append(own.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
            if own.family == socket.AF_INET:
                trace.append(own.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0)
                trace.append(transport.get_extra_info("peername") == sock.getsockname())
            fd = own.fileno()
            for method in ("add_reader", "add_writer", "remove_reader", "remove_writer"):
                args = (fd, print) if method.startswith("add") else (fd,)
                found = outcome(getattr(loop, method), *args)
                trace.append(normalized(str(found)).replace(str(fd), "N"))
            transport.close()
            turns(loop, 2)
            trace.append((own.fileno(), transport.get_extra_info("socket") is own))
            trace.append(transport.get_extra_info("sockname") is not None)

    trace = run(scenario)
    assert trace[:4] == [True, "<asyncio.TransportSocket fd=N, fam", True, True]
    assert trace[5:7] == [True, dict.fromkeys(set(NAMES) - SOCKET_NAMES, "default")]
    assert all("is used by transport" in event for event in trace[-6:-2])
    assert trace[-2:] == [(-1, True), True]


SOCKET_NAMES = {"socket", "sockname", "peername"}


@on_transports
@on_kinds
def test_what_it_is(run, kind):
    def scenario(loop, trace):
        protocol = Plain([])
        with connected(loop, protocol, kind, buffers=8192) as sock:
            transport = protocol.transport
            peer = Peer(sock, transport)
            trace.append(isinstance(transport, asyncio.Transport))
            trace.append(isinstance(transport, asyncio.ReadTransport | asyncio.WriteTransport))
            trace.append(transport.get_protocol() is protocol)
            trace.append(transport.can_write_eof())
            trace.append(normalized(repr(transport)))
            peer.clog()
            transport.write(b"x" * 100)
            transport.pause_reading()
            trace.append(normalized(repr(transport)))
            transport.close()
            trace.append(normalized(repr(transport)))
            transport.abort()
            turns(loop, 2)
            trace.append(normalized(repr(transport)))
            transport.anything = 1
            trace.append(transport.anything)

    assert run(scenario) == [
        *(True, True, True, True),
        "<Transport fd=N read=polling write=<idle, bufsize=0>>",
        "<Transport fd=N read=idle write=<polling, bufsize=100>>",
        "<Transport closing fd=N read=idle write=<polling, bufsize=100>>",
        "<Transport closed fd=N>",
        1,
    ]
