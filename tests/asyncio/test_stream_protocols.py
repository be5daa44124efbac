"""What a connection calls of its protocol, in which order, and what if that raises."""

import asyncio
import contextvars
import socket

import pytest

from helpers.scenarios import described, outcome, turns
from helpers.transports import (
    KINDS,
    Buffered,
    Peer,
    Plain,
    connected,
    events,
    normalized,
    on_transports,
    run_until,
)

on_kinds = pytest.mark.parametrize("kind", KINDS)
on_protocols = pytest.mark.parametrize("made", [Plain, Buffered])

LOST = ("connection_lost", None)
MADE = ("connection_made",)


def run_turns(loop, trace, count):
    """Some turns, each of them in the trace, and what is let out of them."""
    for _ in range(count):
        trace.append("turn")
        try:
            turns(loop)
        except BaseException as error:
            trace.append(("let out", described(error)))


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


LET_OUT = [SystemExit, KeyboardInterrupt]
ERRORS = [ValueError, OSError, ConnectionResetError, asyncio.CancelledError]
METHODS = [
    *("data_received", "get_buffer", "buffer_updated", "eof_received", "connection_lost"),
    *("pause_writing", "resume_writing"),
]
RAISING = [
    *((method, error) for method in METHODS for error in ERRORS + LET_OUT),
    *(("connection_made", error) for error in ERRORS),
]
# Stock calls these again in later turns, for what they are called about is still there.
AGAIN = [(method, error) for method in ("get_buffer", "eof_received") for error in LET_OUT]
RAISING = [case for case in RAISING if case not in AGAIN]


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


BUFFERS = {
    "empty": lambda: bytearray(),
    "readonly": lambda: b"0123456789",
    "one": lambda: bytearray(1),
    "three": lambda: memoryview(bytearray(3)),
    "none": lambda: None,
    "text": lambda: "text",
    "number": lambda: 1,
    "gaps": lambda: memoryview(bytearray(20))[::2],
    "integers": lambda: memoryview(bytearray(32)).cast("I"),
}


@on_transports
@on_kinds
@pytest.mark.parametrize("name", BUFFERS)
def test_buffers_of_any_kind(run, kind, name):
    def scenario(loop, trace):
        protocol = Buffered(trace)
        with connected(loop, protocol, kind) as sock:
            peer = Peer(sock, protocol.transport)
            kept = []

            def give(_protocol):
                kept.append(BUFFERS[name]())
                return kept[-1]

            protocol.hooks["get_buffer"] = give
            protocol.hooks["buffer_updated"] = lambda _: trace.append("updated")
            peer.send(b"01234567")
            turns(loop, 10)
            trace.append(protocol.transport.is_closing())

    trace = run(scenario)
    assert trace[-1] is (name not in ("one", "three", "integers"))
    if name == "empty":
        error = ("RuntimeError", "get_buffer() returned an empty buffer")
        assert ("connection_lost", error) in trace
    elif name in ("one", "three"):
        size = len(BUFFERS[name]())
        pieces = [b"01234567"[start : start + size] for start in range(0, 8, size)]
        assert events(trace, "data") == [(piece,) for piece in pieces]
    elif name == "integers":
        assert trace.count("updated") == 1
    else:
        assert len(events(trace, "reported")) == 1


@on_transports
@on_kinds
@pytest.mark.parametrize("hint", [True])
def test_the_hint_of_a_buffers_size(run, kind, hint):
    def scenario(loop, trace):
        class Hinted(Buffered):
            def get_buffer(self, hint):
                trace.append(("hint", hint))
                return super().get_buffer(hint)

        protocol = Hinted(trace)
        with connected(loop, protocol, kind) as sock:
            peer = Peer(sock, protocol.transport)
            peer.send(b"data")
            turns(loop, 1)

    assert run(scenario) == [MADE, ("hint", -1), ("data", b"data")]


@on_transports
@on_kinds
@pytest.mark.parametrize("buffer", ["bytearray", "kept"])
def test_a_buffer_is_its_owners_again(run, kind, buffer):
    """Nothing holds it once buffer_updated is called: it may be resized."""

    def scenario(loop, trace):
        def update(protocol):
            protocol.mine[:] = b""
            protocol.mine.extend(b"\0" * 100)

        class Own(Buffered):
            mine = bytearray(100)

            def get_buffer(self, hint):
                self.buffer = self.mine if buffer == "kept" else bytearray(self.mine)
                return self.buffer

        protocol = Own(trace, buffer_updated=update)
        with connected(loop, protocol, kind) as sock:
            peer = Peer(sock, protocol.transport)
            for word in (b"one", b"two"):
                peer.send(word)
                turns(loop, 1)
                trace.append("next")
            trace.append(protocol.transport.is_closing())

    assert run(scenario) == [MADE, ("data", b"one"), "next", ("data", b"two"), "next", False]


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
