"""A row whose work a whole program does, once in each round."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter

from harness.context import Context
from harness.peers import check_installed
from harness.processes import Child, cpus
from harness.rows import OURS, Failed, Round, Row, Sample


@dataclass(frozen=True)
class Starting:
    """From the start of the interpreter to the end of a program that makes one call."""

    @contextmanager
    def open(self, context: Context, row: Row, peer: str) -> Iterator[Round]:
        check_installed(peer, row.needs)

        def measured() -> Sample:
            began = perf_counter()
            words = ("-m", "applications.start", row.face, context.name(peer))
            with context.start("a program", peer, *words) as child:
                told = child.answer(context.options.patience)
                child.finish(context.options.patience)
                wall = perf_counter() - began
            return Sample(wall, told["cpu"], told["bytes"])

        yield measured

    def seconds(self, context: Context) -> float:
        return 0.5


@dataclass(frozen=True)
class Switching:
    """A program that does nothing, with `python -m tornado4` and without."""

    @contextmanager
    def open(self, context: Context, row: Row, peer: str) -> Iterator[Round]:
        check_installed(peer, row.needs)
        code = "import time; print('{\"cpu\": %r}' % time.process_time())"
        switch = ("-m", "tornado4") if context.name(peer) == OURS else ()

        def measured() -> Sample:
            began = perf_counter()
            with context.start("a program", peer, *switch, "-c", code) as child:
                told = child.answer(context.options.patience)
                child.finish(context.options.patience)
                return Sample(perf_counter() - began, told["cpu"])

        yield measured

    def seconds(self, context: Context) -> float:
        return 0.3


@dataclass(frozen=True)
class Scraping:
    """Scrapy fetches pages from a server that is the same for all."""

    pages: int
    tls: bool

    @contextmanager
    def open(self, context: Context, row: Row, peer: str) -> Iterator[Round]:
        check_installed(peer, row.needs)
        patience = context.options.patience
        programs = context.programs
        folder = str(programs.certificate.parent if self.tls else programs.folder)
        work = "tls-pages" if self.tls else "pages"
        command = [sys.executable, "-m", "servers.serve_asyncio", "asyncio", work, folder]
        with Child("the server of pages", command, cpus()[1]) as server:
            port = server.answer(patience)["port"]
            scheme = "https" if self.tls else "http"
            words = ("-m", "applications.scrape", context.name(peer))

            def measured() -> Sample:
                url = f"{scheme}://127.0.0.1:{port}/"
                program = context.start("Scrapy", peer, *words, url, str(self.pages))
                with program as crawler:
                    told = crawler.answer(10 * patience)
                    crawler.finish(patience)
                if told["pages"] != self.pages:
                    raise Failed(f"Scrapy got {told['pages']} of {self.pages} pages")
                wall, cpu = told["wall"] / self.pages, told["cpu"] / self.pages
                return Sample(wall, cpu, transport=told["reactor"])

            yield measured

    def seconds(self, context: Context) -> float:
        return 1.0 + self.pages / 500


@dataclass(frozen=True)
class Tripping:
    """Dask: a client, a scheduler and a worker on one loop."""

    tasks: int
    together: bool

    @contextmanager
    def open(self, context: Context, row: Row, peer: str) -> Iterator[Round]:
        check_installed(peer, row.needs)

        def measured() -> Sample:
            how = "together" if self.together else "alone"
            words = ("-m", "applications.trips", context.name(peer), how, str(self.tasks))
            with context.start("Dask", peer, *words, pinned=False) as program:
                told = program.answer(3 * context.options.patience)
                program.finish(context.options.patience)
            latencies: dict[str, float] = {
                name: told[name] for name in ("p50", "p99") if name in told
            }
            return Sample(told["wall"] / self.tasks, told["cpu"] / self.tasks, latencies=latencies)

        yield measured

    def seconds(self, context: Context) -> float:
        return 2.0 + self.tasks / 400


@dataclass(frozen=True)
class Moving:
    """Dask: data goes from one worker process to another."""

    megabytes: int

    @contextmanager
    def open(self, context: Context, row: Row, peer: str) -> Iterator[Round]:
        check_installed(peer, row.needs)

        def measured() -> Sample:
            words = ("-m", "applications.move", context.name(peer), str(self.megabytes))
            with context.start("Dask", peer, *words, pinned=False) as program:
                told = program.answer(6 * context.options.patience)
                program.finish(context.options.patience)
            return Sample(told["wall"] / self.megabytes, told["cpu"] / self.megabytes)

        yield measured

    def seconds(self, context: Context) -> float:
        return 5.0 + self.megabytes / 200
