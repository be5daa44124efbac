"""Scrapy on a reactor: ``python -m applications.scrape REACTOR URL PAGES``."""

from __future__ import annotations

import sys
from time import perf_counter, process_time
from typing import Any

import scrapy
from scrapy.crawler import CrawlerProcess

from harness.peers import ASYNCIO_REACTOR, EPOLL, UVLOOP_REACTOR
from harness.rows import OURS
from harness.say import say

CONCURRENT = 32

ASYNCIO = "twisted.internet.asyncioreactor.AsyncioSelectorReactor"
REACTORS = {
    OURS: {"TWISTED_REACTOR": "tornado4.platform.twisted.TornadoReactor"},
    EPOLL: {"TWISTED_REACTOR": "twisted.internet.epollreactor.EPollReactor"},
    ASYNCIO_REACTOR: {"TWISTED_REACTOR": ASYNCIO},
    UVLOOP_REACTOR: {"TWISTED_REACTOR": ASYNCIO, "ASYNCIO_EVENT_LOOP": "uvloop.Loop"},
}


class Fetcher(scrapy.Spider):
    """Takes the title out of each page, and tells what all of that took."""

    name = "fetcher"
    parsed = 0

    def __init__(self, url: str, pages: int) -> None:
        super().__init__()
        self.url, self.pages = url, pages

    async def start(self) -> Any:
        self.began, self.worked = perf_counter(), process_time()
        for number in range(self.pages):
            yield scrapy.Request(f"{self.url}{number}")

    def parse(self, response: Any) -> None:
        assert response.css("title::text").get() == "A page"
        self.parsed += 1

    def closed(self, reason: str) -> None:
        from twisted.internet import reactor

        wall, cpu = perf_counter() - self.began, process_time() - self.worked
        kind = type(reactor)
        named = f"{kind.__module__}.{kind.__qualname__}"
        say(wall=wall, cpu=cpu, pages=self.parsed, reactor=named)


def main() -> None:
    """Fetch them."""
    name, url, pages = sys.argv[1:]
    process = CrawlerProcess(
        {
            **REACTORS[name],
            "CONCURRENT_REQUESTS": CONCURRENT,
            "CONCURRENT_REQUESTS_PER_DOMAIN": CONCURRENT,
            "DOWNLOAD_DELAY": 0,
            "LOG_LEVEL": "ERROR",
            "ROBOTSTXT_OBEY": False,
            "TELNETCONSOLE_ENABLED": False,
        }
    )
    process.crawl(Fetcher, url=url, pages=int(pages))
    process.start()


if __name__ == "__main__":
    main()
