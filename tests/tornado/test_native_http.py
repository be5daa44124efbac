"""Tornado's HTTP/1, done natively: when it is, and that it isn't where somebody has replaced what
it would leave out."""

import asyncio
import copy
import datetime
import inspect
import pickle
import random
import subprocess
import sys
import textwrap
import time
import warnings
from email.utils import formatdate
from unittest import mock

import pytest
import tornado
from tornado import gen, http1connection, httputil
from tornado.http1connection import HTTP1Connection
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine, ResponseStartLine
from tornado.iostream import StreamClosedError

import tornado4.http
from helpers.loops import tornado4_asyncio
from tornado4 import _http, _websocket
from tornado4._sources import block, digest_of

HEAD = b"GET /a?b=c HTTP/1.1\r\nHost: Here:80\r\nx-y: z\r\nX-Y: 2\r\n\r\n"


@pytest.fixture
def native():
    tornado4.http.install()
    yield
    tornado4.http.uninstall()


@pytest.fixture
def loop():
    loop = tornado4_asyncio()
    yield loop
    loop.close()


class Stream:
    """As much of a stream as a connection needs."""

    max_buffer_size = 1 << 20

    def __init__(self):
        self.written = []

    def set_close_callback(self, callback):
        pass

    def closed(self):
        return False

    def write(self, data):
        self.written.append(data)
        done = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done


def parse(connection=None):
    """Parse a head by a connection's method."""
    if connection is None:
        connection = HTTP1Connection.__new__(HTTP1Connection)
    return connection._parse_headers(HEAD)


def both(function):
    """What a function returns without, and natively."""
    stock = function()
    tornado4.http.install()
    try:
        assert tornado4.http.is_native()
        return stock, function()
    finally:
        tornado4.http.uninstall()


def test_install_and_uninstall():
    before = {name: _http.present(name) for name in _http.FUNCTIONS.values()}
    of_class = dict(vars(HTTPHeaders))
    assert not tornado4.http.is_native()
    tornado4.http.install()
    tornado4.http.install()
    assert tornado4.http.is_native()
    assert tornado4.http.reasons() == {}
    for name, stock in before.items():
        found = _http.present(name)
        assert found is not stock
        assert found.__wrapped__ is stock
    tornado4.http.uninstall()
    tornado4.http.uninstall()
    assert {name: _http.present(name) for name in _http.FUNCTIONS.values()} == before
    assert dict(vars(HTTPHeaders)) == of_class
    assert set(tornado4.http.reasons().values()) == {"it isn't installed"}


def test_what_others_have_put_there_stays(monkeypatch):
    mine = lambda line: None  # noqa: E731
    monkeypatch.setattr(httputil, "parse_request_start_line", mine)
    tornado4.http.install()
    try:
        assert httputil.parse_request_start_line is mine
        assert tornado4.http.reasons() == {
            "tornado.httputil.parse_request_start_line": "it was replaced"
        }
        monkeypatch.setattr(gen, "with_timeout", mine)
    finally:
        tornado4.http.uninstall()
    assert httputil.parse_request_start_line is mine
    assert gen.with_timeout is mine


def test_parsing():
    (stock_line, stock), (line, headers) = both(parse)
    assert line == stock_line == "GET /a?b=c HTTP/1.1"
    assert type(headers) is HTTPHeaders
    assert list(vars(headers)) == list(vars(stock))
    assert vars(headers) == vars(stock)
    assert (headers["X-Y"], headers.get_list("x-y")) == ("z,2", ["z", "2"])


REPLACED = {
    "a method of the class": (HTTPHeaders, "add", lambda self, name, value, **_: None),
    "a method it has of its base": (HTTPHeaders, "update", lambda self, *_: None),
    "a class": (httputil, "HTTPHeaders", type("Mine", (HTTPHeaders,), {"mine": True})),
    "a function": (httputil, "_normalize_header", str.upper),
    "what a function calls": (http1connection, "native_str", lambda text: text.swapcase()),
}
if hasattr(httputil, "_ABNF"):
    REPLACED["a pattern"] = (httputil._ABNF, "field_name", mock.Mock())


@pytest.mark.parametrize("what", REPLACED)
def test_what_is_replaced_later_is_used_and_then_no_more(native, monkeypatch, what):
    owner, name, mine = REPLACED[what]
    before = parse()
    with monkeypatch.context() as patching:
        patching.setattr(owner, name, mine)
        assert not tornado4.http.is_native()
        replaced = parse()
        tornado4.http.uninstall()
        stock = parse()
        tornado4.http.install()
        assert (replaced[0], dict(vars(replaced[1]))) == (stock[0], dict(vars(stock[1])))
        assert type(replaced[1]) is type(stock[1])
    assert tornado4.http.is_native()
    assert vars(parse()[1]) == vars(before[1])


