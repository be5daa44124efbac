"""A program of asyncio code, as type checkers see it."""

import asyncio
import contextvars

from typing_extensions import assert_type

import tornado4
from tornado4.platform.asyncio import AsyncIOMainLoop, EventLoop, run


async def main(number: int) -> str:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, EventLoop)
    soon = loop.call_soon(print, number)
    later = loop.call_later(0.5, print, "later", context=contextvars.copy_context())
    assert_type(soon, asyncio.Handle)
    assert_type(later, asyncio.TimerHandle)
    assert isinstance(soon, asyncio.Handle)
    assert isinstance(later, asyncio.TimerHandle)
    assert_type(later.when(), float)
    later.cancel()
    task = loop.create_task(asyncio.sleep(0, "slept"))
    assert_type(await task, str)
    return str(number)


def added(one: int, two: str) -> None:
    print(one, two)


loop = EventLoop()
assert_type(loop, EventLoop)
other = tornado4.new_event_loop()
assert_type(other, EventLoop)
other.close()
as_any_other: asyncio.AbstractEventLoop = loop
assert_type(loop.run_until_complete(main(1)), str)
loop.call_soon_threadsafe(added, 1, "two")
loop.close()

assert_type(tornado4.run(main(2)), str)
assert_type(run(main(3), debug=True), str)
assert_type(tornado4.__version__, str)
engine = tornado4.tls_engine()["ssl"]
assert_type(engine, tornado4.TLSEngine)
assert_type(engine.engine + engine.reason + engine.openssl, str)
main_loop_class: type[AsyncIOMainLoop] = AsyncIOMainLoop


def told(measured: tornado4.Measured) -> float:
    assert_type(measured.turns + measured.received, int)
    assert_type(measured.calls, dict[str, int])
    return measured.busy


async def measures() -> str:
    metrics = tornado4.metrics()
    assert_type(metrics, tornado4.Metrics)
    metrics.on_tick(lambda waited, worked: print(waited + worked))
    before = metrics.read()
    assert_type(before, tornado4.Measured)
    await asyncio.sleep(0)
    metrics.on_tick(None)
    assert_type(told(metrics.read().since(before)), float)
    metrics.reset()
    metrics.stop()
    metrics.start()
    return str(metrics.read())


tornado4.install(tornado=False, twisted=False, streams=False)
assert_type(asyncio.run(measures()), str)
tornado4.uninstall()


def wrong() -> None:
    loop.call_soon(added, 1, 2)  # type: ignore[arg-type]
    loop.call_later("soon", print)  # type: ignore[arg-type]
    loop.call_son(print)  # type: ignore[attr-defined]
    tornado4.run(main)  # type: ignore[arg-type]
    tornado4.rnu(main(4))  # type: ignore[attr-defined]
    tornado4.install(asyncio="yes")  # type: ignore[arg-type]
    tornado4.metrics().on_tick(told)  # type: ignore[arg-type]
    print(tornado4.metrics().read().turn)  # type: ignore[attr-defined]
    EventLoop().run_until_complet(main(5))  # type: ignore[attr-defined]
