"""Scrapy: crawls at once and one after the other, as often as you like, in one process.

    pip install tornado4 scrapy
    python scrapy_crawls.py [URL]

Without a URL it crawls a site of its own, which Tornado serves on the same loop.
"""

import asyncio
import sys

import tornado4
from tornado4.platform.twisted import install

reactor = install()  # Before Scrapy is imported.

import scrapy
from scrapy.crawler import AsyncCrawlerRunner
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

SETTINGS = {
    # Scrapy checks that this is the reactor which is installed.
    "TWISTED_REACTOR": "tornado4.platform.twisted.TornadoReactor",
    "CLOSESPIDER_PAGECOUNT": 100,
}
PAGES = 20


class Page(RequestHandler):
    """A page of our own site, with a title and a link to the next one."""

    async def get(self, number):
        following = (int(number) + 1) % PAGES
        self.write(f"<title>Page {number}</title><a href=/{following}>next</a>")


class TitleSpider(scrapy.Spider):
    name = "titles"

    def parse(self, response):
        self.titles[response.url] = response.css("title::text").get()
        yield from response.follow_all(css="a")


async def crawl(url):
    """Crawl a site; return its titles. To be awaited, gathered or cancelled as you like."""
    titles = {}
    await AsyncCrawlerRunner(SETTINGS).crawl(TitleSpider, start_urls=[url], titles=titles)
    return titles


async def main(url=None):
    site = HTTPServer(Application([(r"/(\d+)", Page)]))
    sockets = bind_sockets(0, "127.0.0.1")
    site.add_sockets(sockets)
    if url is None:
        url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}/0"

    three = await asyncio.gather(crawl(url), crawl(url), crawl(url))
    print("At once:", *[f"{len(titles)} pages" for titles in three])
    for number in range(3):
        print(f"Crawl {number}:", len(await crawl(url)), "pages")
    print("All of it on", type(reactor), "and", type(asyncio.get_running_loop()))
    site.stop()


tornado4.run(main(*sys.argv[1:]))
