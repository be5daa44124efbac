"""Where Tornado's HTTP/1 isn't native: what is unusual, was replaced before, or isn't there."""

import asyncio
import subprocess
import sys
import time

import pytest
from tornado import gen, httputil

import tornado4.http
from helpers.loops import tornado4_asyncio
from tornado4 import _http


@pytest.fixture
def installed():
    tornado4.http.install()
    assert tornado4.http.is_native()
    yield
    tornado4.http.uninstall()


def request(target="/", host="here"):
    line = httputil.RequestStartLine("GET", target, "HTTP/1.1")
    return httputil.HTTPServerRequest(start_line=line, headers=httputil.HTTPHeaders({"Host": host}))


@pytest.mark.skipif(not hasattr(sys, "get_int_max_str_digits"), reason="this Python has no limit")
def test_a_port_of_too_many_digits_is_refused(installed):
    with pytest.raises(ValueError, match="Exceeds the limit"):
        request(host="here:" + "1" * (sys.get_int_max_str_digits() + 1))


def test_what_a_signal_raises_while_a_query_is_parsed_is_raised(installed, monkeypatch):
    def interrupted(query):
        raise KeyboardInterrupt

    monkeypatch.setattr(_http.Rare, "parse_query", staticmethod(interrupted))
    with pytest.raises(KeyboardInterrupt):
        request("/?a=b")


def test_a_timeout_that_is_no_time_is_refused_for_what_is_done_too(installed):
    async def main():
        future = asyncio.Future()
        future.set_result(None)
        with pytest.raises(ValueError, match="NaN"):
            gen.with_timeout(float("nan"), future)

    loop = tornado4_asyncio()
    loop.run_until_complete(main())
    loop.close()


def test_what_is_raised_and_logged_after_a_timeout_may_be_replaced(installed, monkeypatch):
    class Error(Exception):
        pass

    class Log:
        def __init__(self):
            self.said = []

        def error(self, *args, exc_info):
            self.said.append(args)

    log = Log()
    monkeypatch.setattr(gen, "TimeoutError", Error, raising=False)
    monkeypatch.setattr(gen, "app_log", log)

    async def main():
        future = asyncio.Future()
        with pytest.raises(Error, match="Timeout"):
            await gen.with_timeout(time.time() - 1.0, future)
        future.set_exception(ValueError())
        await asyncio.sleep(0)
        assert log.said == [("Exception in Future %r after timeout", future)]

    asyncio.run(main())


# In processes of their own: what is registered stays, and what was there at the import counts.


def runs(program):
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr


def test_futures_are_converted_by_what_is_registered_for_them():
    runs("""
import asyncio, time
from tornado import gen
import tornado4.http
tornado4.http.install()

async def other():
    return "other"

async def main():
    async def wait(done):
        future = asyncio.Future()
        if done:
            future.set_result("own")
        else:
            asyncio.get_running_loop().call_soon(future.set_result, "own")
        return await gen.with_timeout(time.time() + 60.0, future)

    gen.convert_yielded.register(str, lambda text: None)
    assert [await wait(True), await wait(False)] == ["own", "own"]
    gen.convert_yielded.register(asyncio.Future, lambda future: asyncio.ensure_future(other()))
    assert [await wait(True), await wait(False)] == ["other", "other"]

asyncio.run(main())
""")


def test_coroutines_are_converted_by_what_makes_futures_of_them():
    runs("""
import asyncio
from unittest import mock
from tornado import gen
import tornado4, tornado4.http
tornado4.http.install()

async def one():
    return 1

async def main():
    for owner, name in [(asyncio, "ensure_future"), (gen, "_wrap_awaitable")]:
        with mock.patch.object(owner, name, side_effect=getattr(owner, name)) as patched:
            coroutine = one()
            assert await gen.convert_yielded(coroutine) == 1
            assert patched.call_args.args == (coroutine,)
            assert "tornado.gen.convert_yielded" in tornado4.http.reasons()
    assert "tornado.gen.convert_yielded" not in tornado4.http.reasons()

    def refuse(loop, coroutine, **options):
        raise RuntimeError("no tasks")

    asyncio.get_running_loop().set_task_factory(refuse)
    coroutine = one()
    try:
        gen.convert_yielded(coroutine)
    except RuntimeError as error:
        assert str(error) == "no tasks"
    # As asyncio.ensure_future() leaves it, so that nobody is told that it was never awaited.
    assert coroutine.cr_frame is None
    asyncio.get_running_loop().set_task_factory(None)

tornado4.run(main())
""")


def test_what_was_wrapped_before_is_called():
    runs("""
import functools
from tornado import http1connection, httputil
called = []

def wrap(owner, name):
    function = getattr(owner, name)

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        called.append(name)
        return function(*args, **kwargs)

    setattr(owner, name, wrapper)

class Proxy:
    # Says it is what it stands for, as those of wrapt do.
    def __init__(self, function):
        self.function = function

    __class__ = property(lambda self: type(self.function))

    def __getattr__(self, name):
        return getattr(self.function, name)

    def __call__(self, *args):
        called.append("proxy")
        return self.function(*args)

wrap(httputil, "format_timestamp")
wrap(httputil.HTTPHeaders, "add")
wrap(httputil.HTTPServerRequest, "__init__")
httputil.parse_request_start_line = Proxy(httputil.parse_request_start_line)

import tornado4.http
tornado4.http.install()
assert len(tornado4.http.reasons()) == 6, tornado4.http.reasons()
httputil.format_timestamp(0)
line = httputil.parse_request_start_line("GET / HTTP/1.1")
headers = http1connection.HTTP1Connection._parse_headers(None, b"GET / HTTP/1.1\\nHost: a\\n\\n")[1]
httputil.HTTPServerRequest(start_line=line, headers=headers)
assert called == ["format_timestamp", "proxy", "add", "__init__"], called
""")


@pytest.mark.parametrize(
    "gone",
    [
        "httputil.parse_response_start_line",
        "http1connection.HTTP1Connection",
        "http1connection.HTTP1Connection._format_chunk",
    ],
)
def test_what_a_newer_tornado_might_not_have_is_not_needed(gone):
    runs(f"""
from tornado import http1connection, httputil
del {gone}
import tornado4.http
tornado4.http.install()
assert httputil.format_timestamp(0) == "Thu, 01 Jan 1970 00:00:00 GMT"
tornado4.http.uninstall()
""")
