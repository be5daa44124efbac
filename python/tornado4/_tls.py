"""How TLS is done, for whoever asks."""

from __future__ import annotations

import sys
from typing import NamedTuple

from tornado4 import _core


class TLSEngine(NamedTuple):
    """How the connections of one TLS library are driven."""

    engine: str
    """``"direct"``: the library's own OpenSSL is called from native code.
    ``"fallback"``: native code calls the methods of its objects.
    ``"stock"``: the framework's code does it all."""

    reason: str
    """Why it isn't direct; empty if it is."""

    openssl: str
    """What the library's OpenSSL calls itself; empty if it doesn't say."""


# Users find it in the package.
TLSEngine.__module__ = "tornado4"


def tls_engine() -> dict[str, TLSEngine]:
    """See `tornado4.tls_engine`."""
    told = {}
    for name, direct, reason, openssl in _core.tls_engines():
        engine = "direct" if direct else "fallback"
        if name == "ssl" and sys.version_info < (3, 11):
            engine, reason = "stock", "asyncio's TLS before Python 3.11 is left to itself"
        told[name] = TLSEngine(engine, reason, openssl)
    return told
