"""The buffers that protocols of asyncio's connections give."""

import pytest

from helpers.scenarios import turns
from helpers.transports import (
    KINDS,
    Buffered,
    Peer,
    connected,
    events,
    on_transports,
)

on_kinds = pytest.mark.parametrize("kind", KINDS)
MADE = ("connection_made",)


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
