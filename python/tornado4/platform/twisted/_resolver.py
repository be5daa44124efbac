"""`TwistedResolver`: Tornado's resolver interface, by Twisted's DNS client."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import tornado.ioloop
from tornado.netutil import Resolver
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from tornado4._io_loop import IOLoop
from tornado4.platform.asyncio import EventLoop
from tornado4.platform.twisted._hosts import loops_of
from tornado4.platform.twisted._reactor import TornadoReactor

if TYPE_CHECKING:
    from typing_extensions import Self

    from tornado4.platform.twisted._names import Names

_FAMILIES: dict[int, tuple[socket.AddressFamily, ...]] = {
    socket.AF_UNSPEC: (socket.AF_INET6, socket.AF_INET),
    socket.AF_INET6: (socket.AF_INET6,),
    socket.AF_INET: (socket.AF_INET,),
}


class TwistedResolver(Resolver):
    """A resolver that neither blocks nor uses threads: Twisted asks by DNS.

    Made directly, or by `tornado.netutil.Resolver` after
    ``Resolver.configure("tornado4.platform.twisted.TwistedResolver")``.

    Looks a name up in the hosts file, in a cache of its own, and then asks the
    name servers for its A and AAAA records. It knows no other sources of names
    that the system may have, and no search list: a name is asked for as it is.
    Follows the documentation of Tornado 4.5, but it gives all addresses that it
    finds, not one at most, and any ``family`` may be asked for.
    """

    if TYPE_CHECKING:

        def __new__(cls, *args: Any, **kwargs: Any) -> Self: ...

        def __init__(
            self,
            io_loop: tornado.ioloop.IOLoop | None = None,
            *,
            servers: Iterable[tuple[str, int]] | None = None,
            resolvconf: str | os.PathLike[str] = "/etc/resolv.conf",
            hosts: str | os.PathLike[str] = "/etc/hosts",
            timeout: Sequence[float] = (1, 3, 11, 45),
        ) -> None: ...

    def initialize(
        self,
        io_loop: tornado.ioloop.IOLoop | None = None,
        *,
        servers: Iterable[tuple[str, int]] | None = None,
        resolvconf: str | os.PathLike[str] = "/etc/resolv.conf",
        hosts: str | os.PathLike[str] = "/etc/hosts",
        timeout: Sequence[float] = (1, 3, 11, 45),
    ) -> None:
        """Set the resolver up, to be used on ``io_loop``, by default the current one.

        It runs on the reactor of a `TwistedIOLoop`, or on the global reactor if
        that is on the same loop, or else on one that the loop's resolvers share.

        ``servers`` are (IP address, port) pairs, instead of those that are named
        in ``resolvconf``, a resolv.conf(5) file; ``hosts`` is a hosts(5) file. A
        server's address can't have a scope. Files are read again when they have
        changed. All servers are asked in order, each for ``timeout[0]`` seconds,
        then all for ``timeout[1]`` and so on.

        Raises `TypeError` for what is no IOLoop, are no pairs or is no sequence,
        `RuntimeError` for an IOLoop that is closed, `ValueError` for servers or
        time-outs that can't be used.
        """
        # Imported by whoever makes one, and not by everybody who imports the reactor.
        from tornado4.platform.twisted._dns_client import Client
        from tornado4.platform.twisted._names import Names

        timeout = _timeouts(timeout)
        loop, self.io_loop = loops_of(IOLoop.current() if io_loop is None else io_loop)
        if self.io_loop is None:
            raise TypeError(f"not an IOLoop: {io_loop!r}")
        shared = _shared_by_resolvers_on(loop)
        self.reactor = shared.reactor_of(self.io_loop)
        client = Client(self.reactor, servers, os.fspath(resolvconf), timeout)
        self._names = Names(client, os.fspath(hosts))
        shared.names.add(self._names)

    def __repr__(self) -> str:
        name = type(self).__name__
        names = getattr(self, "_names", None)
        if names is None:
            return f"<{name} not initialized>"
        return f"<{name} {'closed' if names.is_closed else 'open'}, on {self.io_loop!r}>"

    def close(self) -> None:
        """Free all resources. What is under way, or asked for later, fails.

        Happens by itself when the IOLoop is closed. Idempotent.
        """
        self._names.close()

    def resolve(
        self,
        host: str,
        port: int,
        family: int = socket.AF_UNSPEC,
        callback: Callable[[list[tuple[int, Any]]], object] | None = None,
    ) -> asyncio.Future[list[tuple[int, Any]]]:
        """Resolve a name, or the text of an IP address.

        Returns a Future of a list of (family, address) pairs, IPv6 first; an
        address is what `socket.socket.connect` takes. It is never empty. If there
        is a ``callback``, the IOLoop calls it with the list.

        The error is an `OSError`, in general a `socket.gaierror` whose errno is

        * ``EAI_NONAME``: there is no such name, it has no address of that family,
          or it can't be the name of a host;
        * ``EAI_AGAIN``: no name server could be reached, has answered in time, or
          was in a state to answer;
        * ``EAI_FAIL``: the name servers refuse to answer, or their answer makes no
          sense; or the resolver is closed;
        * ``EAI_FAMILY``: ``family`` is not one of ``AF_UNSPEC``, ``AF_INET`` and
          ``AF_INET6``.

        It is a `TypeError` if ``host`` is no string.
        """
        future: asyncio.Future[list[tuple[int, Any]]]
        future = self.io_loop.asyncio_loop.create_future()

        def succeed(found: list[tuple[int, Any]]) -> None:
            if not future.done():
                future.set_result(found)

        def fail(failure: Failure) -> None:
            if not future.done() and failure.value is not None:
                future.set_exception(failure.value)

        Deferred.fromCoroutine(self._resolve(host, port, family)).addCallbacks(succeed, fail)
        if callback is not None:
            self.io_loop.add_future(future, lambda future: callback(future.result()))
        return future

    async def _resolve(self, host: str, port: int, family: int) -> list[tuple[int, Any]]:
        self._names.check_open()
        families = _FAMILIES.get(family)
        if families is None:
            raise socket.gaierror(socket.EAI_FAMILY, f"neither IPv4 nor IPv6: {family!r}")
        name = _encoded(host)
        literal = _literal(name)
        if literal is not None:
            found, (ip, _, *rest) = literal
            if found not in families:
                raise socket.gaierror(socket.EAI_NONAME, f"an address of another family: {host!r}")
            return [(found, (ip, port, *rest))]
        _check_name(name)
        return [
            (found, (ip, port, 0, 0) if found == socket.AF_INET6 else (ip, port))
            for found, ip in await self._names.find(name, families)
        ]


# Arguments


def _timeouts(timeout: Iterable[float]) -> tuple[float, ...]:
    if isinstance(timeout, (str, bytes)) or not isinstance(timeout, Iterable):
        raise TypeError(f"time-outs are a sequence of seconds such as (1, 3), not {timeout!r}")
    timeouts = tuple(timeout)
    if not all(isinstance(seconds, (int, float)) for seconds in timeouts):
        raise TypeError(f"time-outs are numbers of seconds: {timeouts!r}")
    if not timeouts or not all(seconds > 0 for seconds in timeouts):
        raise ValueError(f"not a sequence of positive time-outs: {timeouts!r}")
    return timeouts


# Names


def _encoded(host: str) -> bytes:
    if not isinstance(host, str):
        raise TypeError(f"a host's name is a string, not {host!r}")
    try:
        return host.encode("idna").removesuffix(b".")
    except UnicodeError as error:
        raise socket.gaierror(socket.EAI_NONAME, f"not a host's name: {host[:256]!r}") from error


def _literal(name: bytes) -> tuple[int, Any] | None:
    """Return (family, address) if the name is the text of an IP address."""
    if not name or b"\0" in name:
        return None
    try:
        found = socket.getaddrinfo(
            name, 0, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        )
    except socket.gaierror:
        return None
    return found[0][0], found[0][4]


def _check_name(name: bytes) -> None:
    """Refuse what DNS can't carry, and what no host is called."""
    labels = name.split(b".")
    if (
        len(name) > 253
        or not all(0 < len(label) < 64 for label in labels)
        or any(byte <= 0x20 or byte in b"%:[]\x7f" for byte in name)
    ):
        raise socket.gaierror(socket.EAI_NONAME, f"not a host's name: {name[:256]!r}")


