"""What the tests of asyncio's servers and connections share."""

import asyncio
import socket

from helpers.scenarios import described
from helpers.transports import Plain

LOCAL = "127.0.0.1"


async def outcome_of(awaitable):
    """What it comes to, as `outcome` has it."""
    try:
        return await awaitable
    except (Exception, asyncio.CancelledError) as error:
        return described(error)


def port_of(server):
    return server.sockets[0].getsockname()[1]


def echoing(trace, made):
    """A factory of protocols that send back what they get."""

    def factory():
        def echo(protocol):
            protocol.transport.write(protocol.data)
            protocol.data = b""

        protocol = Plain(trace, data_received=echo)
        made.append(protocol)
        return protocol

    return factory


async def ask(loop, address, word=b"hello"):
    """Connect with a plain socket, send a word, and return what comes back."""
    family = socket.AF_INET6 if len(address) == 4 else socket.AF_INET
    if isinstance(address, str):
        family = socket.AF_UNIX
    with socket.socket(family) as sock:
        sock.setblocking(False)
        await loop.sock_connect(sock, address)
        await loop.sock_sendall(sock, word)
        return await loop.sock_recv(sock, 100)


async def pair(loop, first, second):
    """Two connected transports of one loop, with their server."""
    server = await loop.create_server(lambda: first, LOCAL, 0)
    transport, _ = await loop.create_connection(lambda: second, *server.sockets[0].getsockname())
    while not first.transport:
        await asyncio.sleep(0)
    return server, first.transport, transport
