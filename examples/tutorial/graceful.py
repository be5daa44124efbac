"""A server that lets its guests finish. Runs until Ctrl-C or SIGTERM."""

import tornado4.platform.twisted

reactor = tornado4.platform.twisted.install()

from twisted.internet.defer import DeferredList
from twisted.internet.task import deferLater
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

under_way = set()


class Slow(Resource):
    isLeaf = True

    def render_GET(self, request):
        done = deferLater(reactor, 0.3, request.write, b"That took a while\n")
        under_way.add(done)
        done.addCallback(lambda _: (under_way.discard(done), request.finish()))
        return NOT_DONE_YET


port = reactor.listenTCP(8000, Site(Slow()), interface="127.0.0.1")
# Before the connections are closed: nobody new is let in, and those inside may finish.
reactor.addSystemEventTrigger("before", "shutdown", port.stopListening)
reactor.addSystemEventTrigger("before", "shutdown", lambda: DeferredList(list(under_way)))
print("See http://127.0.0.1:8000/ until Ctrl-C")
reactor.run()
