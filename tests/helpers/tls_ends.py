"""TLS connections in memory, one end of each driven by the engine or by Python's methods.

The ends of both libraries have the same methods, and so has an engine (`TLSProbe`), but
that an end gives one record at a time. What an operation brings is told as a value that can
be compared.
"""

from __future__ import annotations

import contextlib
import os
import ssl
import tempfile
from collections.abc import Callable
from typing import Any

from OpenSSL import SSL

from helpers.certificates import certificate, pem_of_all
from tornado4 import _core

LIMIT = 1 << 18

# What the environment has asked for.
DIRECT = os.environ.get("TORNADO4_TLS") != "fallback"

# Takes what is driven, the other end, and the end behind what is driven.
Program = Callable[[Any, Any, Any], Any]


def told(error: BaseException) -> tuple[Any, ...]:
    """All of an exception that code may look at."""
    fields = [getattr(error, name, None) for name in ("errno", "library", "reason", "strerror")]
    return (type(error).__name__, error.args, *fields)


class SSLEnd:
    """An `ssl.SSLObject`."""

    def __init__(self, context: ssl.SSLContext, **options: Any) -> None:
        self.incoming, self.out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.object = context.wrap_bio(self.incoming, self.out, **options)

    def engine(self) -> _core.TLSProbe:
        return _core.TLSProbe(self.object, self.incoming, self.out)

    def shake(self) -> bool:
        try:
            self.object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def feed(self, data: bytes) -> None:
        self.incoming.write(data)

    def outgoing(self) -> bytes | None:
        return self.out.read() or None

    def read(self, limit: int) -> bytes | str:
        try:
            return self.object.read(limit) or "closed"
        except ssl.SSLWantReadError:
            return "empty"

    def write(self, data: bytes) -> int | None:
        try:
            return self.object.write(data)
        except ssl.SSLWantReadError:
            return None

    def shut_down(self) -> None:
        with contextlib.suppress(ssl.SSLWantReadError):
            self.object.unwrap()

    def end(self) -> None:
        """No ciphertext comes any more."""
        self.incoming.write_eof()


class OpenSSLEnd:
    """An `OpenSSL.SSL.Connection`."""

    def __init__(self, context: SSL.Context, *, server_side: bool = False) -> None:
        self.object = SSL.Connection(context, None)
        if server_side:
            self.object.set_accept_state()
        else:
            self.object.set_tlsext_host_name(b"test")
            self.object.set_connect_state()

    def engine(self) -> _core.TLSProbe:
        return _core.TLSProbe(self.object)

    def shake(self) -> bool:
        try:
            self.object.do_handshake()
        except SSL.WantReadError:
            return False
        return True

    def feed(self, data: bytes) -> None:
        while data:
            data = data[self.object.bio_write(data) :]

    def outgoing(self) -> bytes | None:
        parts = []
        try:
            while True:
                parts.append(self.object.bio_read(1 << 16))
        except SSL.WantReadError:
            return b"".join(parts) or None

    def read(self, limit: int) -> bytes | str:
        try:
            return self.object.recv(limit)
        except SSL.WantReadError:
            return "empty"
        except SSL.ZeroReturnError:
            return "closed"

    def write(self, data: bytes) -> int | None:
        try:
            return self.object.send(data)
        except SSL.WantReadError:
            return None

    def shut_down(self) -> None:
        self.object.shutdown()

    def end(self) -> None:
        self.object.bio_shutdown()


def ssl_contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Fresh ones, for a client and for a server."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as pem:
        pem.write(pem_of_all())
        pem.flush()
        server.load_cert_chain(pem.name)
    return ssl.create_default_context(cadata=certificate().dumpPEM().decode()), server


def openssl_contexts() -> tuple[SSL.Context, SSL.Context]:
    """Fresh ones, for a client and for a server."""
    client, server = SSL.Context(SSL.TLS_METHOD), SSL.Context(SSL.TLS_METHOD)
    server.use_privatekey(certificate().privateKey.original)
    server.use_certificate(certificate().original)
    return client, server


def of_version(contexts: tuple[Any, Any], version: str) -> tuple[Any, Any]:
    number = ssl.TLSVersion[version]
    for context in contexts:
        if isinstance(context, ssl.SSLContext):
            context.minimum_version = context.maximum_version = number
        else:
            context.set_min_proto_version(int(number))
            context.set_max_proto_version(int(number))
    return contexts


class Pair:
    """A client and a server, of one version of TLS, that have shaken hands."""

    def __init__(self, client: str, version: str, server: str | None = None) -> None:
        self.libraries = client, server or client
        made = {"ssl": ssl_contexts, "pyOpenSSL": openssl_contexts}
        contexts = made[self.libraries[0]]()[0], made[self.libraries[1]]()[1]
        self.contexts = of_version(contexts, version)

    def connect(self) -> tuple[Any, Any]:
        client_context, server_context = self.contexts
        classes: dict[str, Any] = {"ssl": SSLEnd, "pyOpenSSL": OpenSSLEnd}
        of_client, of_server = self.libraries
        options = {"server_hostname": "test"} if of_client == "ssl" else {}
        client = classes[of_client](client_context, **options)
        server = classes[of_server](server_context, server_side=True)
        done = False
        while not done:
            done = client.shake()
            carry(client, server)
            done = server.shake() and done
            carry(server, client)
        # The tickets that a server sends after its handshake.
        assert client.read(1) == "empty"
        return client, server


def carry(source: Any, target: Any) -> None:
    """Bring ciphertext to the other end."""
    if data := source.outgoing():
        target.feed(data)


def drain(end: Any) -> tuple[bytes, Any]:
    """Read all that there is; say what it was, and why there is no more."""
    data = b""
    while True:
        try:
            part = end.read(LIMIT)
        except Exception as error:
            return data, told(error)
        if isinstance(part, str):
            return data, part
        data += part


def attempt(call: Any, *args: Any) -> Any:
    """What a call returns or raises."""
    try:
        return call(*args)
    except Exception as error:
        return told(error)


def same(program: Program, pair: Pair, side: str) -> list[Any]:
    """Run the program by the object's methods and by an engine; they must not differ."""
    outcomes = []
    for engine in (False, True):
        client, server = pair.connect()
        own, peer = (client, server) if side == "client" else (server, client)
        driver = own.engine() if engine else own
        assert not engine or driver.direct is DIRECT
        outcome = list(program(driver, peer, own))
        # What comes after whatever has happened.
        outcome += [drain(driver), attempt(driver.write, b"more"), bool(driver.outgoing())]
        outcome += [drain(driver), attempt(driver.write, b"more"), bool(driver.outgoing())]
        outcomes.append(outcome)
    by_methods, by_engine = outcomes
    assert by_engine == by_methods
    return by_engine
