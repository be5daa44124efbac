"""Bad and odd input to asyncio's connections: limits, backlogs, a second beginning."""

import asyncio
import gc
import os
import socket
import sys

import pytest

from helpers.scenarios import outcome, turns
from helpers.transports import (
    Plain,
    connected,
    events,
    on_transports,
    ours_transports,
    run_until,
)

INF, NAN = float("inf"), float("nan")

# The arguments, and what is made of them: an exception, or whether 5 MB pause the writer.
LIMITS = [
    ({}, True),
    ({"high": 0}, True),
    ({"high": 100.5, "low": 1.5}, True),
    ({"low": 2.5}, True),
    ({"high": True}, True),
    ({"high": INF, "low": 0}, False),
    ({"high": INF, "low": INF}, False),
    ({"high": 2**70}, False),
    ({"high": 2**70, "low": 2**69}, False),
    ({"high": 10**400}, False),
    ({"high": INF}, "ValueError"),
    ({"high": NAN}, "ValueError"),
    ({"high": 10, "low": NAN}, "ValueError"),
    ({"high": -1}, "ValueError"),
    ({"low": -1}, "ValueError"),
    ({"high": 10, "low": 11}, "ValueError"),
    ({"high": "x"}, "TypeError"),
]


@on_transports
@pytest.mark.parametrize(
    ("limits", "expected"), LIMITS, ids=[str(number) for number in range(len(LIMITS))]
)
def test_limits(run, limits, expected):
    def scenario(loop, trace):
        protocol = Plain(trace)
        with connected(loop, protocol, "unix server"):
            transport = protocol.transport
            trace.append(("outcome", outcome(transport.set_write_buffer_limits, **limits)))
            transport.write(bytes(5_000_000))
            trace.append(("paused", ("pause_writing",) in trace))

    trace = run(scenario)
    (made_of_them,), (paused,) = events(trace, "outcome")[0], events(trace, "paused")[0]
    if isinstance(expected, str):
        assert made_of_them[0] == expected
        # As if nobody had asked.
        assert paused
    else:
        assert made_of_them is None
        assert paused == expected


@on_transports
@pytest.mark.parametrize("backlog", [-1, 0, -(2**31)])
def test_a_backlog_that_accepts_nobody(run, backlog):
    """The loop goes on, and others are served."""

    def scenario(loop, trace):
        protocol = Plain([])
        create = loop.create_server(lambda: protocol, "127.0.0.1", 0, backlog=backlog)
        server = loop.run_until_complete(create)
        with socket.create_connection(server.sockets[0].getsockname()):
            turns(loop, 5)
            trace.append(protocol.transport is not None)
            other = Plain([])
            with connected(loop, other, "tcp server") as peer:
                peer.send(b"served")
                run_until(loop, lambda: other.data)
                trace.append(other.data)
        server.close()
        if protocol.transport:
            run_until(loop, lambda: protocol.lost)
        turns(loop, 2)

    # From Python 3.14 on it accepts one more than the backlog.
    accepts = backlog == 0 and sys.version_info >= (3, 14)
    assert run(scenario) == [accepts, b"served"]


@on_transports
@pytest.mark.parametrize(
    ("backlog", "error"), [(2**70, "OverflowError"), (1.0, "TypeError"), ("x", "TypeError")]
)
def test_a_backlog_that_is_none(run, backlog, error):
    def scenario(loop, trace):
        create = loop.create_server(asyncio.Protocol, "127.0.0.1", 0, backlog=backlog)
        trace.append(outcome(loop.run_until_complete, create)[0])

    assert run(scenario) == [error]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="until then writelines() joins the pieces")
@on_transports
@pytest.mark.parametrize("kind", ["tcp server", "unix server"])
def test_writelines_keeps_bytes_as_they_are(run, kind):
    """Not a copy: the object itself, until it is sent or dropped."""

    def scenario(loop, trace):
        protocol = Plain([])
        with connected(loop, protocol, kind, buffers=8_000):
            transport = protocol.transport
            transport.write(bytes(5_000_000))
            piece = os.urandom(100_000)
            before = sys.getrefcount(piece)
            transport.writelines([piece])
            trace.append(sys.getrefcount(piece) - before)
            transport.abort()
            run_until(loop, lambda: protocol.lost)
            gc.collect()
            trace.append(sys.getrefcount(piece) - before)

    assert run(scenario) == [1, 0]


@pytest.mark.skipif(sys.version_info < (3, 13), reason="until then stock's server isn't told")
@on_transports
@pytest.mark.filterwarnings("ignore:unclosed transport:ResourceWarning")
def test_a_forgotten_connection_is_no_longer_its_servers(run):
    """One that doesn't read and that nobody holds: wait_closed() ends without it."""

    def scenario(loop, trace):
        kept = []

        class Forgotten(asyncio.Protocol):
            def connection_made(self, transport):
                transport.pause_reading()
                kept.append(transport)

        server = loop.run_until_complete(loop.create_server(Forgotten, "127.0.0.1", 0))
        with socket.create_connection(server.sockets[0].getsockname()):
            run_until(loop, lambda: kept)
            server.close()
            turns(loop, 2)
            kept.clear()
            gc.collect()
            waited = loop.create_task(server.wait_closed())
            turns(loop, 3)
            trace.append(waited.done())
            waited.cancel()
            turns(loop, 2)

    assert run(scenario) == [True]


def test_a_transport_begins_once():
    # Ours only: what begins a transport is ours. Whatever a refused beginning drops may
    # ask the transport while it goes.
    def scenario(loop, trace):
        class Asking:
            def __del__(self):
                trace.append(outcome(transport.is_reading))

            def cancelled(self):
                return True

        def begin(waiter):
            arguments = (loop, second, False, Plain(trace), waiter, {}, None)
            trace.append(outcome(transport._begin, *arguments))

        first, second = socket.socketpair()
        with second:
            first.setblocking(False)
            transport = loop._make_socket_transport(first, Plain(trace))
            transport._extra["asks"] = Asking()
            begin(Asking())
            transport._abandon()
            begin(Asking())
            transport = type(transport)()
            begin(Asking())
            turns(loop, 3)
            transport.abort()
            turns(loop, 2)

    trace = ours_transports(scenario)
    refused = ("RuntimeError", "the transport has begun already")
    assert trace.count(refused) == 2
    # One for each waiter, and one for what was left with the first transport: none of them
    # found the transport locked.
    assert len([event for event in trace if isinstance(event, bool)]) == 4
