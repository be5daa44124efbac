"""Scrapy in a notebook: `await` a crawl in a cell, as often as you like.

    pip install tornado4 scrapy notebook

Paste each part below into a cell of its own. (Editors that know `# %%` run it as it is.)
"""

# %%
# Once, and before Scrapy is imported. The reactor runs on the kernel's own loop.
from tornado4.platform.twisted import install

reactor = install()

# %%
import scrapy
from scrapy.crawler import AsyncCrawlerRunner


class TitleSpider(scrapy.Spider):
    name = "titles"

    def parse(self, response):
        self.titles[response.url] = response.css("title::text").get()
        yield from response.follow_all(css="a")


async def crawl(url):
    titles = {}
    settings = {
        "TWISTED_REACTOR": "tornado4.platform.twisted.TornadoReactor",
        "CLOSESPIDER_PAGECOUNT": 10,
    }
    await AsyncCrawlerRunner(settings).crawl(TitleSpider, start_urls=[url], titles=titles)
    return titles


# %%
# Run this one again and again.
titles = await crawl("https://quotes.toscrape.com/")
print(len(titles), "pages on", type(reactor))

# %%
import asyncio

# Several at once. A task goes on while you run other cells; task.cancel() would stop it.
tasks = [asyncio.create_task(crawl("https://quotes.toscrape.com/")) for _ in range(3)]

# %%
print("At once:", *[f"{len(titles)} pages" for titles in await asyncio.gather(*tasks)])
