import tornado4
import tornado4.platform.twisted

reactor = tornado4.platform.twisted.install()

from tornado.httpclient import AsyncHTTPClient
from twisted.internet.task import deferLater
from twisted.web.server import Site
from twisted.web.static import Data


async def main():  # an asyncio coroutine
    page = Data(b"Hello from Twisted's server", "text/plain")
    page.isLeaf = True
    port = reactor.listenTCP(0, Site(page), interface="127.0.0.1")
    url = f"http://127.0.0.1:{port.getHost().port}/"
    answer = await AsyncHTTPClient().fetch(url)
    print("Tornado's client got:", answer.body.decode())
    print("Twisted's timer said:", await deferLater(reactor, 0.1, lambda: "now"))


tornado4.run(main())
