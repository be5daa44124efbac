import asyncio

import tornado4
from tornado4.platform.twisted import as_deferred, install

reactor = install()

from tornado import gen
from twisted.internet.defer import inlineCallbacks
from twisted.internet.task import deferLater


def later(value):
    return deferLater(reactor, 0.1, lambda: value)  # a Deferred


async def coroutine():  # Tornado's, asyncio's, anyone's
    try:
        await asyncio.wait_for(later("too late"), 0.01)  # cancels it
    except asyncio.TimeoutError:
        return await later("a Deferred, as it is")


@gen.coroutine
def tornado_code():
    one, two = yield [later("a Deferred"), coroutine()]
    return f"{one} beside {two}"


@inlineCallbacks
def twisted_code():
    one = yield later("a Deferred")
    two = yield as_deferred(coroutine())  # may await both kinds
    return f"{one}, then {two}"


async def main():
    print("asyncio:", await coroutine())
    print("Tornado:", await tornado_code())
    print("Twisted:", await twisted_code())


tornado4.run(main())
