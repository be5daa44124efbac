"""The DNS client of `twisted.names`, made to end without leaving anything behind.

The library does the work; comments say where it needs help, and why.
"""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Iterable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.error import CannotListenError, ConnectionLost
from twisted.names import client, dns
from twisted.names.cache import CacheResolver
from twisted.names.error import DNSQueryTimeoutError
from twisted.python.failure import Failure

# The library has few types, and some that don't fit.
_Resolver: Any = client.Resolver
_Factory: Any = client.DNSClientFactory

# What a server says that is of no help; the next one may know.
_NO_HELP = (dns.ESERVER, dns.ENOTIMP, dns.EREFUSED)


class Client(_Resolver):  # type: ignore[misc]
    """Asks name servers: by UDP, and by TCP for an answer that doesn't fit.

    ``servers`` are (IP address, port) pairs; None means those of ``resolvconf``.
    They are asked in order, each for as long as ``timeout`` says first, in
    seconds, then all again for as long as it says next, and so on. What they
    answer is put into ``cache``.
    """

    def __init__(
        self,
        reactor: Any,
        servers: Iterable[tuple[str, int]] | None,
        resolvconf: str,
        timeout: Sequence[float],
    ) -> None:
        self.cache = CacheResolver(reactor=reactor)
        self._closed = False
        self._ports: list[Any] = []
        self._truncated_by: tuple[str, int] | None = None
        super().__init__(
            # Given both, the library asks the servers of both.
            resolv=resolvconf if servers is None else None,
            servers=None if servers is None else _servers(servers),
            timeout=tuple(timeout),
            reactor=reactor,
        )
        self.factory = _Connections(self, timeout)

    # Its end

    def check_open(self) -> None:
        """Raise `OSError` if it is closed."""
        if self._closed:
            raise socket.gaierror(socket.EAI_FAIL, "the resolver is closed")

    @property
    def is_closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    def close(self) -> None:
        """End what is under way, and give back all that is held; idempotent."""
        self._closed = True
        connectors = list(self.factory.connectors)
        transports = [*self._ports, *(connector.transport for connector in connectors)]
        for connector in connectors:
            if connector.state == "connected":
                connector.transport.abortConnection()
            else:
                connector.stopConnecting()
        # The loop may never turn again: time-outs come now, and so does what ports
        # and connections put off to the next turn, which is to close.
        while calls := [c for c in self._reactor.getDelayedCalls() if self._owns(c, transports)]:
            for call in calls:
                if call.active():
                    function, args, kw = call.func, call.args, call.kw
                    call.cancel()
                    function(*args, **kw)

    def _owns(self, call: Any, transports: Sequence[Any]) -> bool:
        owner = getattr(call.func, "__self__", None)
        if isinstance(owner, dns.DNSMixin):
            return owner.controller is self
        return owner is self.cache or any(owner is transport for transport in transports)

    # Name servers

    def maybeParseConfig(self) -> None:
        """Read the servers' addresses if their file has changed.

        The library does it every minute; here it is done before a query.
        """
        super().maybeParseConfig()
        if self.resolv is not None:
            self._parseCall.cancel()

    def parseConfig(self, resolvConf: Iterable[bytes]) -> None:
        """Take the servers' addresses, and nothing else, from the lines of a file.

        What is no address is ignored; the library would fail, now or later.
        """
        lines = []
        for words in map(bytes.split, resolvConf):
            with contextlib.suppress(ValueError):
                if words[:1] == [b"nameserver"] and len(words) > 1:
                    host, _ = _server(words[1].decode("ascii"), dns.PORT)
                    lines.append(b"nameserver " + host.encode("ascii"))
        super().parseConfig(lines)

    def pickServer(self) -> tuple[str, int] | None:
        """Return the server to ask by TCP: the one whose answer didn't fit."""
        return self._truncated_by

    # Queries

    def _lookup(self, name: bytes, cls: int, type: int, timeout: Any) -> Deferred[Any]:
        with contextlib.suppress(OSError):
            self.maybeParseConfig()
        answer: Deferred[Any] = super()._lookup(name, cls, type, timeout)
        return answer.addCallback(self._remember, dns.Query(name, type, cls))

    def _remember(self, answer: Any, query: dns.Query) -> Any:
        # The library's cache is filled by its users. That there is no record may
        # be kept for as long as the zone's own record says (RFC 2308).
        answers, authority, _ = answer
        absence = [] if answers else [r for r in authority if r.type == dns.SOA]
        if answers or absence:
            self.cache.cacheResult(query, (answers, absence, []))
        return answer

    def _query(self, *args: Any) -> Deferred[Any]:
        try:
            self.check_open()
            answer: Deferred[Any] = super()._query(*args)
        except (OSError, CannotListenError):
            # Were it raised, the library would let all further queries for the
            # same name wait for this one forever.
            answer = fail(Failure())
        return answer.addCallbacks(self._answered, self._not_sent, callbackArgs=(args[0],))

    def _answered(self, message: dns.Message, server: tuple[str, int]) -> dns.Message:
        if message.trunc:
            self._truncated_by = server
        servers = [*self.servers, *self.dynServers]
        if message.rCode in _NO_HELP and server != servers[-1]:
            raise DNSQueryTimeoutError(message.id)
        return message

    def _not_sent(self, failure: Failure) -> Failure:
        error: Any = failure.value
        cause = error.socketError if isinstance(error, CannotListenError) else error
        if not isinstance(cause, OSError) or isinstance(cause, socket.gaierror):
            return failure
        if cause.errno in (errno.EMFILE, errno.ENFILE):
            return failure
        # No way to this server. The library goes on to the next after a time-out only.
        raise DNSQueryTimeoutError(dns.randomSource())

    def _connectedProtocol(self, interface: str = "") -> dns.DNSDatagramProtocol:
        protocol: Any = super()._connectedProtocol(interface)
        self._ports = [port for port in self._ports if port.connected]
        self._ports.append(protocol.transport)
        return protocol  # type: ignore[no-any-return]

    # TCP

    def queryTCP(self, queries: Any, timeout: float | None = None) -> Deferred[Any]:
        """Ask by TCP. Connecting and answering may take ``timeout`` seconds each."""
        limit = self.timeout[-1] if timeout is None else timeout
        answer: Deferred[Any] = super().queryTCP(queries, limit)
        answer.addTimeout(limit, self._reactor)
        return answer.addCallback(_whole).addBoth(self._hang_up)

    def connectionMade(self, protocol: dns.DNSProtocol) -> None:
        """Send by a new connection what has waited for one."""
        super().connectionMade(protocol)
        self._hang_up(None)

    def connectionLost(self, protocol: dns.DNSProtocol) -> None:
        """Let fail what was asked by a connection; the library would just wait."""
        super().connectionLost(protocol)
        waiting: list[Any] = list(protocol.liveMessages.values())
        for answer, timer in waiting:
            timer.cancel()
            answer.errback(ConnectionLost())
        protocol.liveMessages.clear()

    def _hang_up(self, result: Any) -> Any:
        # The library keeps the connections, and asks by them even if they are dead.
        for protocol in [p for p in self.connections if not p.liveMessages]:
            self.connections.remove(protocol)
            protocol.transport.loseConnection()
        return result


