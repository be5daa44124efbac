"""A server on Twisted: ``python -m servers.serve_twisted REACTOR WORK FOLDER``.

It prints its port, and after the first connection the class of its transport.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from twisted.internet.protocol import DatagramProtocol, Factory, Protocol
from twisted.logger import (
    FilteringLogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    globalLogBeginner,
    textFileLogObserver,
)
from twisted.web.http import HTTPFactory
from twisted.web.resource import Resource
from twisted.web.server import Site

from harness.certificate import NAME
from harness.loops import install_reactor
from harness.say import say, say_transport

BACKLOG = 4_096
HOST = "127.0.0.1"
TLS_ECHO = "tls-echo"
UNIX = "unix"


class Echo(Protocol):
    """What every introduction to Twisted begins with."""

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data)


class PromptEcho(Echo):
    """The same without Nagle's algorithm.

    By TLS an answer is in several small writes, and with that algorithm a reactor
    that sends each waits most of the time for delayed acknowledgements.
    """

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)


class Four(Protocol):
    """Writes in pieces, as much code does."""

    def dataReceived(self, data: bytes) -> None:
        write = self.transport.write
        write(data)
        write(data)
        write(data)
        write(data)


class Close(Protocol):
    """Has nothing to say to anyone."""

    def connectionMade(self) -> None:
        self.transport.loseConnection()


class DatagramEcho(DatagramProtocol):
    """Sends each datagram back."""

    def startProtocol(self) -> None:
        say_transport(self.transport)

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        self.transport.write(datagram, addr)


class Hello(Resource):
    """The page."""

    isLeaf = True

    def render_GET(self, request: Any) -> bytes:
        say_transport(request.transport)
        # The same without that, from now on.
        self.render_GET = self.page
        return self.page(request)

    def page(self, request: Any) -> bytes:
        request.setHeader(b"content-type", b"text/plain")
        return b"Hello, world!"


class Plain(Factory):
    """Tells the first connection's transport, and then is an ordinary factory."""

    noisy = False

    def buildProtocol(self, address: Any) -> Any:
        from twisted.internet import reactor

        self.buildProtocol = super().buildProtocol
        protocol = super().buildProtocol(address)
        # There is no transport yet.
        reactor.callLater(0, lambda: say_transport(protocol.transport))
        return protocol


class Quiet(Site):
    """Has no access log, which would be as much work as a small page."""

    noisy = False

    def log(self, request: Any) -> None:
        pass


PROTOCOLS = {"echo": Echo, "four": Four, "close": Close, TLS_ECHO: PromptEcho}


def websocket() -> Any:
    """Make what echoes WebSocket messages, by Autobahn."""
    from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol

    class Echoes(WebSocketServerProtocol):
        told = False

        def onOpen(self) -> None:
            if not Echoes.told:
                Echoes.told = True
                say_transport(self.transport)

        def onMessage(self, payload: bytes, isBinary: bool) -> None:
            self.sendMessage(payload, isBinary)

    factory = WebSocketServerFactory()
    factory.noisy = False
    factory.protocol = Echoes
    return factory


def secured() -> Any:
    """Make what has the certificate in the folder."""
    from twisted.internet.ssl import PrivateCertificate

    return PrivateCertificate.loadPEM(Path(sys.argv[-1], NAME).read_bytes()).options()


class Logged(Site):
    """With a log that nobody reads."""

    # Site's own is a file that is renamed when it is large: the null device, if root does it.
    _openLogFile = HTTPFactory._openLogFile


def listen(reactor: Any, work: str) -> Any:
    """Open the port for that work."""
    if work == "udp":
        return reactor.listenUDP(0, DatagramEcho(), interface=HOST)
    if work == UNIX:
        path = os.path.join(sys.argv[-1], str(os.getpid()))
        return reactor.listenUNIX(path, Plain.forProtocol(Echo), backlog=BACKLOG)
    if work == "http":
        factory: Any = Quiet(Hello())
    elif work == "http-log":
        factory = Logged(Hello(), logPath=os.devnull)
    elif work == "ws":
        factory = websocket()
    else:
        factory = Plain.forProtocol(PROTOCOLS[work])
    if work == TLS_ECHO:
        return reactor.listenSSL(0, factory, secured(), backlog=BACKLOG, interface=HOST)
    return reactor.listenTCP(0, factory, backlog=BACKLOG, interface=HOST)


def main() -> None:
    """Serve until somebody ends this process."""
    name, work, _folder = sys.argv[1:]
    reactor = install_reactor(name)

    # Problems are shown. Without this, everything else would be kept in memory.
    problems = LogLevelFilterPredicate(LogLevel.error)
    observer = FilteringLogObserver(textFileLogObserver(sys.stderr), [problems])
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False, discardBuffer=True)

    port = listen(reactor, work)
    address = port.getHost()
    where = os.fsdecode(address.name) if work == UNIX else address.port
    reactor.callWhenRunning(lambda: say(port=where))
    reactor.run()


if __name__ == "__main__":
    main()
