"""Writing over TLS: what is sent, and when the protocol is told to wait, as stock has it."""

import asyncio
import ctypes
import socket
import sys

import pytest

from helpers.scenarios import outcome, turns
from helpers.tls_peer import TLSPeer
from helpers.transports import Plain, events, on_transports, run_turns, run_until

pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 11), reason="Python 3.10's protocol for TLS is another one"
)

FAMILIES = ["tcp", "unix"]


class Bytes(bytes):
    pass


class Array(bytearray):
    pass


BAD = [None, "text", 1, [b"a"], b"".join, object]
GOOD = [
    *(b"bytes", bytearray(b"array"), memoryview(b"view"), Bytes(b"subclass"), Array(b"other")),
    *(b"", bytearray(), memoryview(b""), memoryview(bytearray(b"0123456789"))[3:6]),
    *(bytes(100_000), bytearray(100_000)),
]


@on_transports
@pytest.mark.parametrize("family", FAMILIES)
def test_what_can_be_written(run, family):
    def scenario(loop, trace):
        peer = TLSPeer(loop, lambda: Plain(trace), family=family)
        for data in (*BAD, *GOOD):
            trace.append(outcome(peer.transport.write, data))
            trace.append(peer.read_all(len(data) if data in GOOD else 0))
        peer.close()

    trace = run(scenario)
    assert [entry for entry in trace if type(entry) is bytes] == [
        *(b"" for _ in BAD),
        *(bytes(data) for data in GOOD),
    ]


@on_transports
@pytest.mark.parametrize("made", [list, tuple, iter, lambda lines: (line for line in lines)])
@pytest.mark.parametrize("bad", [(), (None,), ("text",), (3, b"never")])
def test_lines(run, made, bad):
    """What isn't bytes ends the connection, or is refused, as on asyncio's loop."""

    def scenario(loop, trace):
        peer = TLSPeer(loop, lambda: Plain(trace))
        lines = [b"one ", b"", bytearray(b"two "), memoryview(b"three "), b"x" * 20_000, *bad]
        trace.append(outcome(peer.transport.writelines, made(lines)))
        trace.append(outcome(peer.transport.get_write_buffer_size))
        run_turns(loop, trace, 5)
        trace.append(peer.read_all(0 if bad else 20_014))
        trace.append(outcome(peer.transport.writelines, made([])))
        trace.append(outcome(peer.transport.write, b"after"))
        run_turns(loop, trace, 5)
        trace.append(peer.read_all(0 if bad else 5))
        peer.close()

    trace = run(scenario)
    if not bad:
        assert b"one two three " + b"x" * 20_000 in trace
        assert b"after" in trace


@on_transports
@pytest.mark.parametrize("name", ["write", "writelines"])
@pytest.mark.parametrize("what", ["released", "no dimension", "strided"])
def test_views_that_cannot_be_written(run, name, what):
    """Who writes them is told, or the connection ends, as on asyncio's loop."""

    def scenario(loop, trace):
        peer = TLSPeer(loop, lambda: Plain(trace))
        view = memoryview(bytearray(b"0123456789"))
        if what == "released":
            view.release()
        elif what == "no dimension":
            view = memoryview(ctypes.c_char(b"x"))
        else:
            view = view[::2]
        told = outcome(getattr(peer.transport, name), view if name == "write" else [b"one", view])
        trace.append(told)
        trace.append(outcome(peer.transport.get_write_buffer_size))
        run_turns(loop, trace, 3)
        trace.append(outcome(peer.transport.write, b"after"))
        run_turns(loop, trace, 5)
        peer.close()

    trace = run(scenario)
    assert events(trace, "connection_lost")


@on_transports
@pytest.mark.parametrize("name", ["write", "writelines"])
@pytest.mark.parametrize("how", ["at once", "while paused", "backlog"])
def test_what_is_changed_after_it_was_written(run, name, how):
    """It was encrypted, or copied, when it was written."""

    def scenario(loop, trace):
        peer = TLSPeer(loop, lambda: Plain([]))
        transport, tls = peer.transport, peer.tls_protocol
        if how == "while paused":
            tls.pause_writing()
        if how == "backlog":
            transport._test__append_write_backlog(b"before ")
        data = bytearray(b"as it was")
        getattr(transport, name)(data if name == "write" else [data])
        data[:] = b"XXXXXXXXX"
        trace.append(transport.get_write_buffer_size() > 0)
        if how == "while paused":
            tls.resume_writing()
        trace.append(peer.read_all(9))
        peer.close()

    trace = run(scenario)
    assert trace[1].endswith(b"as it was")


