"""Reading over TLS: which of the protocol's methods is called when, as stock has it."""

import asyncio
import socket
import ssl
import sys

import pytest

from helpers.scenarios import described, turns
from helpers.tls_peer import TLSPeer
from helpers.transports import (
    Buffered,
    Plain,
    events,
    on_transports,
    ours_transports,
    run_turns,
    run_until,
)

pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 11), reason="Python 3.10's protocol for TLS is another one"
)

FAMILIES = ["tcp", "unix"]


class Pieces(Plain):
    """Says which pieces came."""

    def received(self, data):
        self.trace.append(("piece", len(data)))
        self.keep(data)


@on_transports
@pytest.mark.parametrize("family", FAMILIES)
def test_records_that_come_together_are_one_piece(run, family):
    def scenario(loop, trace):
        peer = TLSPeer(loop, lambda: Pieces(trace), family=family)
        peer.write(b"a" * 10, b"b" * 20, b"c")
        run_turns(loop, trace, 2)
        peer.write(b"d" * 50_000)
        run_turns(loop, trace, 2)
        records = peer.encrypted(b"e" * 100, b"f" * 100)
        peer.send_raw(records[:150])
        run_turns(loop, trace, 2)
        peer.send_raw(records[150:151])
        run_turns(loop, trace, 2)
        peer.send_raw(records[151:])
        run_turns(loop, trace, 2)
        trace.append(peer.protocol.data)
        peer.close()

    assert [entry for entry in run(scenario) if entry != "turn"] == [
        ("connection_made",),
        *(("piece", count) for count in (31, 50_000, 100, 100)),
        b"a" * 10 + b"b" * 20 + b"c" + b"d" * 50_000 + b"e" * 100 + b"f" * 100,
        ("connection_lost", None),
    ]


@on_transports
@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
@pytest.mark.parametrize("sized", [1, 7, 100, 10_000, 20_000, 65_536])
def test_a_buffer_of_the_protocol_is_filled(run, sized, version):
    """Over several records, and again in the next iteration if it was too small."""

    class Hinted(Buffered):
        def get_buffer(self, hint):
            self.trace.append(("hint", hint))
            return super().get_buffer(hint)

        def received(self, data):
            self.trace.append(("updated", len(data)))
            self.keep(data)

    def scenario(loop, trace):
        def factory():
            made = Hinted(trace)
            made.sized = sized
            return made

        peer = TLSPeer(loop, factory, version=ssl.TLSVersion[version])
        peer.write(b"0123456789", b"abc", b"d")
        run_turns(loop, trace, 20)
        big = bytes(range(256)) * 150
        if sized > 1000:
            peer.write(big)
            run_turns(loop, trace, 20)
            trace.append(peer.protocol.data.endswith(big))
        trace.append(peer.protocol.data[:14])
        peer.close()

    trace = run(scenario)
    assert trace[-2] == b"0123456789abcd"
    assert ("updated", min(sized, 14)) in trace


@on_transports
@pytest.mark.parametrize("what", ["raises", "is empty", "is read-only", "is no buffer"])
def test_a_buffer_that_is_none(run, what):
    def scenario(loop, trace):
        def get_buffer(_protocol):
            if what == "raises":
                raise ValueError("no buffer")
            return {"is empty": bytearray(), "is read-only": b"abc", "is no buffer": 3}[what]

        peer = TLSPeer(loop, lambda: Buffered(trace, get_buffer=get_buffer))
        peer.write(b"hello")
        run_turns(loop, trace, 6)
        peer.close()

    trace = run(scenario)
    assert len(events(trace, "connection_lost")) == 1
    assert len(events(trace, "reported")) == (what != "is empty")


def test_a_buffer_that_says_more_than_it_has():
    """Stock takes the rest for the end; ours tells all that has come."""

    class Boasting(bytearray):
        def __len__(self):
            return 100

    class Told(Buffered):
        def buffer_updated(self, count):
            self.data += bytes(memoryview(self.buffer)[:count])

        def get_buffer(self, _hint):
            self.buffer = Boasting(10)
            return self.buffer

    def scenario(loop, trace):
        peer = TLSPeer(loop, lambda: Told(trace))
        data = bytes(range(95))
        peer.write(data)
        run_turns(loop, trace, 20)
        trace.append(peer.protocol.data == data)
        peer.close()

    assert True in ours_transports(scenario)


@on_transports
@pytest.mark.parametrize("debug", [False, True])
def test_the_debug_log_tells_where_it_was_raised(run, debug, caplog):
    def scenario(loop, trace):
        caplog.clear()

        def fail(_protocol):
            raise OSError("of the application")

        loop.set_debug(debug)
        with caplog.at_level("DEBUG", logger="asyncio"):
            peer = TLSPeer(loop, lambda: Plain(trace, data_received=fail))
            peer.write(b"hello")
            run_turns(loop, trace, 6)
            peer.close()
        fatal = [record for record in caplog.records if "Fatal error" in record.message]
        trace.append([str(record.exc_info[1]) for record in fatal])

    assert run(scenario)[-1] == ["of the application"] * debug


@on_transports
@pytest.mark.parametrize("made", [Plain, Buffered])
@pytest.mark.parametrize("error", [ValueError, OSError, asyncio.CancelledError, SystemExit])
@pytest.mark.parametrize("where", ["data", "eof_received", "connection_lost"])
def test_a_protocol_that_raises(run, made, error, where):
    method = where
    if where == "data":
        method = "data_received" if made is Plain else "buffer_updated"

    def scenario(loop, trace):
        def fail(_protocol):
            raise error("of the protocol")

        peer = TLSPeer(loop, lambda: made(trace, **{method: fail}))
        peer.write(b"hello", b"again")
        run_turns(loop, trace, 3)
        peer.close_notify()
        run_turns(loop, trace, 6)
        peer.close()

    trace = run(scenario)
    assert events(trace, "data") == [(b"helloagain",)]
    assert events(trace, "let out") or error is not SystemExit