def test_subclasses_use_their_own_methods(native, loop):
    class Mine(HTTPHeaders):
        def __setitem__(self, name, value):
            super().__setitem__(name, value + "!")

    assert list(Mine({"a-b": "c"}).get_all()) == [("A-B", "c!")]

    class Connection(HTTP1Connection):
        def _parse_headers(self, data):
            line, headers = super()._parse_headers(data)
            return line, Mine(headers)

        def _format_chunk(self, chunk):
            return super()._format_chunk(chunk).upper()

    async def main():
        stream = Stream()
        connection = Connection(stream, True)
        start = RequestStartLine("GET", "/", "")
        await connection.write_headers(start, HTTPHeaders({"content-length": "3"}), b"abc")
        await connection.write_headers(start, Mine({"a": "b"}))
        return stream.written, parse(connection)[1]["x-y"]

    written, value = loop.run_until_complete(main())
    assert written == [
        b"GET / HTTP/1.1\r\nContent-Length: 3\r\n\r\nABC",
        b"GET / HTTP/1.1\r\nA: b!\r\n\r\n",
    ]
    assert value == "z,2!" or value == "z!,2"


def request(**more):
    line = RequestStartLine("GET", "/a?b=c&b=d", "HTTP/1.1")
    made = HTTPServerRequest(start_line=line, headers=HTTPHeaders({"host": "Here:80"}), **more)
    made._start_time = made.headers = None
    return made


def test_requests():
    context = mock.Mock(spec=["remote_ip", "protocol"], remote_ip="1.2.3.4", protocol="x")
    for connection in (None, mock.Mock(spec=["context"], context=context), object()):
        stock, made = both(lambda it=connection: request(connection=it, server_connection=1))
        assert list(vars(made).items()) == list(vars(stock).items())
        assert made.arguments is not made.query_arguments
        assert made.arguments["b"] is not made.query_arguments["b"]


def test_requests_of_subclasses_with_properties():
    class Mine(HTTPServerRequest):
        @property
        def host(self):
            return self.its_host

        @host.setter
        def host(self, value):
            self.its_host = f"{value}.example"

    line, headers = RequestStartLine("GET", "/", "HTTP/1.1"), HTTPHeaders({"Host": "here"})
    for made in both(lambda: Mine(start_line=line, headers=headers)):
        assert made.host_name == made.host == "here.example"


def test_a_property_that_is_added_later_is_used(native, monkeypatch):
    own = property(lambda self: "other", lambda self, value: None)
    monkeypatch.setattr(HTTPServerRequest, "host", own, raising=False)
    assert not tornado4.http.is_native()
    assert request().host_name == "other"


@pytest.mark.skipif(not hasattr(httputil, "ParseBodyConfig"), reason="Tornado has no limits")
def test_a_limit_that_is_set_later_holds(native):
    config = httputil.ParseBodyConfig(urlencoded=httputil.ParseUrlEncodedConfig(max_arguments=1))
    httputil.set_parse_body_config(config)
    try:
        with pytest.raises(httputil.HTTPInputError, match="Invalid query string"):
            request()
    finally:
        httputil.set_parse_body_config(httputil.ParseBodyConfig())
    assert request().arguments == {"b": [b"c", b"d"]}


def test_a_warning_points_to_the_caller(native):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        HTTPServerRequest("GET", "/", headers=HTTPHeaders({"Host": "a"}))
    assert {warning.filename for warning in caught} <= {__file__}


def test_a_traceback_is_tornados_own(native):
    with pytest.raises(httputil.HTTPInputError) as raised:
        httputil.parse_request_start_line("nonsense")
    assert [entry.name for entry in raised.traceback][1:] == ["parse_request_start_line"]


@pytest.mark.parametrize(
    "line",
    ["GET / HTTP/1.1", "M-X /%20?é HTTP/1.0", "GET / HTTP/1.2", "A B C", "GET /é HTTP/1.1"],
)
def test_request_lines(line):
    def parsed():
        try:
            found = httputil.parse_request_start_line(line)
        except httputil.HTTPInputError as error:
            return str(error)
        return type(found), *found

    stock, made = both(parsed)
    assert made == stock


def test_status_lines(native):
    made = httputil.parse_response_start_line("HTTP/1.1 404 Not Found")
    assert type(made) is ResponseStartLine
    assert made == ("HTTP/1.1", 404, "Not Found")


