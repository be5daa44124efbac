"""crochet on tornado4's loop: ordinary, blocking code calls Twisted, Tornado and asyncio.

To run it:

    pip install tornado4 crochet
    python crochet_threads.py
"""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

from tornado4.platform.twisted import as_deferred, install

reactor = install()  # Before crochet starts the reactor in a thread.

import crochet
from tornado.httpclient import AsyncHTTPClient
from twisted.internet.task import deferLater
from twisted.web.resource import Resource
from twisted.web.server import Site

crochet.setup()


class Hello(Resource):
    isLeaf = True

    def render_GET(self, request):
        return b"Hello from Twisted, " + request.args[b"name"][0]


@crochet.wait_for(timeout=5)
def listen():
    return reactor.listenTCP(0, Site(Hello()), interface="127.0.0.1")


@crochet.wait_for(timeout=5)
async def fetch(url):
    """Runs in the reactor's thread; whoever calls it waits for the result."""
    await deferLater(reactor, 0.01)
    return (await as_deferred(AsyncHTTPClient().fetch(url))).body.decode()


@crochet.wait_for(timeout=5)
async def where():
    return threading.current_thread().name, type(asyncio.get_running_loop())


# An ordinary program from here on: no callbacks, no await.
url = f"http://127.0.0.1:{listen().getHost().port}/?name="
print(fetch(url + "main"))
with ThreadPoolExecutor(3) as pool:
    print(*pool.map(fetch, [f"{url}thread{number}" for number in range(3)]), sep="\n")
print("In the thread {} on {}".format(*where()))
