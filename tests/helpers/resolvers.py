"""What the tests of TwistedResolver share: a name server, and ways to use it."""

import os
import socket

import pytest

import tornado4
from helpers.dns_server import dns_server
from tornado4.platform.twisted import TwistedResolver

V4, V6, ANY_FAMILY = socket.AF_INET, socket.AF_INET6, socket.AF_UNSPEC

# Seconds. Long, for servers that answer; short, for those that don't.
LONG, SHORT = (20.0,), (0.05, 0.05)

# What a server is asked for a name of any family: both of its records.
BOTH_ONCE = [("A", "UDP"), ("AAAA", "UDP")]


@pytest.fixture(scope="module")
def _server():
    with dns_server() as server:
        yield server


@pytest.fixture
def server(_server):
    """A name server without names. That nobody asks it for ANY is always tested."""
    _server.records.clear()
    _server.queries.clear()
    _server.oddities.clear()
    yield _server
    assert "ANY" not in {kind for _, kind, _ in _server.queries}


def resolver_for(*addresses, **options):
    """A resolver that asks these servers, and reads no hosts file unless it is given."""
    options = {"hosts": os.devnull, "timeout": LONG, **options}
    return TwistedResolver(servers=addresses, **options)


def run(use, *addresses, **options):
    """What a coroutine function that uses a resolver returns, on a loop of its own."""

    async def main():
        resolver = resolver_for(*addresses, **options)
        try:
            return await use(resolver)
        finally:
            resolver.close()

    return tornado4.run(main())


def resolved(address, host, family=ANY_FAMILY, port=80, **options):
    """What a name is resolved to, or the error's errno."""

    async def use(resolver):
        try:
            return await resolver.resolve(host, port, family)
        except socket.gaierror as error:
            return error.errno

    addresses = address if isinstance(address, list) else [address]
    return run(use, *addresses, **options)


def without_server(use, **options):
    """The same, with a server that there isn't."""
    return run(use, ("127.0.0.1", 9), **options)


def literal(host, family=ANY_FAMILY, port=80):
    """What is resolved without a server, or the error's errno."""
    return resolved(("127.0.0.1", 9), host, family, port)


def pairs(*addresses, port=80):
    """(family, address) pairs as a resolver returns them."""
    return [(V6, (a, port, 0, 0)) if ":" in a else (V4, (a, port)) for a in addresses]
