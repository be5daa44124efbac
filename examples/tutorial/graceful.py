"""A server that lets its guests finish. Runs until Ctrl-C or SIGTERM."""

import tornado4.platform.twisted

reactor = tornado4.platform.twisted.install()

from twisted.internet.defer import Deferred, DeferredList
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


async def let_them_finish():
    await port.stopListening()  # nobody new gets in
    await DeferredList(list(under_way))
    await deferLater(reactor, 0.1)  # for the last answers to be sent


# The connections are closed after this.
reactor.addSystemEventTrigger(
    "before", "shutdown", lambda: Deferred.fromCoroutine(let_them_finish())
)
print("See http://127.0.0.1:8000/ until Ctrl-C")
reactor.run()
