"""Scrapy fetches small pages over HTTPS, on ours and on Twisted's own reactors; see README.md.

    pip install scrapy uvloop tornado4        # uvloop only if there is to be a row for it
    python benches/scrapy_https.py [--pages N] [--rounds N] [--json PATH]

Each crawl has a process of its own, on one CPU; the server is on another. It is the
same for all: an `asyncio.Protocol` on asyncio's own loop.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any

from comparison.environment import environment
from comparison.spread import Spread
from transports.certificate import write_certificate
from transports.processes import Child, Failed, cpus
from transports.say import say

PAGES = 2_000
ROUNDS = 5
CONCURRENT = 32
PATIENCE = 120.0

OURS = "tornado4"
ASYNCIO = "twisted.internet.asyncioreactor.AsyncioSelectorReactor"
# Scrapy's settings, and the package without which there is no such row.
PEERS: dict[str, tuple[dict[str, str], str]] = {
    OURS: ({"TWISTED_REACTOR": "tornado4.platform.twisted.TornadoReactor"}, OURS),
    "asyncio": ({"TWISTED_REACTOR": ASYNCIO}, "asyncio"),
    "asyncio on uvloop": (
        {"TWISTED_REACTOR": ASYNCIO, "ASYNCIO_EVENT_LOOP": "uvloop.Loop"},
        "uvloop",
    ),
}

BODY = (
    b"<!DOCTYPE html><html><head><title>A page</title></head><body>"
    + b"<p>Nothing to see here.</p>" * 30
    + b"</body></html>"
)
PAGE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n"
    b"Content-Length: %d\r\n\r\n" % len(BODY)
) + BODY


class Pages(asyncio.Protocol):
    """Answers every request with the same page, and keeps the connection."""

    transport: Any

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.got = b""

    def data_received(self, data: bytes) -> None:
        *requests, self.got = (self.got + data).split(b"\r\n\r\n")
        self.transport.write(PAGE * len(requests))


async def serve(folder: str) -> None:
    """Serve until somebody ends this process."""
    from transports.serve_asyncio import BACKLOG, bound, secured

    assert sys.argv[-1] == folder
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Pages, sock=bound(), ssl=secured(), backlog=BACKLOG)
    await asyncio.Event().wait()
    server.close()


def crawl(peer: str, port: int, pages: int) -> None:
    """Fetch so many pages, and tell how long that took from the first request on."""
    import scrapy
    from scrapy.crawler import CrawlerProcess

    class Fetcher(scrapy.Spider):
        name = "fetcher"
        parsed = 0

        async def start(self) -> Any:
            self.began, self.worked = perf_counter(), process_time()
            for number in range(pages):
                yield scrapy.Request(f"https://127.0.0.1:{port}/{number}")

        def parse(self, response: Any) -> None:
            assert response.css("title::text").get() == "A page"
            self.parsed += 1

        def closed(self, reason: str) -> None:
            from twisted.internet import reactor

            seconds, worked = perf_counter() - self.began, process_time() - self.worked
            kind = type(reactor)
            say(
                seconds=seconds,
                worked=worked,
                pages=self.parsed,
                reactor=f"{kind.__module__}.{kind.__qualname__}",
            )

    process = CrawlerProcess(
        {
            **PEERS[peer][0],
            "CONCURRENT_REQUESTS": CONCURRENT,
            "CONCURRENT_REQUESTS_PER_DOMAIN": CONCURRENT,
            "DOWNLOAD_DELAY": 0,
            "LOG_LEVEL": "ERROR",
            "ROBOTSTXT_OBEY": False,
            "TELNETCONSOLE_ENABLED": False,
        }
    )
    process.crawl(Fetcher)
    process.start()


def child(name: str, cpu: int, *words: str) -> Child:
    """Run a part of this file in a process of its own."""
    return Child(name, [sys.executable, __file__, *words], cpu)


def measure(server: Child, port: int, peer: str, pages: int) -> tuple[float, float, float]:
    """Tell pages a second, CPU milliseconds for each, and how busy the server was."""
    on, _ = cpus()
    before, began = server.worked(), perf_counter()
    with child(f"Scrapy on {peer}", on, "--crawl", peer, str(port), str(pages)) as crawler:
        told = crawler.answer(PATIENCE)
        busy = (server.worked() - before) / (perf_counter() - began)
        crawler.finish(PATIENCE)
    if told["pages"] != pages:
        raise Failed(f"Scrapy on {peer} got {told['pages']} of {pages} pages")
    if (OURS in told["reactor"]) != (peer == OURS):
        raise Failed(f"Scrapy on {peer} had {told['reactor']}")
    return pages / told["seconds"], 1_000 * told["worked"] / pages, busy


def compare(pages: int, rounds: int, path: Path | None) -> None:
    """Have the peers take turns, and tell the medians."""
    order = [peer for peer, (_, package) in PEERS.items() if find_spec(package)]
    samples: dict[str, list[tuple[float, float, float]]] = {peer: [] for peer in order}
    with TemporaryDirectory() as folder, ExitStack() as stack:
        write_certificate(Path(folder))
        server = stack.enter_context(child("the server", cpus()[1], "--serve", folder))
        port = server.answer(PATIENCE)["port"]
        for number in range(rounds):
            for peer in order:
                samples[peer].append(measure(server, port, peer, pages))
            # Nobody always comes first, or after the same one.
            order = order[1:] + order[:1]
            if number % 2:
                order.reverse()

    print(f"Scrapy: {pages:,} pages over HTTPS, {CONCURRENT} requests at a time")
    heading = f"  {'':<20}{'pages/s':>9}{'':>6}{'CPU ms':>8}{'server':>8}"
    print(f"{heading}   {'ours to it':<22}by CPU time")
    for peer, taken in samples.items():
        rate = Spread.of([sample[0] for sample in taken])
        spread = 100 * (rate.high - rate.low) / rate.median
        line = f"  {peer:<20}{rate.median:>9,.0f}{spread:>5.0f}%"
        line += f"{median(sample[1] for sample in taken):>8.2f}"
        line += f"{100 * median(sample[2] for sample in taken):>7.0f}%"
        if peer != OURS and OURS in samples:
            pairs = list(zip(samples[OURS], taken, strict=True))
            for ratios in (
                [own[0] / other[0] for own, other in pairs],
                [other[1] / own[1] for own, other in pairs],
            ):
                ratio = Spread.of(ratios)
                line += f"   {ratio.median:.2f}x ({ratio.low:.2f} to {ratio.high:.2f})".ljust(25)
        line = line.rstrip()
        print(line)
    if path is not None:
        path.write_text(json.dumps({"on": environment(), "samples": samples}, indent=2) + "\n")


def main() -> None:
    """Measure, or be a part of that."""
    if sys.argv[1:2] == ["--serve"]:
        asyncio.SelectorEventLoop().run_until_complete(serve(sys.argv[2]))
        return
    if sys.argv[1:2] == ["--crawl"]:
        crawl(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
        return
    parser = argparse.ArgumentParser(description="Measure Scrapy over HTTPS.")
    parser.add_argument("--pages", type=int, default=PAGES, help=f"{PAGES:,} if unset")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"at least 2; {ROUNDS} if unset")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the samples there too")
    arguments = parser.parse_args()
    if arguments.rounds < 2:
        parser.error("one round has no quartiles")
    if not find_spec("scrapy"):
        sys.exit("Scrapy isn't there: pip install scrapy")
    compare(arguments.pages, arguments.rounds, arguments.json)


if __name__ == "__main__":
    main()