# The loop


class _ResolversReactor(TornadoReactor):
    """The reactor of the resolvers on a loop that the program has no reactor on.

    It never starts: then it has nothing to do with signals and child processes.
    """

    def _startWithLoop(self) -> None:
        pass

    def end(self) -> None:
        """Leave the loop, which is about to be closed."""
        self.fireSystemEvent("shutdown")
        if self._host.engine is not self._asyncioEventloop:
            self._host.engine._release()


class _Shared:
    """What the resolvers on one loop share, and their end with the loop."""

    def __init__(self, loop: Any) -> None:
        self.names: WeakSet[Names] = WeakSet()
        self._loop = loop
        self._own_reactor: _ResolversReactor | None = None
        if isinstance(loop, EventLoop):
            loop._at_close.append(self._end)
        else:
            # A foreign loop doesn't tell when it is closed.
            self._close_loop = loop.close
            loop.close = self._close

    def reactor_of(self, io_loop: Any) -> Any:
        """Return the reactor that an IOLoop on this loop runs on, or runs."""
        if getattr(io_loop, "reactor", None) is not None:
            return io_loop.reactor
        installed = sys.modules.get("twisted.internet.reactor")
        if getattr(installed, "_asyncioEventloop", None) is self._loop:
            return installed
        if self._own_reactor is None:
            self._own_reactor = _ResolversReactor(io_loop)
        return self._own_reactor

    def _close(self) -> None:
        if not self._loop.is_running():
            self._end()
        self._close_loop()

    def _end(self) -> None:
        for names in list(self.names):
            names.close()
        if self._own_reactor is not None:
            reactor, self._own_reactor = self._own_reactor, None
            reactor.end()


def _shared_by_resolvers_on(loop: Any) -> _Shared:
    shared = vars(loop).get("_shared_by_resolvers")
    if shared is None:
        shared = vars(loop)["_shared_by_resolvers"] = _Shared(loop)
    return shared  # type: ignore[no-any-return]