@on_transports
@pytest.mark.parametrize("made", [Plain, Buffered])
@pytest.mark.parametrize(
    "act",
    ["pause_reading", "close", "abort", "write", "write close", "close write", "set_protocol"],
)
def test_what_is_done_while_data_is_told(run, made, act):
    def scenario(loop, trace):
        def do(protocol):
            transport = protocol.transport
            for name in act.split():
                if name == "write":
                    transport.write(b"answer")
                    trace.append(transport.get_write_buffer_size())
                elif name == "set_protocol":
                    other = Plain(trace, "other")
                    other.transport = transport
                    transport.set_protocol(other)
                else:
                    getattr(transport, name)()
            trace.append((transport.is_closing(), transport.is_reading()))

        names = {"data_received": do, "buffer_updated": do}
        peer = TLSPeer(loop, lambda: made(trace, **names))
        peer.write(b"one", b"two")
        run_turns(loop, trace, 3)
        trace.append(peer.read())
        peer.write(b"three")
        run_turns(loop, trace, 3)
        if act == "pause_reading":
            peer.transport.resume_reading()
            run_turns(loop, trace, 3)
        trace.append(peer.read())
        peer.close()
        run_turns(loop, trace, 3)

    trace = run(scenario)
    assert ("data", b"onetwo") in trace
    assert (b"answer" in trace) == (act in ("write", "write close"))


@on_transports
@pytest.mark.parametrize("order", ["data first", "alone", "no close_notify", "with data"])
@pytest.mark.parametrize("made", [Plain, Buffered])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_end(run, order, made, family):
    """A `close_notify`, or an end without one, in every order with data."""

    def scenario(loop, trace):
        peer = TLSPeer(loop, lambda: made(trace), family=family)
        if order == "data first":
            peer.write(b"data")
            run_turns(loop, trace, 2)
        if order == "with data":
            # In one piece, and the peer's end behind it.
            peer.tls.write(b"data")
        if order != "no close_notify":
            peer.close_notify()
        if order in ("no close_notify", "with data"):
            peer.sock.shutdown(1)
        run_turns(loop, trace, 8)
        trace.append(peer.transport.is_closing())
        peer.close()

    trace = run(scenario)
    assert events(trace, "eof_received") == [()]
    assert events(trace, "connection_lost") == [(None,)]
    assert len(events(trace, "data")) == (order in ("data first", "with data"))


@on_transports
@pytest.mark.parametrize("made", [Plain, Buffered])
@pytest.mark.parametrize("before", [b"", b"good"])
def test_a_record_that_is_broken(run, made, before):
    """It ends the connection, and what came with it is lost as it is on asyncio's loop."""

    def scenario(loop, trace):
        peer = TLSPeer(loop, lambda: made(trace))
        peer.write(b"first")
        run_turns(loop, trace, 2)
        data = peer.encrypted(before) if before else b""
        broken = bytearray(peer.encrypted(b"bad"))
        broken[-1] ^= 1
        peer.send_raw(data + broken)
        loop.set_debug(True)
        run_turns(loop, trace, 5)
        loop.set_debug(False)
        trace.append(peer.transport.is_closing())
        peer.close()

    trace = run(scenario)
    (lost,) = events(trace, "connection_lost")
    assert lost[0][0] == "SSLError"
    assert events(trace, "data") == [(b"first",)]


@on_transports
@pytest.mark.parametrize("family", FAMILIES)
def test_a_paused_reader_holds_the_peer_back(run, family):
    """Both layers stop reading, and begin again."""
    size = 3_000_000

    def scenario(loop, trace):
        protocol = Plain([])
        peer = TLSPeer(loop, lambda: protocol, family=family)
        transport = peer.transport
        transport.set_read_buffer_limits(high=100_000)
        transport.pause_reading()
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 100_000)
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 100_000)
        data = bytes(range(250)) * (size // 250)
        records = memoryview(peer.encrypted(data))
        stuck = 0
        while stuck < 20 and records:
            try:
                records = records[peer.sock.send(records) :]
                stuck = 0
            except BlockingIOError:
                stuck += 1
            turns(loop)
        trace.append(("stuck", bool(records)))
        trace.append((transport.is_reading(), protocol.data))
        trace.append(peer.tls_protocol._ssl_reading_paused)
        trace.append(transport.get_read_buffer_size() >= 100_000)
        transport.resume_reading()
        peer.send_raw(records)
        run_until(loop, lambda: len(protocol.data) >= size)
        trace.append(protocol.data == data)
        trace.append(peer.tls_protocol._ssl_reading_paused)
        peer.close()

    assert run(scenario) == [("stuck", True), (False, b""), True, True, True, False]


@on_transports
def test_somebody_else_reads_and_writes_with_the_ssl_object(run):
    def scenario(loop, trace):
        peer = TLSPeer(loop, lambda: Plain(trace))
        sslobj = peer.transport.get_extra_info("ssl_object")
        peer.transport.pause_reading()
        peer.write(b"theirs", b"ours")
        turns(loop, 2)
        trace.append(sslobj.read(6))
        trace.append(sslobj.write(b"by the object, "))
        peer.transport.write(b"by the transport")
        trace.append(peer.read())
        peer.transport.resume_reading()
        run_turns(loop, trace, 3)
        try:
            sslobj.read(6)
        except OSError as error:
            trace.append(described(error)[0])
        peer.write(b"more")
        run_turns(loop, trace, 2)
        peer.close()

    trace = run(scenario)
    assert trace[1] == b"theirs"
    assert events(trace, "data") == [(b"ours",), (b"more",)]
