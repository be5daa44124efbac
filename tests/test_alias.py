"""Tornado's modules under our name. What is imported, and when, is a matter of the
whole process, so each test runs one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import tornado4

# Modules that a test adds to Tornado, by the name of the file.
ADDED = {
    "slow.py": "import time\nruns = []\ntime.sleep(0.3)\nruns.append(__name__)\n",
    "failing.py": "import tornado4.log\nraise RuntimeError('mine')\n",
    "needy.py": "import nowhere_to_be_found\n",
    "circular.py": """
        import sys
        early = "early"
        import tornado4.circular as again
        import tornado.circular as real
        from tornado4.circular import early as seen
        same = again is real is sys.modules[__name__]
        """,
}


def run(code: str, *arguments: str, path: Path | None = None, fails: bool = False) -> str:
    """Run a program in which any warning is an error; return what it says."""
    command = [sys.executable, "-W", "error", *(arguments or ["-c", textwrap.dedent(code)])]
    paths = [str(path or ""), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    assert (done.returncode != 0) is fails, done.stderr
    return done.stderr if fails else done.stdout


@pytest.fixture
def added(tmp_path: Path) -> str:
    """Return the statement that adds `ADDED` to Tornado, in a program of `run`."""
    for name, code in ADDED.items():
        (tmp_path / name).write_text(textwrap.dedent(code))
    return f"import sys, tornado; tornado.__path__.append({str(tmp_path)!r})"


# What is imported


@pytest.mark.parametrize("first", ["tornado", "tornado4"])
def test_every_module_is_tornados_own(first: str) -> None:
    out = run(f"""
        import importlib, pkgutil, sys, warnings
        from importlib.machinery import PathFinder
        warnings.simplefilter("ignore")  # of Tornado's tests
        import tornado, tornado4

        def walk(package, path):
            for found in pkgutil.iter_modules([path], package + "."):
                if not found.name.endswith("__main__"):
                    yield found.name
                if found.ispkg:
                    yield from walk(found.name, path + "/" + found.name.rpartition(".")[2])

        def imported(name):
            try:
                return importlib.import_module(name)
            except ImportError as error:
                return str(error)

        ours = set(walk("tornado4", *tornado4.__path__))
        for real in walk("tornado", *tornado.__path__):
            alias = "tornado4" + real.removeprefix("tornado")
            if alias in ours:
                continue
            names = [real, alias] if {first!r} == "tornado" else [alias, real]
            module, other = map(imported, names)
            if isinstance(module, str):
                assert module == other and "No module named 'py" in module, (alias, module)
                assert real not in sys.modules and alias not in sys.modules
                continue
            assert module is other is sys.modules[real] is sys.modules[alias], alias
            package = sys.modules[real.rpartition(".")[0]]
            fresh = PathFinder.find_spec(real, package.__path__)
            assert module.__name__ == real and module.__spec__ == fresh, alias
            assert not getattr(module.__spec__, "_initializing", False), alias
            assert module.__loader__ is module.__spec__.loader, alias
            assert module.__package__ == module.__spec__.parent, alias
            assert getattr(package, real.rpartition(".")[2]) is module, alias
            parent = sys.modules[alias.rpartition(".")[0]]
            assert getattr(parent, real.rpartition(".")[2]) is module, alias
            print(alias)
    """)
    for name in ("web", "speedups", "locale", "_locale_data", "test", "test.web_test"):
        assert f"tornado4.{name}" in out.splitlines()
    assert not {"tornado4.ioloop", "tornado4.platform.asyncio"} & set(out.splitlines())


@pytest.mark.parametrize(
    "code",
    [
        "import tornado4.web; web = tornado4.web",
        "import tornado4.web as web",
        "from tornado4 import web",
        "import tornado4; web = tornado4.web",
        "import tornado4; web = getattr(tornado4, 'web', None)",
        "web = __import__('tornado4.web', fromlist=['web'])",
        "import importlib; web = importlib.import_module('.web', 'tornado4')",
        "import pkgutil; web = pkgutil.resolve_name('tornado4.web')",
        "from tornado4.web import Application; import tornado4; web = tornado4.web",
        "import tornado.web, tornado4; web = tornado4.web",
    ],
)
def test_every_way_to_import(code: str) -> None:
    out = run(f"{code}\nimport tornado.web, sys\nprint(web is tornado.web)")
    assert out == "True\n"


def test_our_own_modules_come_first() -> None:
    out = run("""
        import tornado4
        print(tornado4.ioloop.__name__, tornado4.platform.asyncio.__name__)
        import tornado4.platform.twisted, tornado4._core, tornado.ioloop
        print(tornado4.platform.twisted.__name__, tornado4.ioloop is tornado.ioloop)
        import importlib
        print(importlib.reload(tornado4.platform) is tornado4.platform)
    """)
    assert out.splitlines() == [
        "tornado4.ioloop tornado4.platform.asyncio",
        "tornado4.platform.twisted False",
        "True",
    ]


def test_nothing_is_imported_before_it_is_asked_for() -> None:
    out = run("""
        import importlib.util, sys, tornado4
        def loaded():
            return [name for name in sys.modules if name.partition(".")[0] == "tornado"]
        hasattr(tornado4, "__wrapped__"), hasattr(tornado4, "_ipython_display_")
        dir(tornado4)
        print(loaded())
        spec = importlib.util.find_spec("tornado4.web")
        print(spec.name, spec.origin.endswith("web.py"), loaded())
        print(importlib.util.find_spec("tornado4.nowhere"), loaded())
        tornado4.escape
        print("tornado.escape" in loaded(), "tornado.web" in loaded())
    """)
    assert out.splitlines() == ["[]", "tornado4.web True []", "None []", "True False"]


# What isn't there


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("tornado4.nowhere", ""),
        ("tornado4._nowhere", ""),
        ("tornado4.platform.nowhere", ""),
        ("tornado4.test.nowhere", ""),
        ("tornado4.web.nowhere", "; 'tornado4.web' is not a package"),
    ],
)
def test_a_module_that_is_not_there(name: str, more: str) -> None:
    out = run(f"""
        try:
            import {name}
        except ModuleNotFoundError as error:
            print(error.name, error, sep=": ")
    """)
    assert out.strip() == f"{name}: No module named '{name}'{more}"


def test_an_attribute_that_is_not_there() -> None:
    out = run("""
        import tornado4
        print(hasattr(tornado4, "nowhere"))
        for name in ["nowhere", "_core", "__nowhere__"]:
            try:
                getattr(tornado4, name)
            except AttributeError as error:
                print(error)
        try:
            from tornado4 import nowhere
        except ImportError as error:
            print(str(error).partition(" (")[0])
    """)
    text = "module 'tornado4' has no attribute"
    assert out.splitlines() == [
        "False",
        *(f"{text} '{name}'" for name in ("nowhere", "_core", "__nowhere__")),
        "cannot import name 'nowhere' from 'tornado4'",
    ]


def test_without_tornado(tmp_path: Path) -> None:
    (tmp_path / "tornado4").symlink_to(Path(tornado4.__file__).parent)
    (tmp_path / "program.py").write_text(
        "import tornado4\nprint(hasattr(tornado4, 'web'))\nimport tornado4.web\n"
    )
    # -S: without the installed packages.
    program = str(tmp_path / "program.py")
    said = run("", "-S", program, path=tmp_path, fails=True)
    assert said.strip().endswith("ModuleNotFoundError: No module named 'tornado4.web'")


def test_an_import_that_fails_leaves_nothing_behind(added: str) -> None:
    out = run(f"""
        {added}
        import tornado4
        for _ in range(2):
            for code in ["import tornado4.failing", "tornado4.failing", "tornado4.needy"]:
                try:
                    exec(code)
                except (RuntimeError, ModuleNotFoundError) as error:
                    print(type(error).__name__, error)
        print([name for name in sys.modules if name.endswith(("failing", "needy"))])
    """)
    failed = ["RuntimeError mine"] * 2
    needy = "ModuleNotFoundError No module named 'nowhere_to_be_found'"
    assert out.splitlines() == [*failed, needy, *failed, needy, "[]"]


# The module doesn't know of its other name


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


def test_type_checkers_do_not_see_the_names(tmp_path: Path) -> None:
    # And a misspelt name of our own is still found.
    code = "import tornado4.web\nimport tornado4\ntornado4.run\ntornado4.rnu\n"
    command = [sys.executable, "-m", "mypy", "--strict", "-c", code]
    done = subprocess.run(
        [*command, "--no-incremental"], capture_output=True, text=True, timeout=60, cwd=tmp_path
    )
    errors = [line for line in done.stdout.splitlines() if ": error: " in line]
    assert [error.rpartition("[")[2] for error in errors] == ["import-not-found]", "attr-defined]"]
    assert '"rnu"' in errors[1]


# Threads


def test_threads_that_import_one_module_by_both_names(added: str) -> None:
    out = run(f"""
        {added}
        import importlib, threading, tornado4
        sys.setswitchinterval(1e-6)
        def work(number):
            together.wait()
            if number % 4 == 0:
                from tornado4.slow import runs
            elif number % 4 == 1:
                from tornado.slow import runs
            elif number % 4 == 2:
                runs = importlib.import_module("tornado4.slow").runs
            else:
                runs = tornado4.slow.runs
            seen.append((id(runs), *runs))
        seen, together = [], threading.Barrier(16)
        threads = [threading.Thread(target=work, args=[number]) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(len(seen), len(set(seen)), seen[0][1:])
        print(sys.modules["tornado4.slow"] is sys.modules["tornado.slow"])
    """)
    assert out.splitlines() == ["16 1 ('tornado.slow',)", "True"]


def test_a_thread_that_imports_tornado_itself_meanwhile(tmp_path: Path) -> None:
    # Looking for a module must not wait for its package: the import system's own
    # lock is held then, and the package under way may need that lock.
    package = tmp_path / "tornado"
    package.mkdir()
    (package / "web.py").write_text("")
    (package / "__init__.py").write_text(
        "import started\nstarted.event.set()\nimport time\ntime.sleep(0.3)\nimport colorsys\n"
    )
    (tmp_path / "started.py").write_text("import threading\nevent = threading.Event()\n")
    out = run(
        """
        import importlib, sys, threading, started, tornado4
        thread = threading.Thread(target=importlib.import_module, args=["tornado"], daemon=True)
        thread.start()
        started.event.wait()
        import tornado4.web
        thread.join()
        print("colorsys" in sys.modules, tornado4.web.__name__)
        """,
        path=tmp_path,
    )
    assert out.strip() == "True tornado.web"


# The finder itself


def test_one_finder_that_can_be_removed() -> None:
    out = run("""
        import sys
        def finders():
            return sum(type(finder).__module__ == "tornado4._alias" for finder in sys.meta_path)
        import tornado4, tornado4.web
        from tornado4 import _alias
        _alias.install()
        print(finders())
        for name in [name for name in sys.modules if name.startswith("tornado4")]:
            del sys.modules[name]
        import tornado4.web, tornado4.test.util
        import tornado.web
        print(finders(), tornado4.web is tornado.web)
        from tornado4 import _alias
        _alias.uninstall()
        _alias.uninstall()
        print(finders(), sorted(name for name in sys.modules if name.startswith("tornado4")))
        for name in ["tornado4.web", "tornado4.test.util", "tornado4.demo"]:
            try:
                __import__(name)
                print(name)
            except ModuleNotFoundError as error:
                print("without", error.name)
        _alias.install()
        import tornado4.web
        print(finders(), tornado4.web is tornado.web)
    """)
    assert out.splitlines() == [
        "1",
        "1 True",
        "0 ['tornado4', 'tornado4._alias']",
        "without tornado4.web",
        "without tornado4.test",
        "tornado4.demo",
        "1 True",
    ]


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