@on_transports
def test_what_is_written_before_the_handshake(run):
    """It waits, and its order stays."""

    def scenario(loop, trace):
        def factory():
            protocol = Plain(trace, connection_made=lambda it: it.transport.write(b"two "))
            return protocol

        protocols = []
        original = loop._make_ssl_transport

        def make(*args, **kwargs):
            transport = original(*args, **kwargs)
            protocols.append(transport)
            trace.append(outcome(transport.write, b"not yet connected: never sent"))
            loop.call_soon(early, transport)
            return transport

        def early(transport):
            data = bytearray(b"on")
            transport.write(b"zero ")
            transport.writelines([data, b"e "])
            trace.append(transport.get_write_buffer_size())

        loop._make_ssl_transport = make
        peer = TLSPeer(loop, factory)
        peer.transport.write(b"three")
        trace.append(peer.early + peer.read_all(18 - len(peer.early)))
        assert protocols == [peer.transport]
        peer.close()

    trace = run(scenario)
    assert 9 in trace
    assert b"zero one two three" in trace


@on_transports
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("fails", [None, ValueError, SystemExit])
def test_a_peer_that_does_not_read(run, family, fails):
    """The lower layer pauses first, then the application's."""
    if fails is SystemExit and family == "tcp":
        pytest.skip("TCP may take more while nobody reads, and resuming ends the loop then")

    def scenario(loop, trace):
        def fail(_protocol):
            if fails:
                raise fails("of the protocol")

        protocol = Plain(trace, pause_writing=fail, resume_writing=fail)
        peer = TLSPeer(loop, lambda: protocol, family=family)
        transport, tls = peer.transport, peer.tls_protocol
        for sock, option in ((peer.sock, "SO_RCVBUF"), (transport.get_extra_info("socket"), None)):
            sock.setsockopt(socket.SOL_SOCKET, getattr(socket, option or "SO_SNDBUF"), 50_000)
        transport.set_write_buffer_limits(high=300_000, low=10_000)
        sent = 0

        def write():
            nonlocal sent
            count = 0
            while not tls._app_writing_paused and count < 1000:
                sent += 5000
                count += 1
                transport.write(b"%05d" % (sent // 5000) * 1000)
            trace.append((tls._ssl_writing_paused, tls._app_writing_paused))

        for _ in range(3):
            try:
                write()
            except SystemExit as error:
                trace.append(("out", str(error)))
            turns(loop, 2)
        trace.append(transport.get_write_buffer_size() >= 300_000)
        transport.write(b"the last")
        came = b""

        def all_came():
            nonlocal came
            came += peer.read()
            return len(came) >= sent + 8

        while not all_came():
            try:
                run_until(loop, all_came)
            except SystemExit as error:
                trace.append(("out", str(error)))
        expected = b"".join(b"%05d" % (i + 1) * 1000 for i in range(sent // 5000))
        trace.append(came == expected + b"the last")
        trace.append((tls._ssl_writing_paused, tls._app_writing_paused))
        trace.append(transport.get_write_buffer_size())
        peer.close()

    trace = run(scenario)
    assert events(trace, "pause_writing") == [()]
    assert events(trace, "resume_writing") == [()]
    assert trace[-4:-1] == [True, (False, False), 0]
    assert len(events(trace, "reported")) == (2 if fails is ValueError else 0)


@on_transports
@pytest.mark.parametrize("high", [0, 1, 1000])
def test_water_marks(run, high):
    def scenario(loop, trace):
        peer = TLSPeer(loop, lambda: Plain(trace))
        peer.transport.set_write_buffer_limits(high)
        trace.append(peer.transport.get_write_buffer_limits())
        for data in (b"a", b"b" * 100, b"c" * 5000):
            peer.transport.write(data)
            trace.append(peer.transport.get_write_buffer_size())
            run_turns(loop, trace, 2)
        trace.append(outcome(peer.transport.set_write_buffer_limits, 1, 2))
        peer.transport.set_write_buffer_limits(10**30)
        peer.transport.write(b"d")
        trace.append(len(peer.read_all(5102)))
        peer.close()

    assert run(scenario)[-2] == 5102


@on_transports
@pytest.mark.parametrize("end", ["close", "abort", "peer closes", "peer aborts", "close twice"])
def test_writing_after_the_end(run, end):
    def scenario(loop, trace):
        peer = TLSPeer(loop, lambda: Plain(trace))
        transport = peer.transport
        if end.startswith("close"):
            transport.close()
        elif end == "abort":
            transport.abort()
        else:
            if end == "peer aborts":
                peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes([1, *[0] * 7]))
            peer.sock.close()
        for turn in range(6):
            trace.append(outcome(transport.write, b"%d" % turn))
            trace.append(outcome(transport.writelines, [b"%d" % turn]))
            trace.append(outcome(transport.write, b""))
            trace.append(outcome(transport.write, "text"))
            run_turns(loop, trace, 1)
            if end == "close twice":
                trace.append(outcome(transport.close))
        peer.sock.close()
        run_turns(loop, trace, 3)
        for method in ("close", "abort", "close"):
            trace.append(outcome(getattr(transport, method)))
            trace.append(outcome(transport.write, b"the last"))
            trace.append(outcome(transport.writelines, [b"the last"]))

    assert len(events(run(scenario), "connection_lost")) == 1


@on_transports
def test_a_method_that_somebody_keeps(run):
    """`write` alone, of a transport that is no more."""

    def scenario(loop, trace):
        peer = TLSPeer(loop, lambda: Plain(trace))
        write, lines = peer.transport.write, peer.transport.writelines
        peer.close()
        peer.transport = peer.protocol.transport = None
        for _ in range(5):
            trace.append(outcome(write, b"data"))
            trace.append(outcome(lines, [b"data"]))

    run(scenario)


@on_transports
def test_sendfile_over_tls(run, tmp_path):
    def scenario(loop, trace):
        peer = TLSPeer(loop, lambda: Plain(trace))
        data = bytes(range(256)) * 2000
        path = tmp_path / "file"
        path.write_bytes(data)
        with path.open("rb") as file:
            task = loop.create_task(loop.sendfile(peer.transport, file))
            came = peer.read_all(len(data))
            run_until(loop, task.done)
        trace.append((task.result(), came == data))
        with path.open("rb") as file:
            task = loop.create_task(loop.sendfile(peer.transport, file, fallback=False))
            run_until(loop, task.done)
            trace.append(type(task.exception()).__name__)
        peer.transport.write(b"and on")
        trace.append(peer.read_all(6))
        peer.close()

    trace = run(scenario)
    assert (512_000, True) in trace
    assert b"and on" in trace


@on_transports
def test_two_layers(run):
    """TLS in TLS: `start_tls` on a transport that is TLS already."""
    from helpers.certificates import ssl_contexts

    def scenario(loop, trace):
        async def main():
            server_side, client_side = ssl_contexts()
            first, second = Plain([]), Plain([])
            server = await loop.create_server(lambda: first, "127.0.0.1", 0, ssl=server_side)
            address = server.sockets[0].getsockname()
            right, _ = await loop.create_connection(
                lambda: second, *address, ssl=client_side, server_hostname="test"
            )
            while not first.transport:
                await asyncio.sleep(0)
            starting = loop.create_task(
                loop.start_tls(first.transport, first, server_side, server_side=True)
            )
            inner = await loop.start_tls(right, second, client_side, server_hostname="test")
            other = await starting
            data = bytes(range(256)) * 4000
            inner.write(data)
            other.writelines([data, b"end"])
            while len(first.data) < len(data) or len(second.data) < len(data) + 3:
                await asyncio.sleep(0)
            trace.append((first.data == data, second.data == data + b"end"))
            inner.close()
            while not (first.lost and second.lost):
                await asyncio.sleep(0)
            trace.extend((first.trace[-1], second.trace[-1]))
            server.close()

        loop.run_until_complete(main())

    lost = ("connection_lost", None)
    assert run(scenario) == [(True, True), lost, lost]
