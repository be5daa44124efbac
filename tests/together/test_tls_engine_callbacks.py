"""A TLS engine in what runs the application's code, or changes keys, while data goes on."""

from __future__ import annotations

import _ssl
import ctypes
import gc
import socket
import ssl
import weakref
from typing import Any
from unittest import mock

import pytest
from OpenSSL import SSL

from helpers.tls_ends import DIRECT, Pair, attempt, carry, drain, same
from tornado4 import _core

ROUNDS = 5


def without_sessions() -> Pair:
    """Whose renegotiations are whole handshakes."""
    pair = Pair("pyOpenSSL", "TLSv1_2")
    for context in pair.contexts:
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_options(SSL.OP_NO_TICKET)
    return pair


def renegotiates(asking: str) -> Any:
    """A program in which pyOpenSSL's server, driven or not, asks for a renegotiation."""

    def program(end: Any, peer: Any, own: Any) -> Any:
        server = own if asking == "own" else peer
        assert server.object.renegotiate()
        yield attempt(server.shake)
        for number in range(ROUNDS):
            carry(own, peer)
            yield drain(peer), attempt(peer.write, b"p%d" % number)
            carry(peer, own)
            yield drain(end), attempt(end.write, b"e%d" % number)
        carry(own, peer)
        yield drain(peer)
        if asking == "own":
            yield server.object.total_renegotiations()

    return program


@pytest.mark.parametrize("client", ["ssl", "pyOpenSSL"])
@pytest.mark.parametrize("side", ["client", "server"])
def test_renegotiation(client: str, side: str) -> None:
    program = renegotiates("own" if side == "server" else "peer")
    outcome = same(program, Pair(client, "TLSv1_2", "pyOpenSSL"), side)
    # It takes place: in between, data can't be sent.
    assert any(isinstance(step, tuple) and step[1] is None for step in outcome)
    assert any(step == ((b"p4", "empty"), 2) for step in outcome)


def test_a_write_that_was_blocked_is_written_again() -> None:
    pair = Pair("pyOpenSSL", "TLSv1_2")
    client, server = pair.connect()
    engine = client.engine()
    assert server.object.renegotiate()
    server.shake()
    carry(server, client)
    assert engine.read(1) == "empty"
    message = b"x" * 1_000
    assert engine.write(message) is None
    assert engine.write_bytes(message) is None
    for _ in range(ROUNDS):
        carry(client, server)
        drain(server)
        carry(server, client)
        assert engine.read(1) == "empty"
    assert engine.write(message) == len(message)
    carry(client, server)
    assert drain(server)[0] == message


def test_what_a_callback_raises_in_a_renegotiation_is_raised() -> None:
    pair = without_sessions()
    calls: list[Any] = []

    def verify(conn: SSL.Connection, *args: Any) -> bool:
        calls.append(conn)
        if None in calls:
            raise ZeroDivisionError("in a callback")
        return True

    pair.contexts[0].set_verify(SSL.VERIFY_PEER, verify)

    def program(end: Any, peer: Any, own: Any) -> Any:
        calls.append(None)
        yield from renegotiates("peer")(end, peer, own)

        calls.clear()

    outcome = same(program, pair, "client")
    assert "ZeroDivisionError" in repr(outcome)


def test_a_callback_that_uses_its_own_connection_breaks_nothing_else() -> None:
    # OpenSSL doesn't allow it: what becomes of the connection isn't defined.
    pair = without_sessions()
    driven: list[Any] = []
    inner: list[Any] = []

    def verify(conn: SSL.Connection, *args: Any) -> bool:
        for end in driven:
            inner.append((attempt(end.read, 1), attempt(end.write, b"inner"), end.outgoing()))
        return True

    pair.contexts[0].set_verify(SSL.VERIFY_PEER, verify)
    client, server = pair.connect()
    engine = client.engine()
    driven.append(engine)
    assert list(renegotiates("peer")(engine, server, client))
    assert inner
    driven.clear()
    client, server = pair.connect()
    assert client.engine().write(b"data") == 4
    carry(client, server)
    assert drain(server) == (b"data", "empty")


def test_all_callbacks_of_pyopenssl_run() -> None:
    pair = without_sessions()
    calls: list[str] = []
    client, server = pair.contexts
    client.set_info_callback(lambda *args: calls.append("info"))
    client.set_keylog_callback(lambda *args: calls.append("keylog"))
    server.set_tlsext_servername_callback(lambda conn: calls.append("servername"))
    seen = []

    def program(end: Any, peer: Any, own: Any) -> Any:
        calls.clear()
        yield from renegotiates("peer")(end, peer, own)
        seen.append(list(calls))

    same(program, pair, "client")
    by_methods, by_engine = seen
    assert by_engine == by_methods
    assert set(by_engine) == {"info", "keylog", "servername"}


def key_update(end: Any, both: bool) -> None:
    """Change the keys of `ssl`'s end of a connection; `both`: the peer shall do so too."""
    library = ctypes.CDLL(_ssl.__file__)
    function = getattr(library, "SSL_key_update", None)
    if function is None:
        pytest.skip("the OpenSSL of ssl is linked into it")
    function.argtypes = [ctypes.c_void_p, ctypes.c_int]
    words = ctypes.cast(id(end.object._sslobj), ctypes.POINTER(ctypes.c_void_p))
    assert function(words[3], int(both)) == 1


