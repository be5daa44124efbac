"""A module of Tornado's under our name is Tornado's own: it doesn't know of the name,
and does all that it does under the other one."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.aliases import added, run

__all__ = ["added"]


def test_pickling_reloading_and_reading_the_source() -> None:
    out = run("""
        import importlib, inspect, pickle, sys
        import tornado4.httputil as ours
        import tornado.httputil as theirs
        data = pickle.dumps(ours.HTTPHeaders({"A": "b"}))
        print(b"tornado4" in data, pickle.loads(data)["A"])
        print(pickle.loads(b"ctornado4.httputil\\nHTTPHeaders\\n.") is theirs.HTTPHeaders)
        before = ours.HTTPHeaders
        print(importlib.reload(ours) is theirs, theirs.HTTPHeaders is before)
        print(sys.modules["tornado4.httputil"] is sys.modules["tornado.httputil"])
        print("class HTTPHeaders" in inspect.getsource(ours))
        print(repr(ours).startswith("<module 'tornado.httputil' from "))
    """)
    lines = ["False b", "True", "True False", "True", "True", "True"]
    assert out.splitlines() == lines


def test_a_module_made_from_the_spec_leaves_tornados_alone() -> None:
    out = run("""
        import importlib.util, sys, tornado.escape
        spec = importlib.util.find_spec("tornado4.escape")
        made = importlib.util.module_from_spec(spec)
        print(tornado.escape.__spec__.name, "tornado4.escape" in sys.modules)
        print(made.url_escape is tornado.escape.url_escape)
        spec.loader.exec_module(made)
        print(tornado.escape.__spec__.name, sys.modules["tornado4.escape"] is tornado.escape)
    """)
    assert out.splitlines() == ["tornado.escape False", "True", "tornado.escape True"]


@pytest.mark.parametrize("name", ["tornado.circular", "tornado4.circular"])
def test_a_module_that_imports_itself_by_our_name(added: str, name: str) -> None:
    out = run(f"""
        {added}
        import {name}, tornado4
        module = sys.modules["tornado.circular"]
        print(module.same, module.seen, tornado4.circular is module)
        print(sys.modules["tornado4.circular"] is module, module.__spec__.name)
    """)
    assert out.splitlines() == ["True early True", "True tornado.circular"]


def test_a_module_made_by_hand() -> None:
    out = run("""
        import sys, tornado, types
        made = sys.modules["tornado.made"] = types.ModuleType("tornado.made")
        import tornado4.made
        print(tornado4.made is made, made.__spec__)
    """)
    assert out.strip() == "True None"


# python -m


def test_running_a_module_by_our_name(tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text("import sys\nprint('ran', sys.argv[1:])\n")
    out = run("", "-m", "tornado4.autoreload", "--until-success", str(tmp_path / "job.py"), "x")
    assert out == "ran ['x']\n"
    # A package, a module inside it, and one that can't be run.
    run("", "-Wdefault", "-m", "tornado4.test", "tornado4.test.util_test")
    run("", "-Wdefault", "-m", "tornado4.test.runtests", "tornado.test.util_test")
    said = run("", "-m", "tornado4.speedups", fails=True)
    assert said.strip().endswith("No code object available for tornado4.speedups")
    said = run("", "-m", "tornado4.nowhere", fails=True)
    assert said.strip().endswith("No module named tornado4.nowhere")


# An application

APPLICATION = """
    import tornado4.options
    from tornado4 import gen, httpclient, locks
    from tornado4.escape import json_decode
    from tornado4.httpserver import HTTPServer
    from tornado4.ioloop import IOLoop
    from tornado4.netutil import bind_sockets
    from tornado4.web import Application, HTTPError, RequestHandler, url

    class Sum(RequestHandler):
        def initialize(self, waiting):
            self.waiting = waiting

        @gen.coroutine
        def get(self, first, second):
            yield self.waiting.acquire()
            try:
                yield gen.sleep(0.01)
                self.write({"sum": int(first) + int(second)})
            finally:
                self.waiting.release()

        async def post(self, first, second):
            raise HTTPError(418, reason="Teapot")

    @gen.coroutine
    def main():
        handlers = [url(r"/([0-9]+)/([0-9]+)", Sum, {"waiting": locks.Semaphore(2)})]
        server = HTTPServer(Application(handlers))
        sockets = bind_sockets(0, "127.0.0.1")
        server.add_sockets(sockets)
        where = "http://127.0.0.1:%d" % sockets[0].getsockname()[1]
        client = httpclient.AsyncHTTPClient()
        answers = yield [client.fetch(where + "/%d/4" % number) for number in range(5)]
        print([json_decode(answer.body)["sum"] for answer in answers])
        try:
            yield client.fetch(where + "/1/2", method="POST", body=b"")
        except httpclient.HTTPError as error:
            print(error)
        client.close()
        server.stop()
        yield server.close_all_connections()

    tornado4.options.parse_command_line(["program", "--logging=none"])
    IOLoop.current().run_sync(main)
    print(type(IOLoop.current()).__module__)
"""


def test_an_application_written_for_our_names() -> None:
    assert run(APPLICATION).splitlines() == [
        "[4, 5, 6, 7, 8]",
        "HTTP 418: Teapot",
        "tornado4.ioloop",
    ]
