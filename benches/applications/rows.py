"""The rows of whole programs."""

from __future__ import annotations

from harness.peers import ASYNCIO_REACTOR, EPOLL, UVLOOP_REACTOR
from harness.rows import BYTES, OURS, Row

from .work import Moving, Scraping, Starting, Switching, Tripping

LOOPS = (OURS, "asyncio", "uvloop")
REACTORS = (OURS, EPOLL, ASYNCIO_REACTOR, UVLOOP_REACTOR)
PAGES = 2_000


def _start(face: str, peers: tuple[str, ...], what: str) -> list[Row]:
    title = f"{what} that makes one call"
    return [
        Row(
            face,
            "start",
            f"{face}-start",
            f"{title}: from start to end",
            Starting(),
            peers,
            unit="programs",
            quick=face == "twisted",
        ),
        Row(
            face,
            "memory",
            f"{face}-start-memory",
            f"{title}: memory",
            Starting(),
            peers,
            unit="",
            by=BYTES,
            rounds=3,
        ),
    ]


SWITCH = Row(
    "asyncio",
    "start",
    "switch-start",
    "a program that does nothing, started by python -m tornado4; asyncio: by python",
    Switching(),
    (OURS, "asyncio"),
    unit="programs",
)


def _scrapy(tls: bool) -> Row:
    scheme = "HTTPS" if tls else "HTTP"
    return Row(
        "twisted",
        "applications",
        f"scrapy-{scheme.lower()}",
        f"Scrapy, {PAGES:,} pages of 900 bytes over {scheme}, 32 requests at a time",
        Scraping(PAGES, tls),
        (OURS, ASYNCIO_REACTOR, UVLOOP_REACTOR),
        unit="pages",
        needs=("scrapy",),
        rounds=3,
    )


def _dask(together: bool, tasks: int) -> Row:
    return Row(
        "tornado",
        "applications",
        "dask-together" if together else "dask-alone",
        f"Dask, {tasks:,} tasks, " + ("all at once" if together else "each after the other"),
        Tripping(tasks, together),
        LOOPS,
        unit="tasks",
        needs=("distributed",),
        rounds=3,
    )


MOVED = Row(
    "tornado",
    "applications",
    "dask-move",
    "Dask, 1 GB from one worker process to another",
    Moving(1_000),
    LOOPS,
    unit="MB",
    needs=("distributed",),
    rounds=3,
)

ROWS = [
    *_start("asyncio", LOOPS, "a program on asyncio"),
    *_start("twisted", REACTORS, "a program on Twisted"),
    *_start("tornado", LOOPS, "a program on Tornado"),
    SWITCH,
    _scrapy(False),
    _scrapy(True),
    _dask(False, 500),
    _dask(True, 1_000),
    MOVED,
]
