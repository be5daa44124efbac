"""Whoever looks at a connection after a write sees what an immediate send has left.

How much is sent at once, and when exactly, is the transport's affair; that somebody
could tell, is not.
"""

import asyncio

import pytest

from helpers.scenarios import outcome, turns
from helpers.transports import (
    KINDS,
    Peer,
    Plain,
    connected,
    in_callback,
    on_transports,
)

on_kinds = pytest.mark.parametrize("kind", KINDS)

MUCH = bytes(range(64, 240)) * 50_000


@on_transports
@on_kinds
def test_the_size_is_what_the_kernel_has_not_taken(run, kind):
    def scenario(loop, trace):
        protocol = Plain(trace)
        with connected(loop, protocol, kind, buffers=8192) as sock:
            transport = protocol.transport

            def write():
                for data in (b"a", b"b" * 50):
                    transport.write(data)
                    trace.append(transport.get_write_buffer_size())
                transport.write(MUCH)
                left = transport.get_write_buffer_size()
                trace.append(0 < left < len(MUCH))
                transport.write(b"c" * 10)
                transport.write(b"d" * 10)
                trace.append(transport.get_write_buffer_size() - left)
                transport.abort()
                trace.append(transport.get_write_buffer_size())

            in_callback(loop, write)
            turns(loop, 2)
            got = Peer(sock, transport).received()[0]
            trace.append((b"a" + b"b" * 50 + MUCH).startswith(got) and len(got) > 51)

    pause = ("pause_writing",)
    assert run(scenario) == [
        *(("connection_made",), 0, 0, pause, True, 20, 0, ("connection_lost", None), True)
    ]


