"""What a connection calls of its protocol, and in which order."""

import contextvars

import pytest

from helpers.scenarios import outcome, turns
from helpers.transports import (
    KINDS,
    Buffered,
    Peer,
    Plain,
    connected,
    on_transports,
    run_turns,
    run_until,
)

on_kinds = pytest.mark.parametrize("kind", KINDS)
on_protocols = pytest.mark.parametrize("made", [Plain, Buffered])

LOST = ("connection_lost", None)
MADE = ("connection_made",)


@on_transports
@on_kinds
@on_protocols
@pytest.mark.parametrize("keep", [None, False, True])
def test_each_method_in_its_turn(run, kind, made, keep):
    def scenario(loop, trace):
        def soon(protocol, name):
            loop.call_soon(trace.append, ("soon", name))
            return keep if name == "eof" else None

        names = {"data_received": "data", "buffer_updated": "data", "eof_received": "eof"}
        hooks = {
            method: lambda protocol, name=name: soon(protocol, name)
            for method, name in (
                names | {"connection_made": "made", "connection_lost": "lost"}
            ).items()
        }
        protocol = made(trace, **hooks)
        with connected(loop, protocol, kind) as sock:
            peer = Peer(sock, protocol.transport)
            trace.append("all of it is there")
            peer.send(b"one")
            peer.send(b"two")
            peer.shutdown()
            run_turns(loop, trace, 4)
            trace.append(protocol.transport.is_closing())
            protocol.transport.write(b"more")
            trace.append(peer.received())
            protocol.transport.close()
            run_turns(loop, trace, 2)

    trace = run(scenario)
    trace = trace[trace.index("all of it is there") + 1 :]
    data = ["turn", ("data", b"onetwo"), "turn", ("soon", "data"), ("eof_received",)]
    if keep:
        rest = ["turn", ("soon", "eof"), "turn", False, b"more", "turn", LOST, "turn"]
        assert trace == [*data, *rest, ("soon", "lost")]
    else:
        rest = ["turn", ("soon", "eof"), LOST, "turn", ("soon", "lost"), True, (b"", "EOF")]
        assert trace == [*data, *rest, "turn", "turn"]


@on_transports
@on_kinds
@pytest.mark.parametrize("waits", [False, True])
def test_made_before_anything_else(run, kind, waits):
    """What is asked for in connection_made comes between it and the first data."""

    def scenario(loop, trace):
        def begin(protocol):
            transport = protocol.transport
            loop.call_soon(trace.append, "soon")
            trace.append((transport.is_reading(), transport.is_closing()))
            if waits:
                transport.pause_reading()
                loop.call_soon(transport.resume_reading)
            transport.write(b"hello")

        protocol = Plain(trace, connection_made=begin)
        with connected(loop, protocol, kind) as sock:
            peer = Peer(sock, protocol.transport)
            # Until it reads again.
            turns(loop, 3)
            trace.append(peer.received())
            peer.send(b"question")
            run_turns(loop, trace, 2)

    trace = [event for event in run(scenario) if event != "soon"]
    assert trace == [MADE, (True, False), b"hello", "turn", ("data", b"question"), "turn"]


@on_transports
@on_kinds
@pytest.mark.parametrize("first", [Plain, Buffered])
@pytest.mark.parametrize("second", [Plain, Buffered])
@pytest.mark.parametrize("where", ["data", "outside", "made", "eof"])
def test_another_protocol(run, kind, first, second, where):
    def scenario(loop, trace):
        new = second(trace, "new")

        def switch(protocol):
            transport = protocol.transport
            transport.set_protocol(new)
            new.transport = transport
            trace.append(transport.get_protocol() is new)
            return True

        method = {
            "data": "data_received" if first is Plain else "buffer_updated",
            "made": "connection_made",
            "eof": "eof_received",
        }.get(where)
        old = first(trace, "old", **({method: switch} if method else {}))
        with connected(loop, old, kind) as sock:
            peer = Peer(sock, old.transport)
            if where == "outside":
                switch(old)
            peer.send(b"one")
            run_turns(loop, trace, 1)
            peer.send(b"two")
            run_turns(loop, trace, 1)
            peer.shutdown()
            run_turns(loop, trace, 1)
            old.transport.close()
            run_turns(loop, trace, 1)

    trace = run(scenario)
    owner = {"made": "new", "outside": "new"}.get(where, "old")
    assert (owner, "data", b"one") in trace
    assert ("old" if where == "eof" else "new", "data", b"two") in trace
    assert trace[-1] == ("new", "connection_lost", None)


