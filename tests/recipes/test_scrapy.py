"""Scrapy: several crawls in one process, from a program and from a notebook."""

import http.server
import json
import re
import threading

import pytest

from helpers.notebooks import cells_of, execute_cells, kernel_on_our_loop
from helpers.recipes import needs, output_of, running

needs("scrapy", "nbclient", "ipykernel")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

REACTOR = "<class 'tornado4.platform.twisted.TornadoReactor'>"
LOOP = "<class 'tornado4.platform.asyncio.EventLoop'>"
AT_ONCE = "At once: {0} pages {0} pages {0} pages\n"


class Chain(http.server.BaseHTTPRequestHandler):
    """Pages 0 to 6; each links to the next one."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        number = int(self.path.strip("/") or "0")
        self.server.asked.append(number)
        link = f"<a href=/{number + 1}>next</a>" if number < 6 else ""
        body = f"<title>Page {number}</title>{link}".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def site():
    """Another process's site, as far as the recipe can tell."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Chain) as server:
        server.asked = []
        server.url = f"http://127.0.0.1:{server.server_port}/"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def crawls(pages):
    each = "".join(f"Crawl {number}: {pages} pages\n" for number in range(3))
    return f"{AT_ONCE.format(pages)}{each}All of it on {REACTOR} and {LOOP}\n"


def test_crawls_of_its_own_site():
    assert output_of("scrapy_crawls.py") == crawls(20)


def test_crawls_of_a_site_elsewhere(site):
    assert output_of("scrapy_crawls.py", site.url) == crawls(7)
    assert sorted(site.asked) == sorted([*range(7)] * 6)


@pytest.mark.parametrize("kernel", [None, kernel_on_our_loop], ids=["stock", "ours"])
def test_a_notebook(site, kernel, tmp_path, monkeypatch):
    cells = [re.sub(r"https://[\w./]+", site.url, cell) for cell in cells_of("scrapy_notebook.py")]
    again = cells[2]
    *_, first, second, _, at_once = execute_cells(
        [*cells[:3], again, *cells[3:]], tmp_path, monkeypatch, kernel and kernel()
    )
    assert first == second == [f"7 pages on {REACTOR}\n"]
    assert at_once == [AT_ONCE.format(7)]
    assert sorted(site.asked) == sorted([*range(7)] * 5)


def test_scrapys_own_command(site, tmp_path):
    (tmp_path / "spider.py").write_text(
        "import scrapy\n"
        "class Titles(scrapy.Spider):\n"
        "    name = 'titles'\n"
        f"    start_urls = [{site.url!r}]\n"
        "    def parse(self, response):\n"
        "        yield {'title': response.css('title::text').get()}\n"
        "        yield from response.follow_all(css='a')\n"
    )
    setting = "TWISTED_REACTOR=tornado4.platform.twisted.TornadoReactor"
    command = ["-m", "scrapy", "runspider", "spider.py", "-o", "titles.json", "-s", setting]
    with running(*command, cwd=tmp_path) as program:
        output = program.ends()
    assert "Using reactor: tornado4.platform.twisted.TornadoReactor" in output
    assert "Using asyncio event loop: tornado4.platform.asyncio.EventLoop" in output
    titles = [item["title"] for item in json.loads((tmp_path / "titles.json").read_text())]
    assert titles == [f"Page {number}" for number in range(7)]