@pytest.mark.skipif(not hasattr(_ssl, "__file__"), reason="ssl is part of the interpreter")
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("driven", ["ssl", "pyOpenSSL"])
def test_new_keys(driven: str, both: bool) -> None:
    def program(end: Any, peer: Any, own: Any) -> Any:
        for number in range(3):
            key_update(peer, both)
            assert peer.write(b"p%d" % number) == 2
            carry(peer, own)
            yield drain(end)
            yield attempt(end.write, b"e%d" % number)
            carry(own, peer)
            yield drain(peer)

    outcome = same(program, Pair("ssl", "TLSv1_3", driven), "server")
    assert (b"p2", "empty") in outcome
    assert (b"e2", "empty") in outcome


@pytest.mark.skipif(not DIRECT, reason="the methods take a stale error for their own")
def test_stale_errors_are_nobodys() -> None:
    library = SSL._lib  # type: ignore[attr-defined]
    client, server = Pair("pyOpenSSL", "TLSv1_3").connect()
    engine = server.engine()

    def spoil() -> None:
        assert not library.BIO_new_file(b"/nowhere/at/all", b"r")
        assert library.ERR_peek_error()

    spoil()
    assert engine.read(10) == "empty"
    spoil()
    assert engine.write(b"answer") == 6
    carry(server, client)
    assert drain(client) == (b"answer", "empty")
    client.write(b"question")
    carry(client, server)
    spoil()
    assert drain(engine) == (b"question", "empty")


def test_a_connection_that_is_watched_is_driven_by_methods() -> None:
    pair = Pair("ssl", "TLSv1_3")
    calls: list[Any] = []
    pair.contexts[1]._msg_callback = lambda *args: calls.append(args)  # type: ignore[attr-defined]
    _, server = pair.connect()
    calls.clear()
    engine = server.engine()
    assert not engine.direct
    assert engine.write(b"data") == 4
    assert calls


def test_server_names_of_ssl_are_as_they_were() -> None:
    pair = Pair("ssl", "TLSv1_3")
    names: list[Any] = []
    pair.contexts[1].sni_callback = lambda end, name, context: names.append(name)
    client, server = pair.connect()
    assert names == ["test"]
    for end in (client, server):
        engine = end.engine()
        assert engine.direct is DIRECT
        assert engine.write(b"data") == 4
    assert client.object.getpeercert()["subject"]
    assert client.object.context is pair.contexts[0]


def test_another_context_of_the_sni_callback() -> None:
    pair, other = Pair("ssl", "TLSv1_3"), Pair("ssl", "TLSv1_3")

    def choose(end: ssl.SSLObject, name: str, context: ssl.SSLContext) -> None:
        end.context = other.contexts[1]

    pair.contexts[1].sni_callback = choose
    client, server = pair.connect()
    engine = server.engine()
    assert server.object.context is other.contexts[1]
    assert engine.direct is DIRECT
    assert engine.write(b"data") == 4
    carry(server, client)
    assert drain(client) == (b"data", "empty")


def test_only_the_frameworks_own_objects_are_driven() -> None:
    client, _ = Pair("ssl", "TLSv1_3").connect()
    other, _ = Pair("ssl", "TLSv1_3").connect()
    with pytest.raises(TypeError):
        _core.TLSProbe(client.object, client.incoming, object())
    with pytest.raises(TypeError):
        _core.TLSProbe(object(), client.incoming, client.out)
    with pytest.raises(TypeError):
        _core.TLSProbe(client.object)
    # Other BIOs than it has.
    assert not _core.TLSProbe(client.object, other.incoming, other.out).direct
    assert not _core.TLSProbe(client.object, client.out, client.incoming).direct

    class Mine(ssl.SSLObject):
        pass

    context = ssl.create_default_context()
    context.sslobject_class = Mine
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(TypeError):
        _core.TLSProbe(
            context.wrap_bio(incoming, outgoing, server_hostname="test"), incoming, outgoing
        )
    client.object.read = lambda count: b""
    with pytest.raises(TypeError):
        client.engine()


def test_only_pyopenssls_own_connections_are_driven() -> None:
    class Mine(SSL.Connection):
        pass

    context = SSL.Context(SSL.TLS_METHOD)
    with pytest.raises(TypeError):
        _core.TLSProbe(Mine(context, None))
    conn = SSL.Connection(context, None)
    conn.recv = lambda *args: b""  # type: ignore[method-assign]
    with pytest.raises(TypeError):
        _core.TLSProbe(conn)
    with socket.socket() as sock, pytest.raises(TypeError):
        _core.TLSProbe(SSL.Connection(context, sock))


def test_a_class_with_a_method_of_somebodys_own_is_not_driven() -> None:
    for library, name in (("ssl", "write"), ("pyOpenSSL", "bio_read")):
        _, server = Pair(library, "TLSv1_3").connect()
        assert server.engine()
        with mock.patch.object(type(server.object), name), pytest.raises(TypeError):
            server.engine()
        assert server.engine()


def test_an_engine_keeps_what_it_drives() -> None:
    for library in ("ssl", "pyOpenSSL"):
        client, server = Pair(library, "TLSv1_3").connect()
        engine = server.engine()
        if library == "pyOpenSSL":
            server.object._ssl = None
        del server.object
        gc.collect()
        if DIRECT or library == "ssl":
            assert engine.write(b"data") == 4
            data = engine.outgoing()
            assert data
            client.feed(data)
            assert drain(client) == (b"data", "empty")


def test_what_an_engine_keeps_is_let_go() -> None:
    for library in ("ssl", "pyOpenSSL"):
        _, server = Pair(library, "TLSv1_3").connect()
        kept = weakref.ref(server.object)
        inner = server.object
        # A cycle that the collector has to see.
        inner.engine = server.engine()
        del server, inner, _
        gc.collect()
        assert kept() is None
