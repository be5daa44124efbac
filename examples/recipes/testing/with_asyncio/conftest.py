"""pytest-asyncio on tornado4's loop.

To run it:

    pip install tornado4 pytest-asyncio
    pytest -p no:twisted testing/with_asyncio
"""

import pytest_asyncio

import tornado4
from tornado4.platform.twisted import TornadoReactor


def pytest_asyncio_loop_factories(config, item):
    """The loops of all tests: see pytest-asyncio 1.4 or later."""
    return {"tornado4": tornado4.new_event_loop}


@pytest_asyncio.fixture
async def reactor():
    """A reactor on the loop of the test. It isn't Twisted's global one."""
    reactor = TornadoReactor()
    yield reactor
    reactor.fireSystemEvent("shutdown")
    reactor.disconnectAll()
