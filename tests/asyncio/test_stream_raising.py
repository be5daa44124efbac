"""Protocols of asyncio's connections that raise: what is reported, what is let out."""

import asyncio
import socket

import pytest

from helpers.scenarios import outcome
from helpers.transports import (
    KINDS,
    Buffered,
    Peer,
    Plain,
    connected,
    events,
    on_transports,
    run_turns,
)

on_kinds = pytest.mark.parametrize("kind", KINDS)
on_protocols = pytest.mark.parametrize("made", [Plain, Buffered])

LOST = ("connection_lost", None)
MADE = ("connection_made",)


LET_OUT = [SystemExit, KeyboardInterrupt]
ERRORS = [ValueError, OSError, ConnectionResetError, asyncio.CancelledError]
METHODS = [
    *("data_received", "get_buffer", "buffer_updated", "eof_received", "connection_lost"),
    *("pause_writing", "resume_writing"),
]
RAISING = [
    # Stock calls two of them again in later turns where SystemExit is let out, for what
    # they are called about is still there.
    *(
        (method, error)
        for method in METHODS
        for error in ERRORS + LET_OUT
        if error in ERRORS or method not in ("get_buffer", "eof_received")
    ),
    *(("connection_made", error) for error in ERRORS),
]


@on_transports
@pytest.mark.parametrize("kind", ["tcp server", "unix client"])
@on_protocols
@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize(("method", "error"), RAISING)
def test_each_method_raises(run, kind, made, method, error, debug):
    if method in ("get_buffer", "buffer_updated") and made is Plain:
        method = "data_received"
    elif method == "data_received" and made is Buffered:
        method = "buffer_updated"

    def scenario(loop, trace):
        def fail(_protocol):
            raise error(f"in {method}")

        loop.set_debug(debug)
        protocol = made(trace)
        if method == "connection_made":
            protocol.hooks[method] = fail
        with connected(loop, protocol, kind, buffers=8192) as sock:
            peer = Peer(sock, protocol.transport)
            protocol.hooks[method] = fail
            if "writing" in method:
                peer.clog()
                loop.call_soon(protocol.transport.write, b"x" * 70_000)
                run_turns(loop, trace, 1)
                while protocol.transport.get_write_buffer_size():
                    peer.received()
                    run_turns(loop, trace, 1)
                    # How many it takes is the kernel's affair.
                    trace.remove("turn")
                trace.append(protocol.transport.is_closing())
            peer.send(b"data")
            run_turns(loop, trace, 2)
            trace.append(outcome(peer.shutdown))
            run_turns(loop, trace, 3)
            trace.append(protocol.transport.is_closing())
            trace.append(peer.received()[-3:])

    trace = run(scenario)
    raised = (error.__name__, f"in {method}")
    reports = [dict(context) for (context,) in events(trace, "reported")]
    if error in LET_OUT:
        assert events(trace, "let out") == [(raised,)]
        assert reports == []
    elif method == "connection_made" or method == "connection_lost":
        # From the callback that calls it.
        assert [report["exception"] for report in reports] == [raised]
    elif "writing" in method:
        assert [(report["message"], report["exception"]) for report in reports] == [
            (f"protocol.{method}() failed", raised)
        ]
    else:
        told = [(report["message"], report["exception"]) for report in reports]
        silent = issubclass(error, OSError)
        message = f"Fatal error: protocol.{method}() call failed."
        assert told == ([] if silent else [(message, raised)])
        assert ("connection_lost", raised) in trace


def let_out_once(loop, trace, kind, method, error):
    def fail(protocol):
        del protocol.hooks[method]
        raise error("once")

    protocol = Buffered(trace, **{method: fail})
    with connected(loop, protocol, kind) as sock:
        peer = Peer(sock, protocol.transport)
        peer.send(b"data")
        run_turns(loop, trace, 6)
        peer.shutdown()
        run_turns(loop, trace, 6)
        trace[:] = [event for event in trace if event != "turn"]


@on_transports
@on_kinds
@pytest.mark.parametrize("error", LET_OUT)
def test_data_whose_buffer_was_not_given_is_still_read(run, kind, error):
    out = ("let out", (error.__name__, "once"))
    trace = run(lambda *args: let_out_once(*args, kind, "get_buffer", error))
    assert trace == [MADE, out, ("data", b"data"), ("eof_received",), LOST]


@on_transports
@on_kinds
@pytest.mark.parametrize("error", LET_OUT)
def test_an_end_that_was_let_out_is_told_again(run, kind, error):
    out = ("let out", (error.__name__, "once"))
    trace = run(lambda *args: let_out_once(*args, kind, "eof_received", error))
    end = ("eof_received",)
    assert trace == [MADE, ("data", b"data"), end, out, end, LOST]


@on_transports
@pytest.mark.parametrize("error", LET_OUT)
def test_connection_made_lets_it_out(run, error):
    def scenario(loop, trace):
        def fail(_protocol):
            raise error("in connection_made")

        protocol = Plain(trace, connection_made=fail)
        server = loop.run_until_complete(loop.create_server(lambda: protocol, "127.0.0.1", 0))
        with socket.create_connection(server.sockets[0].getsockname()) as sock:
            run_turns(loop, trace, 3)
            # It is connected all the same.
            sock.send(b"data")
            run_turns(loop, trace, 2)
            trace.append(protocol.transport.is_closing())
            protocol.transport.close()
            server.close()
            run_turns(loop, trace, 2)
            # In which of them it is accepted is nobody's affair.
            trace[:] = [event for event in trace if event != "turn"]

    trace = run(scenario)
    assert trace == [
        *(MADE, ("let out", (error.__name__, "in connection_made")), ("data", b"data"), False, LOST)
    ]
