"""Deferreds in Tornado's own coroutines, and wherever else Tornado takes Futures."""

import asyncio
import datetime
import subprocess
import sys
import traceback

import pytest
import tornado
from tornado import gen
from tornado.ioloop import IOLoop
from twisted.internet.defer import CancelledError, Deferred, fail, inlineCallbacks, succeed
from twisted.internet.task import deferLater

from helpers.worlds import WORLDS, made


@pytest.fixture(params=WORLDS)
def world(request):
    with made(request.param) as world:
        yield world


def run(world, coroutine):
    """Runs a coroutine of Tornado's."""

    async def main():
        return await coroutine()

    return world.run(main())


def later(world, value):
    return deferLater(world.reactor, 0.01, lambda: value)


def test_values_and_failures(world):
    @gen.coroutine
    def main():
        found = [(yield later(world, "late")), (yield succeed("fired"))]
        with pytest.raises(ValueError, match="mine"):
            yield fail(ValueError("mine"))
        return found

    assert run(world, main) == ["late", "fired"]


def test_a_failure_has_its_traceback(world):
    def fails():
        raise ValueError("mine")

    @gen.coroutine
    def main():
        yield deferLater(world.reactor, 0.01, fails)

    with pytest.raises(ValueError, match="mine") as caught:
        run(world, main)
    names = [frame.name for frame in traceback.extract_tb(caught.tb)]
    assert names[-1] == "fails"
    assert names.count("main") >= 1


def test_lists_and_dicts_and_mixtures(world):
    async def native():
        return await later(world, 5)

    @gen.coroutine
    def main():
        listed = yield [later(world, 1), succeed(2), gen.sleep(0), native()]
        keyed = yield {"a": later(world, 3), "b": succeed(4)}
        several = yield gen.multi([later(world, 6), asyncio.sleep(0, 7)])
        return listed, keyed, several

    assert run(world, main) == ([1, 2, None, 5], {"a": 3, "b": 4}, [6, 7])


def test_other_things_of_tornados_gen(world):
    @gen.coroutine
    def main():
        found = []
        waiting = gen.WaitIterator(gen.convert_yielded(later(world, "first")))
        while not waiting.done():
            found.append((yield waiting.next()))
        soon = datetime.timedelta(seconds=0.01)
        with pytest.raises(gen.TimeoutError):
            yield gen.with_timeout(soon, Deferred())
        found.append((yield gen.with_timeout(datetime.timedelta(hours=1), later(world, "second"))))
        return found

    assert run(world, main) == ["first", "second"]


def test_cancelling_the_future_cancels_the_deferred(world):
    @gen.coroutine
    def main():
        deferred = Deferred(cancelled.append)
        future = gen.convert_yielded(deferred)
        future.cancel()
        assert cancelled == [deferred]
        assert future.cancelled()
        yield  # older Tornados have no way to tell a coroutine of a cancelled Future

    cancelled = []
    run(world, main)


def test_a_deferred_that_is_cancelled(world):
    @gen.coroutine
    def main():
        deferred = Deferred()
        world.later(deferred.cancel)
        with pytest.raises(CancelledError):
            yield deferred

    run(world, main)


def test_a_coroutine_of_tornados_for_twisteds(world):
    from tornado4.platform.twisted import as_deferred

    @gen.coroutine
    def tornado_code():
        return (yield later(world, "value"))

    @inlineCallbacks
    def twisted_code():
        return (yield as_deferred(tornado_code()))

    assert run(world, twisted_code) == "value"


def test_a_callback_that_returns_one(world, caplog):
    """Its failure is reported, as that of a Future is."""

    async def main():
        io_loop = IOLoop.current()
        io_loop.add_callback(later, world, "value")
        io_loop.add_callback(lambda: fail(ValueError("mine")))
        await gen.sleep(0.05)

    world.run(main())
    errors = [record.exc_info[1] for record in caplog.records if record.exc_info]
    assert [str(error) for error in errors] == ["mine"]


@pytest.mark.skipif(tornado.version_info < (6, 5), reason="imports too much: the last one counts")
@pytest.mark.parametrize("first", ["tornado.platform.twisted", "tornado4.platform.twisted"])
def test_whichever_is_imported_first(first):
    code = (
        f"import {first}, tornado4.platform.twisted, tornado.platform.twisted\n"
        "from tornado import gen\n"
        "from twisted.internet.defer import Deferred\n"
        "print(gen.convert_yielded.dispatch(Deferred).__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "as_future\n", done.stderr
