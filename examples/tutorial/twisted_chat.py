"""A chat: what one says, all the others get. Runs until Ctrl-C."""

from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineReceiver

import tornado4.platform.twisted

present = set()


class Chat(LineReceiver):
    delimiter = b"\n"

    def connectionMade(self):
        present.add(self)
        self.sendLine(b"There are %d of us" % len(present))

    def lineReceived(self, line):
        for other in present - {self}:
            other.sendLine(line)

    def connectionLost(self, reason):
        present.discard(self)


if __name__ == "__main__":
    reactor = tornado4.platform.twisted.install()
    reactor.listenTCP(8000, Factory.forProtocol(Chat), interface="127.0.0.1")
    print("Chat at 127.0.0.1:8000 until Ctrl-C")
    reactor.run()
