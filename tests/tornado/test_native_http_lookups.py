"""What is looked up in headers, and what is waited for: natively as without, whatever it is."""

import asyncio
import gc
import types
from concurrent import futures
from random import Random

import pytest
from tornado import gen, httputil
from tornado.concurrent import Future
from tornado.httputil import HTTPHeaders

import tornado4.http
from helpers.loops import stock_asyncio, tornado4_asyncio


@pytest.fixture
def native():
    tornado4.http.install()
    yield
    tornado4.http.uninstall()


NAMES = ["Content-Type", "content-type", "CONTENT-TYPE", "X", "x-Y-z", "", "-", "Ünïcode", "a" * 99]


def outcome(call):
    try:
        return call()
    except Exception as error:
        return type(error), str(error)


def headers_of(random):
    headers = HTTPHeaders()
    for _ in range(random.randint(0, 5)):
        name, value = random.choice(NAMES[:6]) or "X", str(random.randint(0, 9))
        what = random.choice(["add", "set", "del", "get"])
        if what == "add":
            headers.add(name, value)
        elif what == "set":
            headers[name] = value
        elif what == "del":
            headers.pop(name, None)
        else:
            headers.get(name)
    return headers


class Own(HTTPHeaders):
    def __getitem__(self, name):
        return "own"


def asked(random):
    headers = headers_of(random)
    key = random.choice([*NAMES, 5, None, b"X", ["X"]])
    call = random.choice(
        [
            lambda: headers.get(key),
            lambda: headers.get(key, "otherwise"),
            lambda: headers.get(key, default=7),
            lambda: headers.get(key=key),
            lambda: headers.get(),
            lambda: headers.get(key, 1, 2),
            lambda: HTTPHeaders.get(headers, key),
            lambda: Own(headers).get(key, "otherwise"),
            lambda: HTTPHeaders.get({"X": "a dict's"}, "X"),
        ]
    )
    return outcome(call), list(headers.get_all()), sorted(vars(headers).items())


def test_a_value_is_the_same():
    stock = [asked(Random(seed)) for seed in range(3000)]
    tornado4.http.install()
    try:
        for seed, expected in enumerate(stock):
            found = asked(Random(seed))
            if isinstance(expected[0], tuple) and expected[0][0] is TypeError:
                # Its text may name the function by where it is.
                assert found[0][0] is TypeError
                assert found[1:] == expected[1:]
            else:
                assert found == expected, seed
    finally:
        tornado4.http.uninstall()


def test_a_method_of_somebodys_own_is_asked(native, monkeypatch):
    headers = HTTPHeaders({"X": "1"})
    assert headers.get("x") == "1"
    with monkeypatch.context() as patching:
        patching.setattr(HTTPHeaders, "__getitem__", lambda self, name: "own")
        assert headers.get("x") == headers.get("y") == "own"
    with monkeypatch.context() as patching:
        patching.setattr(httputil, "_normalize_header", lambda name: "X")
        assert headers.get("y") == "1"
    assert headers.get("y") is None
    headers.get = lambda name: "the instance's"
    assert headers.get("x") == "the instance's"


async def answer(value=3):
    await asyncio.sleep(0)
    return value


@types.coroutine
def generator():
    yield
    return 4


class Awaitable:
    def __await__(self):
        return answer(5).__await__()


YIELDED = {
    "a coroutine": answer,
    "a future": lambda: asyncio.ensure_future(answer()),
    "one that is done": lambda: done(6),
    "a generator": generator,
    "an awaitable": Awaitable,
    "a list": lambda: [answer(), answer(2)],
    "a dict": lambda: {"a": answer()},
    "None": lambda: None,
    "moment": lambda: gen.moment,
    "one that fails": lambda: answer(1 / 0),
    "a number": lambda: 5,
}


def done(value):
    future = Future()
    future.set_result(value)
    return future


@pytest.mark.parametrize("factory", [tornado4_asyncio, stock_asyncio])
@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("what", YIELDED)
def test_what_is_yielded_becomes_the_same(what, debug, factory):
    async def main():
        try:
            yielded = YIELDED[what]()
            future = gen.convert_yielded(yielded)
        except (ZeroDivisionError, gen.BadYieldError) as error:
            return type(error)
        name = type(future).__name__
        known = future in asyncio.all_tasks()
        same = future is yielded
        if same or what == "None":
            return name, known, same
        callbacks = [callback.__qualname__ for callback, _ in future._callbacks or ()]
        source = bool(future._source_traceback)
        value = await future
        return name, known, same, callbacks, source, value

    def run():
        loop = factory()
        loop.set_debug(debug)
        try:
            return loop.run_until_complete(main())
        finally:
            loop.close()

    stock = run()
    tornado4.http.install()
    try:
        assert run() == stock
    finally:
        tornado4.http.uninstall()


def test_who_has_registered_a_class_is_asked(native):
    """It can't be undone, so in another process."""
    program = """
import asyncio, types
import tornado4, tornado4.http
from tornado import gen
tornado4.http.install()
async def answer():
    return 3
async def main():
    assert await gen.convert_yielded(answer()) == 3
    def own(coroutine):
        coroutine.close()
        future = asyncio.get_running_loop().create_future()
        future.set_result("own")
        return future
    gen.convert_yielded.register(types.CoroutineType, own)
    assert await gen.convert_yielded(answer()) == "own"
    gen.convert_yielded.register(asyncio.Future, lambda future: own(answer()))
    future = asyncio.get_running_loop().create_future()
    assert await gen.convert_yielded(future) == "own"
tornado4.run(main())
"""
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr


def test_a_handlers_coroutine_is_kept_until_it_is_done(native):
    """Tornado keeps what nobody else does."""

    async def main():
        ended = asyncio.Event()

        async def handler():
            await asyncio.sleep(0.01)
            ended.set()

        gen.convert_yielded(handler())
        gc.collect()
        await asyncio.wait_for(ended.wait(), 20)

    loop = tornado4_asyncio()
    loop.run_until_complete(main())
    loop.close()


def test_a_future_of_threads_is_tornados_affair(native):
    async def main():
        with futures.ThreadPoolExecutor(1) as pool:
            future = pool.submit(int, "5")
            assert gen.convert_yielded(future) is future

    loop = tornado4_asyncio()
    loop.run_until_complete(main())
    loop.close()
