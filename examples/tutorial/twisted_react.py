"""Two clients talk by the chat server, then the program ends."""

import tornado4.platform.twisted

tornado4.platform.twisted.install()

from twisted.internet import defer, endpoints, protocol, task
from twisted.protocols.basic import LineReceiver
from twisted_chat import Chat


class Client(LineReceiver):
    delimiter = b"\n"

    def __init__(self):
        self.lines = defer.DeferredQueue()

    def lineReceived(self, line):
        self.lines.put(line.decode())


async def main(reactor):
    port = reactor.listenTCP(0, protocol.Factory.forProtocol(Chat), interface="127.0.0.1")
    where = endpoints.TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)
    clients = protocol.Factory.forProtocol(Client)
    ann = await where.connect(clients)
    print("Ann reads:", await ann.lines.get())
    bob = await where.connect(clients)
    print("Bob reads:", await bob.lines.get())
    ann.sendLine(b"Hello, Bob")
    print("Bob reads:", await bob.lines.get())


task.react(lambda reactor: defer.Deferred.fromCoroutine(main(reactor)))
