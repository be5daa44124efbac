"""All the rows there are, and how they are chosen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from fnmatch import fnmatchcase

from applications import rows as application_rows
from calls import asyncio_work, awaiting_work, threads_work, tornado_work, twisted_work
from servers import asyncio_rows, growth_rows, tls_rows, tornado_rows, twisted_rows

from .rows import Row

# In the order in which they are measured and told.
ROWS: list[Row] = [
    *twisted_rows.ROWS,
    *asyncio_rows.ROWS,
    *tornado_rows.ROWS,
    *tls_rows.ROWS,
    *asyncio_work.ROWS,
    *threads_work.ROWS,
    *twisted_work.ROWS,
    *tornado_work.ROWS,
    *awaiting_work.ROWS,
    *growth_rows.ROWS,
    *application_rows.ROWS,
]
GROUPS = tuple(dict.fromkeys(row.group for row in ROWS))
FACES = tuple(dict.fromkeys(row.face for row in ROWS))


class Unknown(ValueError):
    """Nothing is called like that."""


def find(name: str) -> Row:
    """Find the row of that name."""
    return next(row for row in ROWS if row.name == name)


def chosen(words: Iterable[str], quick: bool = False) -> list[Row]:
    """Find the rows that any of the words names: a row, a group, a face, or a pattern.

    :raises Unknown: No row is called like one of them.
    """
    if not words:
        return [row for row in ROWS if row.quick or not quick]
    found: set[str] = set()
    for word in words:
        matched = {row.name for row in ROWS if _matches(row, word)}
        if not matched and "," in word:
            matched = {row.name for row in chosen([it.strip() for it in word.split(",")])}
        if not matched:
            raise Unknown(f"no row, group or face is called {word!r}; --list shows them all")
        found |= matched
    return [row for row in ROWS if row.name in found]


def _matches(row: Row, word: str) -> bool:
    return any(fnmatchcase(name, word) for name in (row.name, row.group, row.face))


def with_peers(rows: list[Row], names: Iterable[str]) -> list[Row]:
    """Keep those peers only, and ours; rows that have none of them are left out.

    A ``module:function`` that makes an asyncio loop is a peer more in asyncio's rows.

    :raises Unknown: No peer is called like one of them.
    """
    names = [name for word in names for name in word.split(",") if name]
    if not names:
        return rows
    known = {peer for row in ROWS for peer in row.peers}
    if unknown := [name for name in names if name not in known and ":" not in name]:
        there_are = ", ".join(sorted(known))
        raise Unknown(f"no peer is called {', '.join(unknown)}; there are {there_are}")
    own = tuple(name for name in names if ":" in name)
    kept = []
    for row in rows:
        peers = tuple(peer for peer in row.peers if peer in names or peer == row.ours)
        if row.face == "asyncio":
            peers += own
        if len(peers) > 1:
            kept.append(replace(row, peers=peers))
    return kept
