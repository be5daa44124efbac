"""Datagram endpoints for the tests of asyncio's transports."""

import asyncio
import socket

HOST = "127.0.0.1"


class Traced(asyncio.DatagramProtocol):
    """Writes down what happens to it."""

    def __init__(self):
        self.trace = []
        self.lost = False

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        self.trace.append(data)

    def error_received(self, exc):
        self.trace.append(exc)

    def connection_lost(self, exc):
        self.lost = True
        self.trace.append(("lost", exc))


def endpoint(loop, protocol=Traced, **options):
    """Make one, at a port of the loopback interface unless something else is said."""
    if not options:
        options = {"local_addr": (HOST, 0)}
    made = loop.create_datagram_endpoint(protocol, **options)
    return loop.run_until_complete(made)


def nobodys_address():
    """Where no one listens."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
        gone.bind((HOST, 0))
        return gone.getsockname()


def send(transport, *datagrams):
    """Send it datagrams from a socket that is gone then."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        for datagram in datagrams:
            peer.sendto(datagram, transport.get_extra_info("sockname"))
