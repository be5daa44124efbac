"""A TLS engine does what the methods of the objects do that it drives, and raises what they
raise: each program runs with either of them, and all that can be seen is compared."""

from __future__ import annotations

import ssl
from typing import Any

import pytest
from OpenSSL import SSL

from helpers.tls_ends import DIRECT, LIMIT, Pair, Program, attempt, carry, drain, same

every_library = pytest.mark.parametrize("library", ["ssl", "pyOpenSSL"])
every_version = pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
either_side = pytest.mark.parametrize("side", ["client", "server"])


def ciphertext(end: Any, *messages: bytes) -> bytes:
    for message in messages:
        assert end.write(message) == len(message)
    return end.outgoing()


def nothing_comes(end: Any, peer: Any, own: Any) -> Any:
    yield drain(end)
    yield not end.outgoing()


def data_both_ways(end: Any, peer: Any, own: Any) -> Any:
    end.feed(ciphertext(peer, b"one", b"two", b"x" * 16_384, b"three"))
    yield drain(end)
    yield end.write(b"answer")
    yield end.write(memoryview(b"another"))
    yield end.write(bytearray(b"more"))
    carry(end, peer)
    yield drain(peer)


def bad_mac(end: Any, peer: Any, own: Any) -> Any:
    data = bytearray(ciphertext(peer, b"hello"))
    data[-1] ^= 1
    end.feed(bytes(data))
    yield drain(end)
    carry(end, peer)
    yield drain(peer)


def bad_mac_after_data(end: Any, peer: Any, own: Any) -> Any:
    data = bytearray(ciphertext(peer, b"hello", b"world", b"!"))
    data[-1] ^= 1
    end.feed(bytes(data))
    yield drain(end)


def alert(end: Any, peer: Any, own: Any) -> Any:
    peer.feed(b"\x17\x03\x03\x00\x20" + bytes(32))
    failed = drain(peer)
    yield failed
    carry(peer, end)
    yield drain(end)


def alert_before_a_write(end: Any, peer: Any, own: Any) -> Any:
    peer.feed(b"\x17\x03\x03\x00\x20" + bytes(32))
    drain(peer)
    carry(peer, end)
    yield attempt(end.write, b"data")
    yield drain(end)


def plain_http(end: Any, peer: Any, own: Any) -> Any:
    end.feed(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
    yield drain(end)


def end_between_records(end: Any, peer: Any, own: Any) -> Any:
    end.feed(ciphertext(peer, b"hello"))
    own.end()
    yield drain(end)


def end_in_a_record(end: Any, peer: Any, own: Any) -> Any:
    data = ciphertext(peer, b"hello", b"world")
    end.feed(data[:-5])
    yield drain(end)
    own.end()
    yield drain(end)


def close_notify(end: Any, peer: Any, own: Any) -> Any:
    peer.shut_down()
    carry(peer, end)
    yield drain(end)
    yield attempt(end.write, b"still")


def close_notify_after_data(end: Any, peer: Any, own: Any) -> Any:
    assert peer.write(b"last") == 4
    peer.shut_down()
    carry(peer, end)
    yield drain(end)


def closed_by_both(end: Any, peer: Any, own: Any) -> Any:
    attempt(own.shut_down)
    yield attempt(end.write, b"too late")
    carry(end, peer)
    yield drain(peer)
    peer.shut_down()
    carry(peer, end)
    yield drain(end)
    yield attempt(end.write, b"too late")


def large(end: Any, peer: Any, own: Any) -> Any:
    message = bytes(range(256)) * 2_000
    sent = 0
    while sent < len(message):
        sent += peer.write(message[sent:])
    end.feed(peer.outgoing())
    yield drain(end)
    sent = 0
    while sent < len(message):
        sent += end.write(message[sent:])
    carry(end, peer)
    yield drain(peer)


def very_large(end: Any, peer: Any, own: Any) -> Any:
    message = bytes(range(256)) * 10_000
    sent = 0
    while sent < len(message):
        sent += end.write(message[sent:])
    carry(end, peer)
    yield drain(peer)
    yield end.outgoing()


def byte_by_byte(end: Any, peer: Any, own: Any) -> Any:
    for byte in ciphertext(peer, b"hello", b"world"):
        end.feed(bytes([byte]))
        yield drain(end)


def small_reads(end: Any, peer: Any, own: Any) -> Any:
    end.feed(ciphertext(peer, b"hello", b"world"))
    data = b""
    for _ in range(10):
        data += end.read(1)
    yield data
    yield end.read(1)


PROGRAMS = [
    nothing_comes,
    data_both_ways,
    bad_mac,
    bad_mac_after_data,
    alert,
    alert_before_a_write,
    plain_http,
    end_between_records,
    end_in_a_record,
    close_notify,
    close_notify_after_data,
    closed_by_both,
    large,
    very_large,
    byte_by_byte,
    small_reads,
]


@every_library
@every_version
@either_side
@pytest.mark.parametrize("program", PROGRAMS)
def test_does_and_raises_what_the_methods_do(
    library: str, version: str, side: str, program: Program
) -> None:
    same(program, Pair(library, version), side)


@every_library
@every_version
def test_records_one_at_a_time(library: str, version: str) -> None:
    client, server = Pair(library, version).connect()
    engine = server.engine()
    server.feed(ciphertext(client, b"one", b"two", b"x" * 16_384))
    assert not engine.drained
    assert engine.read_record(LIMIT) == b"one"
    assert engine.read_record(0) == b"t"
    assert engine.read(0) == b"w"
    assert not engine.drained
    assert engine.read_record(LIMIT) == b"o"
    assert engine.read_record(LIMIT) == b"x" * 16_384
    assert engine.drained is DIRECT
    assert engine.read_record(LIMIT) == "empty"
    data = ciphertext(client, b"three", b"four")
    server.feed(data[:-1] + bytes([data[-1] ^ 1]))
    assert engine.read_record(LIMIT) == b"three"
    assert not engine.drained
    with pytest.raises((ssl.SSLError, SSL.Error)):
        engine.read_record(LIMIT)


@every_library
@every_version
def test_what_comes_after_plaintext_is_not_drained(library: str, version: str) -> None:
    client, server = Pair(library, version).connect()
    engine = server.engine()
    data = ciphertext(client, b"one", b"two")
    server.feed(data[:-1] + bytes([data[-1] ^ 1]))
    assert engine.read(LIMIT) == b"one"
    assert not engine.drained
    with pytest.raises((ssl.SSLError, SSL.Error)):
        engine.read(LIMIT)
    client, server = Pair(library, version).connect()
    engine = server.engine()
    assert client.write(b"last") == 4
    client.shut_down()
    carry(client, server)
    assert engine.read(LIMIT) == b"last"
    assert not engine.drained
    assert engine.read(LIMIT) == "closed"