@on_transports
@on_kinds
@pytest.mark.parametrize(
    ("high", "low"), [(None, None), (0, None), (1, 0), (1001, 1000), (5000, 3), (65_536, 65_536)]
)
def test_the_water_marks_are_passed_within_the_write(run, kind, high, low):
    def scenario(loop, trace):
        protocol = Plain(trace)
        with connected(loop, protocol, kind, buffers=8192) as sock:
            transport = protocol.transport
            peer = Peer(sock, transport)
            transport.set_write_buffer_limits(high=high, low=low)
            marks = transport.get_write_buffer_limits()
            trace.append(marks)

            def write():
                loop.call_soon(trace.append, ("soon",))
                # One by one up to the mark, and past it.
                for size in (marks[1] // 2, marks[1] - marks[1] // 2, 1, 1):
                    transport.write(b"x" * size)
                    trace.append(("wrote", transport.get_write_buffer_size()))

            peer.clog()
            in_callback(loop, write)
            turns(loop)
            while transport.get_write_buffer_size():
                trace.append(isinstance(peer.received(), bytes))
                turns(loop)

    trace = run(scenario)
    high_mark = trace[1][1]
    paused = trace.index(("pause_writing",))
    # In the very write that passes it, which is the first one that does.
    assert trace[paused + 1] == ("wrote", high_mark + 1)
    assert trace[paused + 2 : paused + 4] == [("wrote", high_mark + 2), ("soon",)]
    assert trace.count(("pause_writing",)) == trace.count(("resume_writing",)) == 1


@on_transports
@on_kinds
def test_the_water_marks_are_lowered_while_data_waits(run, kind):
    def scenario(loop, trace):
        protocol = Plain(trace)
        with connected(loop, protocol, kind, buffers=8192) as sock:
            transport = protocol.transport
            peer = Peer(sock, transport)

            def write():
                transport.write(b"x" * 100)
                transport.set_write_buffer_limits(high=50)
                trace.append("lowered")
                transport.write(b"y")
                trace.append("wrote")

            peer.clog()
            in_callback(loop, write)
            for bad in [(-1, None), (1, 2), ("x", None), (None, -5)]:
                trace.append(outcome(transport.set_write_buffer_limits, *bad))
            trace.append(transport.get_write_buffer_limits())

    trace = run(scenario)
    assert trace[:4] == [("connection_made",), "lowered", ("pause_writing",), "wrote"] or (
        trace[:4] == [("connection_made",), ("pause_writing",), "lowered", "wrote"]
    )
    assert trace[4][0] == trace[5][0] == "ValueError"
    assert trace[-1] == (12, 50)


LOOKS = {
    "is_closing": lambda transport: transport.is_closing(),
    "is_reading": lambda transport: transport.is_reading(),
    "size": lambda transport: transport.get_write_buffer_size(),
    "write": lambda transport: transport.write(b"more"),
    "writelines": lambda transport: transport.writelines([b"more"]),
    "write_eof": lambda transport: outcome(transport.write_eof),
    "close": lambda transport: transport.close(),
    "abort": lambda transport: transport.abort(),
    "pause_reading": lambda transport: transport.pause_reading(),
    "resume_reading": lambda transport: transport.resume_reading(),
    "limits": lambda transport: transport.set_write_buffer_limits(0),
    "nothing": lambda transport: None,
}


@on_transports
@on_kinds
@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("debug", [False, True])
def test_a_write_to_a_peer_that_has_reset(run, kind, look, debug):
    def scenario(loop, trace):
        protocol = Plain(trace)
        loop.set_debug(debug)
        with connected(loop, protocol, kind) as sock:
            transport = protocol.transport
            peer = Peer(sock, transport)

            def write():
                loop.call_soon(trace.append, "soon")
                peer.reset()
                transport.write(b"x")
                trace.append(LOOKS[look](transport))
                trace.append((transport.is_closing(), transport.is_reading()))
                loop.call_soon(trace.append, "later")

            in_callback(loop, write)
            turns(loop)

    trace = run(scenario)
    # Nothing is read any more: the write has failed, and that is what is told.
    error = ("ConnectionResetError", "[Errno 104] Connection reset by peer")
    if kind.startswith("unix"):
        error = ("BrokenPipeError", "[Errno 32] Broken pipe")
    assert trace[2] == (True, False)
    assert trace[3:] == ["soon", ("connection_lost", error), "later"]


@on_transports
@on_kinds
def test_a_write_to_a_peer_that_has_reset_with_data_before_it(run, kind):
    # What the peer sent is lost in TCP, and read from UNIX sockets; told is one end.
    def scenario(loop, trace):
        protocol = Plain(trace)
        with connected(loop, protocol, kind) as sock:
            peer = Peer(sock, protocol.transport)

            def write():
                peer.send(b"last words")
                peer.reset()
                protocol.transport.write(b"x")
                trace.append(protocol.transport.is_closing())

            in_callback(loop, write)
            turns(loop, 3)

    trace = run(scenario)
    assert trace[1] is True
    assert trace[2][0] == "connection_lost"
    assert len(trace) == 3


@on_transports
@on_kinds
@pytest.mark.parametrize("end", ["close", "abort", "write_eof"])
@pytest.mark.parametrize("count", [1, 4])
def test_the_end_right_after_a_write(run, kind, end, count):
    def scenario(loop, trace):
        protocol = Plain(trace)
        with connected(loop, protocol, kind) as sock:
            peer = Peer(sock, protocol.transport)

            def write():
                for number in range(count):
                    protocol.transport.write(b"%d" % number)
                getattr(protocol.transport, end)()
                trace.append((protocol.transport.is_closing(), protocol.lost))

            in_callback(loop, write)
            turns(loop)
            trace.append(peer.received())

    lost = [] if end == "write_eof" else [("connection_lost", None)]
    got = b"0123"[:count], "EOF"
    assert run(scenario) == [("connection_made",), (end != "write_eof", False), *lost, got]


@on_transports
@on_kinds
def test_what_is_written_to_two_connections_arrives_in_order(run, kind):
    def scenario(loop, trace):
        one, two = Plain([]), Plain([])
        with connected(loop, one, kind) as first, connected(loop, two, kind) as second:
            peers = Peer(first, one.transport), Peer(second, two.transport)

            def write():
                one.transport.write(b"1")
                two.transport.write(b"2")
                # Whoever has seen the second finds the first.
                trace.append((two.transport.get_write_buffer_size(), peers[1].received()))
                trace.append((one.transport.get_write_buffer_size(), peers[0].received()))

            in_callback(loop, write)

    assert run(scenario) == [(0, b"2"), (0, b"1")]


@on_transports
@pytest.mark.parametrize("count", [1, 100_000])
def test_drain(run, count):
    def scenario(loop, trace):
        async def serve(reader, writer):
            for number in range(3):
                loop.call_soon(trace.append, ("soon", number))
                writer.write(b"x" * count)
                size = writer.transport.get_write_buffer_size()
                await writer.drain()
                trace.append(("drained", number, size > 0))
            writer.close()
            await writer.wait_closed()
            trace.append("closed")
            done.set()

        async def main():
            server = await asyncio.start_server(serve, "127.0.0.1", 0)
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            trace.append(await reader.read() == b"x" * 3 * count)
            writer.close()
            await done.wait()
            server.close()

        done = asyncio.Event()
        loop.run_until_complete(main())

    trace = run(scenario)
    # Nothing waits: drain() doesn't even let others run.
    if count == 1:
        assert trace[:3] == [("drained", number, False) for number in range(3)]
    assert trace.count("closed") == trace.count(True) == 1
