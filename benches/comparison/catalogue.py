"""All the work there is."""

from __future__ import annotations

from . import asyncio_work, tornado_work, twisted_work

WORK = {
    work.title: work
    for works in (asyncio_work.WORK, twisted_work.WORK, tornado_work.WORK)
    for work in works
}
