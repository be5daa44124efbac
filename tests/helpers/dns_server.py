"""Name servers for tests, on loopback: a real one that can misbehave, and a bad one.

The real one is that of `twisted.names` on a stock reactor in a thread of its own,
so that a client's loop may run, stop and close as it likes.
"""

import contextlib
import socket
import struct
import threading
from functools import partial

from twisted.internet.error import CannotListenError
from twisted.names import dns
from twisted.names.authority import FileAuthority
from twisted.names.server import DNSServerFactory

from helpers.loops import LIMIT, epoll_reactor

TTL = 3600


class Zone(FileAuthority):
    """The zone ``test``."""

    def loadFile(self, records):
        self.soa = (b"test", dns.Record_SOA(mname=b"ns.test", serial=1, minimum=TTL, ttl=TTL))
        self.records = records


class Server(DNSServerFactory):
    """Writes down what is asked, and refuses ANY, as servers do today.

    ``oddities`` has, by name, what is done instead of answering properly.
    """

    def __init__(self, reactor):
        self.records = {}
        super().__init__(authorities=[Zone(self.records)])
        self.reactor = reactor
        self.protocol = partial(dns.DNSProtocol, reactor=reactor)
        self.noisy = False
        self.queries = []
        #: How many TCP connections there have been; some last for a moment only.
        self.accepted = 0
        self.oddities = {}

    def buildProtocol(self, address):
        self.accepted += 1
        return super().buildProtocol(address)

    def listen(self):
        """Listens by UDP and TCP, on the same port for both families."""
        while True:
            tcp = self.reactor.listenTCP(0, self, interface="127.0.0.1")
            port = tcp.getHost().port
            try:
                self._listen_udp(port, "127.0.0.1")
            except CannotListenError:
                tcp.stopListening()
                continue
            self.address = ("127.0.0.1", port)
            self.has_ipv6 = True
            try:
                self._listen_udp(port, "::1")
            except CannotListenError:
                self.has_ipv6 = False
            return

    def _listen_udp(self, port, interface):
        protocol = dns.DNSDatagramProtocol(self, reactor=self.reactor)
        protocol.noisy = False
        self.reactor.listenUDP(port, protocol, interface=interface)

    def add(self, name, *addresses, alias=None, ttl=TTL):
        """Adds addresses of both families, and what the name is an alias for."""
        records = self.records.setdefault(name.encode("idna"), [])
        for address in addresses:
            kind = dns.Record_AAAA if ":" in address else dns.Record_A
            records.append(kind(address, ttl))
        if alias is not None:
            records.append(dns.Record_CNAME(alias, ttl))

    def asked(self, name):
        """The types that were asked for a name, and the ways, in no order."""
        return sorted((kind, way) for asked, kind, way in self.queries if asked == name)

    def handleQuery(self, message, protocol, address):
        query = message.queries[0]
        name = query.name.name.decode("ascii").lower()
        kind = {**dns.QUERY_TYPES, dns.ALL_RECORDS: "ANY"}[query.type]
        self.queries.append((name, kind, "TCP" if address is None else "UDP"))
        if kind == "ANY":
            return self.reply(dns.EREFUSED, message, protocol, address)
        odd = self.oddities.get(name)
        if odd is not None and odd(self, message, protocol, address) is not NORMAL:
            return None
        return super().handleQuery(message, protocol, address)

    def reply(self, code, message, protocol, address, answers=(), trunc=0):
        response = self._responseFromMessage(message, rCode=code, answers=list(answers))
        response.trunc = trunc
        self.sendReply(protocol, response, address)


NORMAL = object()


# Oddities


def silent(server, message, protocol, address):
    """No answer."""


def silent_about(kind):
    def odd(server, message, protocol, address):
        return None if message.queries[0].type == kind else NORMAL

    return odd


def code(number):
    def odd(server, *query):
        server.reply(number, *query)

    return odd


def answering(*records):
    """Answers with these records, whatever they have to do with what was asked."""

    def odd(server, *query):
        server.reply(dns.OK, *query, answers=records)

    return odd


def too_long(server, message, protocol, address):
    """Answers by TCP only."""
    if address is None:
        return NORMAL
    server.reply(dns.OK, message, protocol, address, trunc=1)


def always_too_long(server, message, protocol, address):
    """Calls its answer too long by TCP too, and yet gives it."""
    record = dns.RRHeader(message.queries[0].name.name, dns.A, payload=dns.Record_A("127.0.0.7"))
    server.reply(dns.OK, message, protocol, address, answers=[record], trunc=1)


def hanging_up(server, message, protocol, address):
    """Ends the TCP connection instead of answering by it."""
    if address is None:
        protocol.transport.abortConnection()
    else:
        too_long(server, message, protocol, address)


def silent_by_tcp(server, message, protocol, address):
    if address is not None:
        too_long(server, message, protocol, address)


@contextlib.contextmanager
def dns_server():
    """A `Server` that runs in a thread."""
    with epoll_reactor() as reactor:
        server = Server(reactor)
        server.listen()
        thread = threading.Thread(target=reactor.run, args=(False,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            reactor.callFromThread(reactor.stop)
            thread.join(LIMIT)
            assert not thread.is_alive()


@contextlib.contextmanager
def bad_server(reply=lambda query: [], listens=None):
    """A server that answers with what `reply` makes of the bytes of a query.

    By TCP it accepts nothing: connections wait in the queue of its socket, which
    is `listens` long, or are refused.
    """
    udp, tcp = _sockets_of_one_port()
    address = udp.getsockname()
    with udp, tcp:
        if listens is not None:
            tcp.listen(listens)

        def serve():
            while True:
                query, client = udp.recvfrom(65536)
                if query == b"end":
                    return
                for answer in reply(query):
                    udp.sendto(answer, client)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield address
        finally:
            udp.sendto(b"end", address)
            thread.join(LIMIT)
            assert not thread.is_alive()


def _sockets_of_one_port():
    while True:
        tcp, udp = socket.socket(), socket.socket(type=socket.SOCK_DGRAM)
        tcp.bind(("127.0.0.1", 0))
        try:
            udp.bind(tcp.getsockname())
        except OSError:
            tcp.close()
            udp.close()
        else:
            return udp, tcp


def truncated(query):
    """The query as an answer that didn't fit."""
    return [query[:2] + bytes([query[2] | 0x82]) + query[3:]]


def header(query, flags, *counts):
    """The header of an answer to a query; the counts are those of its sections."""
    return query[:2] + struct.pack("!5H", flags, *counts)
