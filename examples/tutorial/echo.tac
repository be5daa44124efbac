"""For twistd: `twistd --reactor=tornado4 --nodaemon --python=echo.tac`."""

from twisted.application.internet import StreamServerEndpointService
from twisted.application.service import Application
from twisted.internet import reactor
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory
from twisted.protocols.wire import Echo

application = Application("echo")
endpoint = serverFromString(reactor, "tcp:8000:interface=127.0.0.1")
StreamServerEndpointService(endpoint, Factory.forProtocol(Echo)).setServiceParent(application)
