"""Finding addresses: the hosts file, the cache, then the name servers.

The resolvers of `twisted.names` do the work. None of them gives all addresses of
a name by queries for just these; that, and what errors mean, is here.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, TimeoutError
from twisted.internet.error import CannotListenError, ConnectError, ConnectionClosed
from twisted.names import dns, hosts
from twisted.names.error import DNSNameError, DNSServerError
from twisted.names.resolve import ResolverChain

from tornado4.platform.twisted._dns_client import Client

_KINDS = {int(socket.AF_INET): dns.A, int(socket.AF_INET6): dns.AAAA}

# How often an answer may be an alias only, whose own addresses are still to be asked for.
_MAX_ALIASES = 8

_MEANINGS = {
    socket.EAI_NONAME: "no such name, or no such address of it",
    socket.EAI_AGAIN: "no name server has answered",
    socket.EAI_FAIL: "the name servers refuse to answer",
}


class Names:
    """Finds the addresses of names, until it is closed."""

    def __init__(self, client: Client, hosts_file: str) -> None:
        self._client = client
        self._hosts = hosts.Resolver(os.fsencode(hosts_file))
        self._network = ResolverChain([client.cache, client])

    async def find(self, name: bytes, families: Sequence[int]) -> list[tuple[int, str]]:
        """Return (family, address) pairs, in the order of the families.

        Raises `OSError` if there are none. A name that is in the hosts file for
        one of the families isn't asked of the servers for another.
        """
        found = [pair for family in families for pair in await self._in_hosts_file(name, family)]
        if found:
            return found
        outcomes: list[tuple[bool, Any]] = await DeferredList(
            [Deferred.fromCoroutine(self._in_network(name, family)) for family in families],
            consumeErrors=True,
        )
        found = [pair for succeeded, result in outcomes if succeeded for pair in result]
        if found:
            return found
        errors = [result.value for succeeded, result in outcomes if not succeeded]
        raise _what_it_means(errors, name)

    def check_open(self) -> None:
        """Raise `OSError` if it is closed."""
        self._client.check_open()

    @property
    def is_closed(self) -> bool:
        """Whether it was closed."""
        return self._client.is_closed

    def close(self) -> None:
        """End what is under way, and give back all that is held; idempotent."""
        self._client.close()

    async def _in_hosts_file(self, name: bytes, family: int) -> list[tuple[int, str]]:
        try:
            records, _, _ = await self._hosts.query(dns.Query(name, _KINDS[family]))
        except (ValueError, OSError):
            # Not there, or with a scope: the library makes no record of such an address.
            return []
        return [(family, _address(family, record)) for record in records]

    async def _in_network(self, name: bytes, family: int) -> list[tuple[int, str]]:
        for _ in range(_MAX_ALIASES):
            answers, _, _ = await self._network.query(dns.Query(name, _KINDS[family]))
            names = _with_aliases(name, answers)
            found = [
                (family, _address(family, record))
                for record in answers
                if record.type == _KINDS[family] and record.name.name.lower() in names
            ]
            if found or len(names) == 1:
                return found
            name = names[-1]
        raise socket.gaierror(socket.EAI_FAIL, "too many aliases")


def _with_aliases(name: bytes, answers: Sequence[Any]) -> list[bytes]:
    """Return the name and all that it is an alias for, as far as the answers tell."""
    aliases = {
        record.name.name.lower(): record.payload.name.name.lower()
        for record in answers
        if record.type == dns.CNAME
    }
    names = [name.lower()]
    while (target := aliases.get(names[-1])) is not None and target not in names:
        names.append(target)
    return names


def _address(family: int, record: Any) -> str:
    return socket.inet_ntop(family, record.payload.address)


def _what_it_means(errors: Sequence[Exception], name: bytes) -> Exception:
    """Return the `OSError` for the errors of the queries for a name.

    No errors: there is no such address.
    """
    if not errors or any(isinstance(error, DNSNameError) for error in errors):
        code = socket.EAI_NONAME
    elif isinstance(errors[0], CannotListenError) and isinstance(errors[0].socketError, OSError):
        return errors[0].socketError
    elif isinstance(errors[0], OSError):
        return errors[0]
    elif isinstance(errors[0], (TimeoutError, DNSServerError, ConnectError, ConnectionClosed)):
        code = socket.EAI_AGAIN
    else:
        code = socket.EAI_FAIL
    meant = socket.gaierror(code, f"{_MEANINGS[code]}: {name.decode('ascii', 'replace')}")
    meant.__cause__ = errors[0] if errors else None
    return meant
