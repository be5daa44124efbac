"""The reactor by name: Twisted's tools, which find it by a plugin, and applications
that take a setting, as Scrapy does. Each has a process of its own."""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import os
import pickle
import re
import signal
import subprocess
import sys
import textwrap
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from helpers.programs import everywhere, with_path

SOURCE = Path(__file__).parent.parent.parent / "python"
PLUGIN = SOURCE / "twisted" / "plugins" / "tornado4_reactor.py"
LIMIT = 30.0  # seconds. Only a hang takes this long.

SEARCHED = importlib.import_module("twisted.plugins").__path__
installed = pytest.mark.skipif(
    not any((Path(path) / PLUGIN.name).exists() for path in SEARCHED),
    reason="the plugin isn't on Twisted's plugin path: tornado4 is installed without it",
)

REACTOR = "tornado4.platform.twisted.TornadoReactor"
TRIAL = ["-m", "twisted.trial"]
TWIST = ["-m", "twisted"]
TWISTD = ["-c", "from twisted.scripts.twistd import run; run()"]
SITE = ["web", "--listen=tcp:0:interface=127.0.0.1", "--path=."]


def run(*command: str, path: Path | None = None, cwd: Path | None = None) -> str:
    env = with_path(path)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=env, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


# What is installed


def test_the_plugins_directory_is_no_package_and_holds_nothing_else() -> None:
    # Else it would stand in the way of Twisted's own.
    files = {path.relative_to(SOURCE).as_posix() for path in (SOURCE / "twisted").glob("**/*.py")}
    assert files == {"twisted/plugins/tornado4_reactor.py"}


def test_nothing_else_of_twisted_is_ours_to_remove() -> None:
    files = importlib.metadata.files("tornado4") or []
    ours = {path.name for path in files if path.parts[0] == "twisted"}
    assert {name.partition(".")[0] for name in ours} <= {"tornado4_reactor"}


@installed
def test_the_plugin_loads_nothing() -> None:
    out = run(
        *(sys.executable, "-W", "error", "-c"),
        "import sys, twisted.plugins.tornado4_reactor as plugin\n"
        "loaded = {name.partition('.')[0] for name in sys.modules}\n"
        "print(loaded & {'tornado', 'tornado4', 'asyncio'})\n"
        "print('twisted.internet.reactor' in sys.modules, plugin.tornado4.shortName)",
    )
    assert out.splitlines() == ["set()", "False tornado4"]


LIST = (
    "import sys\n"
    "from twisted.application.reactors import getReactorTypes\n"
    "from twisted.python import log\n"
    "log.startLogging(sys.stdout)\n"
    "print('copied' in [kind.shortName for kind in getReactorTypes()], 'listed')"
)


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    """Return a plugin directory that isn't only ours, without a cache.

    Ours has another name, as it may be installed too.
    """
    plugins = tmp_path / "path" / "twisted" / "plugins"
    plugins.mkdir(parents=True)
    (plugins / "other_plugin.py").touch()
    code = PLUGIN.read_text().replace('"tornado4",', '"copied",')
    (plugins / "copied_plugin.py").write_text(code)
    return plugins


def test_twisteds_cache_forgets_a_plugin_that_is_gone(plugins: Path) -> None:
    def cached() -> bool:
        return "copied_plugin" in pickle.loads((plugins / "dropin.cache").read_bytes())

    path = plugins.parent.parent
    for _ in range(2):
        assert "True listed" in run(sys.executable, "-c", LIST, path=path)
        assert cached()
    (plugins / "copied_plugin.py").unlink()
    assert "False listed" in run(sys.executable, "-c", LIST, path=path)
    assert not cached()


def test_a_cache_that_cannot_be_written_is_only_logged(plugins: Path) -> None:
    # A directory in its place, since root may write everywhere.
    (plugins / "dropin.cache").mkdir()
    (plugins / "dropin.cache" / "file").touch()
    out = run(sys.executable, "-c", LIST, path=plugins.parent.parent)
    assert "Unable to write to plugin cache" in out
    assert "True listed" in out
    assert "Traceback" not in out


# Twisted's tools


@installed
@everywhere
def test_it_is_listed_as_a_reactor_that_works_here(python: str) -> None:
    available = run(python, *TRIAL, "--help-reactors").partition("not available")[0]
    assert re.search(r"^ +tornado4\t", available, re.MULTILINE)


@installed
@everywhere
def test_trial(python: str, tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(
        textwrap.dedent(f"""
        import asyncio
        from twisted.internet import reactor, task
        from twisted.trial.unittest import TestCase

        class Mine(TestCase):
            def test_deferred(self):
                return task.deferLater(reactor, 0.01, lambda: None)

            async def test_asyncio(self):
                await task.deferLater(reactor, 0, lambda: None)
                self.assertIs(asyncio.get_running_loop(), reactor._asyncioEventloop)
                name = f"{{type(reactor).__module__}}.{{type(reactor).__qualname__}}"
                self.assertEqual(name, {REACTOR!r})
    """)
    )
    out = run(python, *TRIAL, "--reactor=tornado4", "test_mine", cwd=tmp_path)
    assert "PASSED (successes=2)" in out
    out = run(python, *TRIAL, "--reactor=tornado4", "twisted.test.test_log", cwd=tmp_path)
    assert "PASSED" in out


@contextlib.contextmanager
def tool(command: list[str], log: Path) -> Iterator[subprocess.Popen[str]]:
    (log.parent / "page.txt").write_text("the page")
    # Into a file and not a pipe, which a daemon would keep open.
    with log.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, text=True, cwd=log.parent)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def page_of(log: Path) -> str:
    """Return the page of the site that writes `log`."""
    wait_for(lambda: log.exists() and "Site starting on" in log.read_text())
    [port] = re.findall(r"Site starting on (\d+)", log.read_text())
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/page.txt", timeout=LIMIT) as page:
        return str(page.read(), "ascii")