class _Connections(_Factory):  # type: ignore[misc]
    """Knows the connections, which the library forgets while they are made."""

    noisy = False

    def __init__(self, controller: Client, timeout: Sequence[float]) -> None:
        super().__init__(controller, timeout)
        self.connectors: list[Any] = []

    def buildProtocol(self, address: object) -> dns.DNSProtocol:
        # The library's would install the default reactor, for its time-outs.
        protocol = dns.DNSProtocol(self.controller, reactor=self.controller._reactor)
        protocol.factory = self
        return protocol

    def startedConnecting(self, connector: Any) -> None:
        self.connectors.append(connector)

    def clientConnectionLost(self, connector: Any, reason: Failure) -> None:
        self.connectors.remove(connector)

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        self.connectors.remove(connector)
        super().clientConnectionFailed(connector, reason)


def _whole(message: dns.Message) -> dns.Message:
    # A server that calls it too long even so would be asked again and again.
    message.trunc = 0
    return message


def _servers(servers: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    """Return the addresses that somebody has passed; see `_server`.

    Raises `TypeError` for what are no pairs, `ValueError` for a port that is none.
    """
    # A text is iterable too, and would be taken to pieces.
    text = isinstance(servers, (str, bytes))
    given: list[Any] = list(servers) if isinstance(servers, Iterable) and not text else [servers]
    for server in given:
        pair = server if isinstance(server, (tuple, list)) else ()
        if len(pair) != 2 or not isinstance(pair[0], str) or not isinstance(pair[1], int):
            raise TypeError(f"name servers are (IP address, port) pairs, not {server!r}")
        if not 0 < pair[1] < 65536:
            raise ValueError(f"not the port of a name server: {pair[1]!r}")
    return [_server(host, port) for host, port in given]


def _server(host: str, port: int) -> tuple[str, int]:
    """Return a server's address as the socket will give it, for answers to match.

    Raises `ValueError` if it is no IP address, or one with a scope: its answers
    come without one, and the library wouldn't know them.
    """
    if "%" not in host:
        with contextlib.suppress(OSError, UnicodeError):
            numeric = socket.AI_NUMERICHOST
            found = socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM, flags=numeric)
            return str(found[0][4][0]), port
    raise ValueError(f"not the IP address of a name server: {host!r}")