@on_transports
@on_kinds
def test_pausing_and_resuming(run, kind):
    def scenario(loop, trace):
        protocol = Plain(trace)
        with connected(loop, protocol, kind) as sock:
            transport = protocol.transport
            peer = Peer(sock, transport)

            def pause(_protocol):
                transport.pause_reading()
                transport.pause_reading()
                trace.append(transport.is_reading())

            protocol.hooks["data_received"] = pause
            transport.resume_reading()
            peer.send(b"one")
            run_turns(loop, trace, 2)
            peer.send(b"two")
            peer.shutdown()
            run_turns(loop, trace, 2)
            protocol.hooks.clear()
            loop.call_soon(transport.resume_reading)
            loop.call_soon(trace.append, "resumed")
            run_turns(loop, trace, 5)
            transport.resume_reading()
            transport.pause_reading()
            trace.append(transport.is_reading())

    assert run(scenario) == [
        *(MADE, "turn", ("data", b"one"), False, "turn", "turn", "turn"),
        *("turn", "resumed", "turn", ("data", b"two"), "turn", ("eof_received",)),
        *("turn", LOST, "turn", False),
    ]


@on_transports
@on_kinds
@on_protocols
@pytest.mark.parametrize("how", ["close", "reset", "shutdown"])
def test_resumed_in_the_iteration_in_which_something_has_come(run, kind, made, how):
    """What the poll has reported by then is read in the next iteration."""

    def scenario(loop, trace):
        protocol = made(trace)
        with connected(loop, protocol, kind) as sock:
            transport = protocol.transport
            peer = Peer(sock, transport)
            for data in (b"one", b"two"):
                # These come before what the poll reports.
                loop.call_soon(transport.pause_reading)
                loop.call_soon(transport.resume_reading)
                peer.send(data)
                run_turns(loop, trace, 3)
            loop.call_soon(transport.pause_reading)
            loop.call_soon(transport.resume_reading)
            getattr(peer, how)()
            run_turns(loop, trace, 4)

    trace = run(scenario)
    data = [("turn", "turn", ("data", said), "turn") for said in (b"one", b"two")]
    assert trace[:9] == [MADE, *data[0], *data[1]]
    last = [line for line in trace[9:] if line != "turn"]
    assert trace[9:11] == ["turn", "turn"]
    assert last[-1][0] == "connection_lost"


@on_transports
@on_kinds
@pytest.mark.parametrize("how", ["close", "reset", "shutdown"])
def test_a_peer_that_ends_while_paused(run, kind, how):
    def scenario(loop, trace):
        protocol = Plain(trace)
        with connected(loop, protocol, kind) as sock:
            transport = protocol.transport
            peer = Peer(sock, transport)
            transport.pause_reading()
            peer.send(b"last")
            getattr(peer, how)()
            run_turns(loop, trace, 3)
            trace.append((transport.is_closing(), transport.is_reading()))
            transport.resume_reading()
            run_turns(loop, trace, 4)

    trace = run(scenario)
    assert trace[:5] == [MADE, "turn", "turn", "turn", (False, False)]
    assert trace[-2][0] == "connection_lost" or trace[-3][0] == "connection_lost"


@on_transports
@on_kinds
@pytest.mark.parametrize("how", ["close", "abort"])
@pytest.mark.parametrize("where", ["connection_made", "data_received", "eof_received", "soon"])
def test_ended_within_each_method(run, kind, how, where):
    def scenario(loop, trace):
        def end(protocol):
            getattr(protocol.transport, how)()
            trace.append((protocol.transport.is_closing(), protocol.transport.is_reading()))
            loop.call_soon(trace.append, "soon")
            return True

        protocol = Plain(trace, **({where: end} if where != "soon" else {}))
        with connected(loop, protocol, kind) as sock:
            if where != "connection_made":
                peer = Peer(sock, protocol.transport)
                if where == "soon":
                    loop.call_soon(end, protocol)
                peer.send(b"data")
                run_turns(loop, trace, 1)
                trace.append(outcome(peer.shutdown))
            run_turns(loop, trace, 4)

    trace = run(scenario)
    assert trace.count(LOST) == 1
    ended = trace.index((True, False))
    assert [event for event in trace[ended:] if event not in ("turn", None)] == [
        *((True, False), LOST, "soon")
    ]


@on_transports
@on_kinds
def test_the_context_of_the_protocols_methods(run, kind):
    """A connection's methods run in the context that it was made in."""

    def scenario(loop, trace):
        variable = contextvars.ContextVar("variable", default="none")

        def see(_protocol):
            trace.append(variable.get())
            variable.set("changed")

        methods = ["data_received", "eof_received", "connection_lost", "connection_made"]
        protocol = Plain(trace, **dict.fromkeys(methods, see))
        context = contextvars.copy_context()
        context.run(variable.set, "made in")

        def whole():
            with connected(loop, protocol, kind) as sock:
                peer = Peer(sock, protocol.transport)
                peer.send(b"data")
                turns(loop, 2)
                peer.shutdown()
                run_until(loop, lambda: protocol.lost)

        context.run(whole)

    trace = run(scenario)
    assert next(event for event in trace if isinstance(event, str)) == "made in"
    assert trace[-2] == LOST
