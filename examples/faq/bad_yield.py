"""A Deferred in a task of stock asyncio: what is said, and two ways to await it."""

import asyncio

from twisted.internet.defer import succeed

from tornado4.platform.twisted import as_future, install, task_factory


async def wait(deferred):
    return await deferred


async def main():
    reactor = install()

    from twisted.internet.task import deferLater

    def later(value):
        return deferLater(reactor, 0.01, lambda: value)

    try:
        await later("never comes here")
    except RuntimeError as error:
        print(str(error).partition("<")[0] + "...")
    print(await as_future(later("converted")))
    asyncio.get_running_loop().set_task_factory(task_factory)
    print(await asyncio.create_task(wait(later("as it is, in a new task"))))
    print(await succeed("one that has fired needs nothing"))


asyncio.run(main())
