import asyncio

import pytest
import pytest_twisted
from tornado.httpclient import AsyncHTTPClient
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.web.resource import Resource
from twisted.web.server import Site

from tornado4.platform.twisted import TornadoReactor, as_deferred


class Hello(Resource):
    isLeaf = True

    def render_GET(self, request):
        return b"hello"


@pytest.fixture
def url():
    port = reactor.listenTCP(0, Site(Hello()), interface="127.0.0.1")
    yield f"http://127.0.0.1:{port.getHost().port}/"
    pytest_twisted.blockon(port.stopListening())


def test_the_reactor():
    assert isinstance(reactor, TornadoReactor)


@pytest_twisted.inlineCallbacks
def test_a_deferred():
    assert (yield deferLater(reactor, 0.01, lambda: 42)) == 42


@pytest_twisted.ensureDeferred
async def test_tornados_client(url):
    answer = await as_deferred(AsyncHTTPClient().fetch(url))
    assert answer.body == b"hello"


@pytest_twisted.ensureDeferred
async def test_asyncio():
    assert await as_deferred(asyncio.sleep(0.01, "slept")) == "slept"
