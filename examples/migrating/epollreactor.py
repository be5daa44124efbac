# The two lines that are new:
import tornado4.platform.twisted

tornado4.platform.twisted.install()

# The program as it was:
from twisted.internet import reactor
from twisted.internet.endpoints import clientFromString, serverFromString
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.wire import Echo


class Asker(Protocol):
    asked = 0

    def connectionMade(self):
        self.transport.write(b"x")

    def dataReceived(self, data):
        self.asked += 1
        if self.asked < 1000:
            self.transport.write(data)
        else:
            print(self.asked, "echoes")
            reactor.stop()


def connect(port):
    endpoint = clientFromString(reactor, f"tcp:127.0.0.1:{port.getHost().port}")
    return endpoint.connect(Factory.forProtocol(Asker))


listening = serverFromString(reactor, "tcp:0:interface=127.0.0.1")
listening.listen(Factory.forProtocol(Echo)).addCallback(connect)
reactor.run()