def test_dates(native):
    chance = random.Random(1)
    times = [0, 0.5, 1e9, 951782400, 253402300799, *(chance.uniform(0, 4e9) for _ in range(500))]
    times += [1.9999994, 1.9999996, 1e9 + 0.9999999, True]
    for it in times:
        assert httputil.format_timestamp(it) == formatdate(it, usegmt=True), it
    for it in (-1, -0.5, -1e9):
        assert httputil.format_timestamp(it) == formatdate(it, usegmt=True), it
    for it in (float("nan"), float("inf"), 1e300, 253402300800, 10**30):
        with pytest.raises((ValueError, OverflowError)):
            httputil.format_timestamp(it)
    with pytest.raises(TypeError):
        httputil.format_timestamp("now")
    whole = datetime.datetime(2020, 2, 29, tzinfo=datetime.timezone.utc)
    assert httputil.format_timestamp(whole) == "Sat, 29 Feb 2020 00:00:00 GMT"
    assert httputil.format_timestamp(time.gmtime(0)) == "Thu, 01 Jan 1970 00:00:00 GMT"


WAITED = ["result", "error", "done", "failed", "late", "late error", "quiet", "own"]
if tornado.version_info >= (6, 6):
    # Before, who waited for a future that is cancelled waited for good.
    WAITED.append("cancelled")


@pytest.mark.parametrize("how", WAITED)
def test_timeouts(loop, how, caplog):
    if how == "cancelled" and tornado.version_info < (6, 6):
        pytest.skip("this Tornado waits forever for a future that was cancelled")

    async def main():
        future = asyncio.get_running_loop().create_future()
        event_loop = asyncio.get_running_loop()
        if how == "done":
            future.set_result(1)
        if how == "failed":
            future.set_exception(KeyError(1))
        late = how in ("late", "late error", "quiet")
        delay = 0.0 if late or how == "own" else 3600.0
        result = gen.with_timeout(
            event_loop_time() + delay, future, quiet_exceptions=StreamClosedError
        )
        if how == "result":
            event_loop.call_soon(future.set_result, 2)
        elif how == "error":
            event_loop.call_soon(future.set_exception, KeyError(2))
        elif how == "cancelled":
            event_loop.call_soon(future.cancel)
        elif how == "own":
            result.cancel()
        try:
            came = await result
        except (Exception, asyncio.CancelledError) as error:
            came = type(error), str(error)
        if late:
            errors = {"late error": KeyError(3), "quiet": StreamClosedError()}
            if how == "late":
                future.set_result(3)
            else:
                future.set_exception(errors[how])
        await asyncio.sleep(0.01)
        logged = [
            (record.name, record.exc_info and record.exc_info[0]) for record in caplog.records
        ]
        caplog.clear()
        return came, logged, future.done()

    def event_loop_time():
        from tornado.ioloop import IOLoop

        return IOLoop.current().time()

    stock, made = both(lambda: loop.run_until_complete(main()))
    assert made == stock


def test_functions_look_like_tornados(native):
    function = HTTPServerRequest.__init__
    assert inspect.isfunction(function)
    assert "start_line" in inspect.signature(HTTPServerRequest).parameters
    assert (function.__name__, function.__module__) == ("__init__", "tornado.httputil")
    assert httputil.format_timestamp.__doc__.startswith("Formats a timestamp")
    assert pickle.loads(pickle.dumps(gen.with_timeout)) is gen.with_timeout
    headers = HTTPHeaders({"a": "b"})
    assert copy.deepcopy(headers) == headers == pickle.loads(pickle.dumps(headers))
    with pytest.raises(TypeError, match="argument"):
        HTTPHeaders.__init__()


def test_each_source_is_known():
    assert {
        name
        for module in (_http, _websocket)
        for name in module.SOURCES
        if module.find(name) and not digest_of(module.find(name))
    } == set()
    names = (*_http.FUNCTIONS.values(), *_websocket.FUNCTIONS.values())
    assert tornado4.http.reasons().keys() == {f"tornado.{it.replace(':', '.')}" for it in names}


def test_a_definition_ends_where_the_next_begins():
    lines = ["@x", "def a(", "    b,", ") -> c:", "    d", "", "    # e", "", "# f", "def g(): ..."]
    assert block(lines, 0) == lines[:7]
    assert block(lines, 9) == lines[9:]


def test_a_tornado_that_is_not_known_is_left_alone():
    code = """
        import tornado.httputil, linecache
        file = tornado.httputil.__file__
        lines = linecache.getlines(file)
        # As a distribution might have patched it.
        at = next(i for i, line in enumerate(lines) if "norm_name in self:" in line)
        lines[at] = lines[at].replace("norm_name in self", "norm_name in self or False")
        import tornado4.http
        tornado4.http.install()
        print(tornado4.http.is_native())
        reasons = tornado4.http.reasons()
        print(reasons["tornado.http1connection.HTTP1Connection._parse_headers"])
        print(sorted(name.rpartition(".")[2] for name in reasons))
    """
    out = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=120,
    )
    assert out.stdout.splitlines() == [
        "False",
        "the source of tornado.httputil.HTTPHeaders.add isn't one that is known",
        "['__init__', '__init__', '_parse_headers', 'write_headers']",
    ]
