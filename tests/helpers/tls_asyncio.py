"""TLS ends of asyncio for the tests: both of one loop, or one with a peer outside of it."""

import asyncio
import contextlib
import socket
import time

from helpers.authorities import HOST
from helpers.loops import LIMIT
from helpers.scenarios import open_fds, turns
from helpers.tls_peers import HasPeer, TLSPeer
from helpers.transports import Buffered, Plain

LOCAL = "127.0.0.1"

# So often a condition is looked at without waiting: most come true at once.
HASTY = 60
FIELDS = ("errno", "library", "reason", "verify_code", "verify_message")


def told(error):
    """Everything that an exception says."""
    if error is None:
        return None
    fields = {name: getattr(error, name) for name in FIELDS if hasattr(error, name)}
    return type(error).__name__, str(error), fields


def run_until(loop, condition):
    """Runs a loop until a condition holds, which is looked at after each turn."""
    deadline = time.monotonic() + LIMIT
    is_over = False

    def look(count=0):
        if is_over:
            # Something else has ended the run.
            return
        if condition() or time.monotonic() > deadline:
            loop.stop()
        elif count < HASTY:
            loop.call_soon(look, count + 1)
        else:
            loop.call_later(0.001, look, count)

    if not condition():
        loop.call_soon(look)
        try:
            loop.run_forever()
        finally:
            is_over = True
    assert condition(), "it never came to that"


class TLSPlain(Plain):
    def connection_lost(self, error):
        self.lost = True
        self.called("connection_lost", told(error))


class TLSBuffered(Buffered):
    connection_lost = TLSPlain.connection_lost


BOTH_KINDS = [TLSPlain, TLSBuffered]


async def told_of(awaitable):
    """What it comes to: its result, or what the exception says."""
    try:
        return await awaitable
    except (Exception, asyncio.CancelledError) as error:
        return told(error)


def connected_word(result):
    """What connecting came to, without the objects."""
    return result if isinstance(result[0], str) else "connected"


@contextlib.contextmanager
def all_closed(loop):
    """What was opened within is closed in the end, without anybody's further doing."""
    before = set(open_fds().items())

    def closed():
        return not [
            entry for entry in open_fds().items() if entry not in before and is_socket(entry)
        ]

    yield
    run_until(loop, closed)


def is_socket(entry):
    return entry[1].startswith("socket:")


@contextlib.contextmanager
def serving(loop, factory, **kwargs):
    server = loop.run_until_complete(loop.create_server(factory, LOCAL, 0, **kwargs))
    try:
        yield server.sockets[0].getsockname()
    finally:
        server.close()
        turns(loop, 3)


def connect(loop, server_side, client_side, **kwargs):
    """Both ends, connected; or what connecting came to."""
    first, second = TLSPlain([]), TLSPlain([])
    with serving(loop, lambda: first, ssl=server_side) as address:
        connecting = loop.create_connection(
            lambda: second, *address, ssl=client_side, server_hostname=HOST, **kwargs
        )
        result = connected_word(loop.run_until_complete(told_of(connecting)))
        if result == "connected":
            run_until(loop, lambda: first.transport)
    return result, first, second


def part(loop, *ends):
    for end in ends:
        if end.transport and not end.lost:
            end.transport.close()
    run_until(loop, lambda: all(end.lost or not end.transport for end in ends))


def talk(loop, first, second):
    """Data in both directions."""
    first.transport.write(b"from the first")
    second.transport.write(b"from the second")
    run_until(loop, lambda: first.data and second.data)
    return first.data, second.data


class Facing(HasPeer):
    """A protocol, its peer, and what connecting came to, where ours connects."""

    def __init__(self, loop, protocol, peer, connecting):
        self.loop = loop
        self.protocol = protocol
        self.peer = peer
        self.connecting = connecting

    def until(self, condition):
        run_until(self.loop, condition)

    def shaken(self):
        """Both ends have done the handshake, or the peer couldn't."""
        self.until(self.peer.handshake)
        if self.peer.ended is None:
            self.until(lambda: self.protocol.transport or self.peer.gone())
        return self.peer

    def over(self, told=True):
        """Our end is done: it was told of its end, or never of its beginning, or is never
        told."""
        own = self.protocol
        self.until(
            lambda: self.peer.gone(answering=True) and (own.lost or not own.transport or not told)
        )
        turns(self.loop, 5)

    def outcome(self):
        """What connecting came to; None at a server."""
        if self.connecting is None:
            return None
        self.until(self.connecting.done)
        return connected_word(self.connecting.result())


@contextlib.contextmanager
def facing(loop, protocol, end, ours, theirs, *, name=HOST, **kwargs):
    """A protocol at that end of a connection, and a TLSPeer, before the handshake."""
    with contextlib.ExitStack() as stack:
        connecting = None
        if end == "server":
            address = stack.enter_context(serving(loop, lambda: protocol, ssl=ours, **kwargs))
            sock = socket.create_connection(address)
        else:
            listening = stack.enter_context(socket.create_server((LOCAL, 0)))
            address = listening.getsockname()
            connecting = loop.create_task(
                told_of(
                    loop.create_connection(
                        lambda: protocol, *address, ssl=ours, server_hostname=name, **kwargs
                    )
                )
            )
            listening.setblocking(False)
            accepted = []

            def accept():
                with contextlib.suppress(BlockingIOError):
                    accepted.append(listening.accept()[0])
                return accepted

            run_until(loop, accept)
            (sock,) = accepted
        stack.enter_context(sock)
        peer = TLSPeer(sock, theirs, server=end == "client", name=name)
        made = Facing(loop, protocol, peer, connecting)
        try:
            yield made
        finally:
            peer.sock.close()
            protocol.hooks.clear()
            protocol.trace = []
            if protocol.transport and not protocol.lost:
                protocol.transport.abort()
            if connecting:
                run_until(loop, connecting.done)
            turns(loop, 5)
