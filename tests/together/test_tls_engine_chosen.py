"""Which TLS engine a library gets, and what is said of it."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
from typing import Any

import pytest
from OpenSSL import SSL

import tornado4

KNOWN = sys.version_info < (3, 11)

PROGRAM = """
import json, sys
{before}
import tornado4
print(json.dumps([tornado4.tls_engine(), "OpenSSL" in sys.modules, "ssl" in loaded]))
"""

HANDSHAKE = """
import ssl
sys.path[:0] = {paths}
from helpers.tls_ends import Pair, carry, drain
for library in ("ssl", "pyOpenSSL"):
    client, server = Pair(library, "TLSv1_3").connect()
    engine = server.engine()
    assert not engine.direct
    assert engine.write(b"data") == 4
    carry(server, client)
    assert drain(client) == (b"data", "empty")
    client.write(b"answer")
    carry(client, server)
    assert drain(engine) == (b"answer", "empty")
"""


def engines_after(before: str, **environ: str) -> Any:
    """What `tls_engine` says in a process of its own, where this was run before."""
    clean = {name: value for name, value in os.environ.items() if name != "TORNADO4_TLS"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(before="loaded = sys.modules\n" + before)],
        env=clean | environ,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_both_libraries_are_told_of() -> None:
    told = tornado4.tls_engine()
    assert set(told) == {"ssl", "pyOpenSSL"}
    assert told["ssl"].openssl == ssl.OPENSSL_VERSION
    assert told["pyOpenSSL"].openssl == SSL.OpenSSL_version(0).decode()
    for entry in told.values():
        assert entry.engine in ("direct", "fallback", "stock")
        assert bool(entry.reason) is (entry.engine != "direct")


def test_pyopenssl_is_not_imported_for_it() -> None:
    told, is_imported, _ = engines_after("")
    assert set(told) == {"ssl"}
    assert not is_imported


@pytest.mark.skipif(KNOWN, reason="asyncio's TLS is left to itself")
@pytest.mark.parametrize(
    ("before", "reason"),
    [
        ("import _ssl; _ssl.__file__ = '/nowhere.so'", "isn't loaded"),
        ("import _ssl; del _ssl.__file__", "linked into the interpreter"),
        ("import _ssl; from tornado4 import _core; _ssl.__file__ = _core.__file__", "SSL_read"),
        ("import _ssl; _ssl.OPENSSL_VERSION = 'OpenSSL 0.1'", "OpenSSL 0.1"),
        ("import _ssl; _ssl.MemoryBIO = None", "not callable"),
        ("sys.implementation.name = 'snakeskin'", "how this Python keeps"),
    ],
)
def test_why_the_functions_of_ssl_cannot_be_called(before: str, reason: str) -> None:
    told, _, _ = engines_after(before)
    engine, why, _ = told["ssl"]
    assert engine == "fallback"
    assert reason in why


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        ("from OpenSSL import SSL; SSL._ffi = object()", "another library"),
        (
            "from OpenSSL import SSL\n"
            "import cryptography.hazmat.bindings._rust as rust\n"
            "class Binding: ffi, lib = rust._openssl.ffi, object()\n"
            "rust._openssl = Binding",
            "SSL_read",
        ),
        (
            "from OpenSSL import SSL\nSSL.Connection.get_cipher_name = lambda conn: 'another'",
            "self-check: the version or the cipher",
        ),
        (
            "from OpenSSL import SSL\n"
            "SSL.Connection.recv = lambda conn, count: (_ for _ in ()).throw(SSL.WantReadError())",
            "self-check: what arrives",
        ),
    ],
)
def test_why_the_functions_of_pyopenssl_cannot_be_called(before: str, reason: str) -> None:
    told, _, _ = engines_after(before)
    engine, why, _ = told["pyOpenSSL"]
    assert engine == "fallback"
    assert reason in why


def test_the_environment_may_ask_for_the_fallback() -> None:
    paths = [path for path in sys.path if path.endswith("tests")]
    before = HANDSHAKE.format(paths=paths)
    told, _, _ = engines_after(before, TORNADO4_TLS="fallback")
    assert told["pyOpenSSL"][:2] == ["fallback", "TORNADO4_TLS says so"]
    if not KNOWN:
        assert told["ssl"][:2] == ["fallback", "TORNADO4_TLS says so"]
    told, _, _ = engines_after("", TORNADO4_TLS="anything else")
    assert "TORNADO4_TLS" not in told["ssl"][1]
