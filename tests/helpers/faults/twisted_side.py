"""Twisted: listenTCP, connectTCP and their kind, spawnProcess."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from twisted.internet import protocol
from twisted.internet.epollreactor import EPollReactor
from twisted.python import log
from twisted.python.failure import Failure

from helpers.certificates import client_context, server_context
from helpers.faults.sides import Child, Connection, Side, Talk, error_of
from helpers.loops import as_global


def reason_of(reason: Failure) -> str:
    """Return what kind of error it is, with the number that is in ConnectionLost's text."""
    error: Any = reason.value
    number = getattr(error, "osError", None) or (error.args[0] if error.args else None)
    name = type(error).__name__
    return f"{name} {number}" if isinstance(number, int) else name


class Echo(protocol.Protocol):
    def __init__(self, side: Side) -> None:
        self.side = side
        self.connection = Connection()

    def connectionMade(self) -> None:
        transport: Any = self.transport
        transport = getattr(transport, "transport", transport)
        self.connection = self.side.accepted(transport.fileno())
        if self.side.polite:
            transport.registerProducer(transport, True)

    def dataReceived(self, data: bytes) -> None:
        transport: Any = self.transport
        # In two pieces, which may be sent by one call.
        transport.write(data[:7])
        transport.write(data[7:])

    def connectionLost(self, reason: Failure = protocol.connectionDone) -> None:
        self.connection.lost.append(reason_of(reason))


class EchoFactory(protocol.ServerFactory):
    noisy = False

    def __init__(self, side: Side) -> None:
        self.side = side

    def buildProtocol(self, addr: Any) -> Echo:
        return Echo(self.side)


class Talker(protocol.Protocol):
    def __init__(self, talk: Talk) -> None:
        self.talk = talk

    def connectionMade(self) -> None:
        self.send()

    def send(self) -> None:
        transport: Any = self.transport
        data = self.talk.next()
        if data is None:
            transport.loseConnection()
        else:
            transport.write(data)

    def dataReceived(self, data: bytes) -> None:
        if self.talk.received(data):
            self.send()

    def connectionLost(self, reason: Failure = protocol.connectionDone) -> None:
        self.talk.connection.lost.append(reason_of(reason))


class TalkFactory(protocol.ClientFactory):
    noisy = False

    def __init__(self, talk: Talk) -> None:
        self.talk = talk

    def buildProtocol(self, addr: Any) -> Talker:
        return Talker(self.talk)

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        self.talk.failed.append(reason_of(reason))


class EchoDatagrams(protocol.DatagramProtocol):
    noisy = False

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        transport: Any = self.transport
        transport.write(datagram, addr)


class Process(protocol.ProcessProtocol):
    def __init__(self, child: Child, data: bytes) -> None:
        self.child, self.data = child, data

    def connectionMade(self) -> None:
        transport: Any = self.transport
        transport.write(self.data)
        transport.closeStdin()

    def outReceived(self, data: bytes) -> None:
        self.child.output += data

    def processEnded(self, reason: Failure) -> None:
        error: Any = reason.value
        self.child.ended.append(error.exitCode if error.signal is None else error.signal)


class TwistedSide(Side):
    def __init__(self, kind: str) -> None:
        super().__init__()
        self.io_loop: Any = None
        self.reactor: Any
        if kind == "ours":
            from tornado4.ioloop import IOLoop
            from tornado4.platform.twisted import TornadoReactor

            self.io_loop = IOLoop(make_current=False)
            try:
                self.reactor = TornadoReactor(self.io_loop)
            except BaseException:
                self.io_loop.close()
                raise
        else:
            self.reactor = EPollReactor()
        # What Twisted's TLS holds back is sent by the global reactor's clock.
        self.settings = contextlib.ExitStack()
        self.settings.enter_context(as_global(self.reactor))
        log.addObserver(self.observe)
        self.ports: list[Any] = []
        self.children: list[Any] = []

    def observe(self, event: Any) -> None:
        if event["isError"]:
            failure = event.get("failure")
            error = failure.value if failure is not None else None
            self.told.append(f"logged: {error_of(error)}")
        elif event.get("log_level") is not None and event["log_level"].name in ("warn", "critical"):
            self.told.append(f"logged: {event.get('log_format')}")

    def listen(self, transport: str, path: str) -> Any:
        factory = EchoFactory(self)
        if transport == "unix":
            port = self.reactor.listenUNIX(path, factory)
        elif transport == "tls":
            port = self.reactor.listenSSL(0, factory, server_context(), interface=self.host)
        else:
            port = self.reactor.listenTCP(0, factory, interface=self.host)
        self.ports.append(port)
        return path if transport == "unix" else (self.host, port.getHost().port)

    def connect(self, transport: str, address: Any, talk: Talk) -> None:
        factory = TalkFactory(talk)
        if transport == "unix":
            self.reactor.connectUNIX(address, factory)
        elif transport == "tls":
            self.reactor.connectSSL(*address, factory, client_context())
        else:
            self.reactor.connectTCP(*address, factory)

    def datagrams(self) -> Any:
        port = self.reactor.listenUDP(0, EchoDatagrams(), interface=self.host)
        self.ports.append(port)
        return self.host, port.getHost().port

    def spawn(self, data: bytes) -> Child:
        child = Child()

        def spawn() -> None:
            try:
                self.children.append(
                    self.reactor.spawnProcess(Process(child, data), "/bin/cat", ["cat"], env=None)
                )
            except OSError as error:
                child.failed.append(error_of(error))

        self.reactor.callWhenRunning(spawn)
        return child

    def call_from_thread(self, function: Callable[..., Any], *args: Any) -> None:
        self.reactor.callFromThread(function, *args)

    def run(self) -> None:
        self.reactor.run()

    def stop(self) -> None:
        self.reactor.crash()

    def call_later(self, seconds: float, function: Callable[[], Any]) -> None:
        self.reactor.callLater(seconds, function)

    def close(self) -> None:
        for port in self.ports:
            port.stopListening()
        for call in self.reactor.getDelayedCalls():
            call.cancel()
        for _ in range(3):
            self.reactor.iterate(0)
        self.reactor.fireSystemEvent("shutdown")
        self.reactor.disconnectAll()
        if self.io_loop is None:
            for reader in list(self.reactor._internalReaders):
                self.reactor._removeInternalReader(reader)
                reader.connectionLost(None)
            self.reactor._poller.close()
        else:
            self.io_loop.close()
        log.removeObserver(self.observe)
        self.settings.close()