@installed
@everywhere
@pytest.mark.parametrize(
    "command",
    [
        [*TWIST, "--log-format=text", "--reactor=tornado4", *SITE],
        [*TWISTD, "--nodaemon", "--pidfile=", "--reactor=tornado4", *SITE],
    ],
    ids=["twist", "twistd"],
)
def test_a_site_that_is_served_and_stopped(python: str, command: list[str], tmp_path: Path) -> None:
    log = tmp_path / "log"
    with tool([python, *command], log) as process:
        assert page_of(log) == "the page"
        process.send_signal(signal.SIGTERM)
        # As with Twisted's own reactors: shut down first, then killed by the signal.
        assert process.wait(LIMIT) == -signal.SIGTERM
    said = log.read_text()
    assert "Received SIGTERM, shutting down." in said
    assert "Stopping factory" in said
    assert "Traceback" not in said


@installed
@everywhere
def test_a_daemon_of_twistd(python: str, tmp_path: Path) -> None:
    # It is in a child of the process that made the reactor.
    log, pid_file = tmp_path / "daemon.log", tmp_path / "daemon.pid"
    files = [f"--logfile={log}", f"--pidfile={pid_file}"]
    with tool([python, *TWISTD, *files, "--reactor=tornado4", *SITE], tmp_path / "out") as process:
        assert process.wait(LIMIT) == 0
    daemon = int(pid_file.read_text())
    try:
        assert page_of(log) == "the page"
        assert f"reactor class: {REACTOR}" in log.read_text()
        os.kill(daemon, signal.SIGTERM)
        wait_for(lambda: not pid_file.exists())
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(daemon, signal.SIGKILL)
    assert "Server Shut Down." in log.read_text()
    assert "Traceback" not in log.read_text()


# A setting with the reactor's name


def test_what_scrapy_does_with_its_setting() -> None:
    out = run(
        *(sys.executable, "-W", "error", "-c"),
        textwrap.dedent(f"""
        import asyncio, contextlib, importlib, sys

        def load(path):
            module, _, name = path.rpartition(".")
            return getattr(importlib.import_module(module), name)

        wanted = load({REACTOR!r})
        install = load({REACTOR.rpartition(".")[0]!r} + ".install")
        print("twisted.internet.reactor" in sys.modules)
        from twisted.internet.error import ReactorAlreadyInstalledError
        for _ in range(2):
            with contextlib.suppress(ReactorAlreadyInstalledError):
                install()
        from twisted.internet import reactor
        from twisted.internet.asyncioreactor import AsyncioSelectorReactor
        print(type(reactor) == wanted, f"{{wanted.__module__}}.{{wanted.__qualname__}}")
        print(isinstance(reactor, AsyncioSelectorReactor))
        print(isinstance(reactor._asyncioEventloop, load("tornado4.platform.asyncio.EventLoop")))

        from twisted.internet.defer import Deferred
        async def crawl():
            loop = asyncio.get_running_loop()
            await asyncio.sleep(0.01)
            deferred = Deferred()
            reactor.callLater(0.01, deferred.callback, "called")
            print(loop is reactor._asyncioEventloop, await deferred.asFuture(loop))
        def start():
            task = Deferred.fromFuture(asyncio.ensure_future(crawl()))
            task.addBoth(lambda failed: failed and failed.printTraceback())
            task.addBoth(lambda _: reactor.stop())
        reactor.callWhenRunning(start)
        reactor.run(installSignalHandlers=False)
        """),
    )
    assert out.splitlines() == ["False", f"True {REACTOR}", "True", "True", "True called"]


SPIDER = f"""
import asyncio, http.server, sys, threading
import scrapy
from scrapy.crawler import CrawlerProcess
from scrapy.utils.reactor import is_asyncio_reactor_installed

class Site(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"<title>" + self.path.encode() + b"</title><a href='/1'>1</a><a href='/2'>2</a>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args):
        pass

class Spider(scrapy.Spider):
    name = "spider"
    titles = []

    async def parse(self, response):
        ran = await asyncio.get_running_loop().run_in_executor(None, lambda: "ran")
        await asyncio.gather(asyncio.sleep(0.01), asyncio.sleep(0.01))
        self.titles.append(response.css("title::text").get() + " " + ran)
        for link in response.css("a::attr(href)").getall():
            yield response.follow(link)

site = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
threading.Thread(target=site.serve_forever, daemon=True).start()
settings = {{"TWISTED_REACTOR": {REACTOR!r}, "TELNETCONSOLE_ENABLED": False}}
settings["ASYNCIO_EVENT_LOOP"] = "tornado4.platform.asyncio.EventLoop"
process = CrawlerProcess(settings)
crawler = process.create_crawler(Spider)
process.crawl(crawler, start_urls=[f"http://127.0.0.1:{{site.server_port}}/"])
process.start()
print(sorted(Spider.titles), is_asyncio_reactor_installed())
counts = crawler.stats.get_stats()
print(counts["finish_reason"], [name for name in counts if name.endswith(("WARNING", "ERROR"))])
"""


def test_scrapy(tmp_path: Path) -> None:
    pytest.importorskip("scrapy", reason="Scrapy isn't among the tests' requirements")
    out = run(sys.executable, "-c", SPIDER, cwd=tmp_path)
    assert out.splitlines() == ["['/ ran', '/1 ran', '/2 ran'] True", "finished []"]
