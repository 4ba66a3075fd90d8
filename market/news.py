"""News as an agent may read it: of an instant, of its symbols or of none, and no further back than thirty days.

What is only derived from a story (its sentiment, its category) is not shown: when it was derived is not known, and it
may well have been after the price moved.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import db.news
from db.connection import Connection
from db.news import NewsRow
from domain.time import DAY_MS

NEWS_BACK_MS = 30 * DAY_MS
"""How far back news is seen, so that what is seen does not depend on where an archive begins."""

MOST_TITLE, MOST_BODY = 2_000, 8_000
"""How many characters of a story are kept at hand; no agent is shown as many."""


class NewsSource(Protocol):
    """Where stories are found. All instants are UTC ms; the stories became known in [since, as_of].

    They are of any of `symbols` or of none, and as an agent may see them.
    """

    async def latest(self, as_of: int, since: int, symbols: Sequence[str], limit: int) -> list[NewsRow]:
        """The newest, newest first."""

    async def search(
        self, query: str, as_of: int, since: int, symbols: Sequence[str], limit: int
    ) -> list[NewsRow]:
        """Those that fit the words best, best first."""


class StoredNews:
    """All stories of the database. `connect` gives a connection for a moment, as `Database.as_worker` does."""

    def __init__(self, connect: Callable[[], AbstractAsyncContextManager[Connection]]) -> None:
        self._connect = connect

    async def latest(self, as_of: int, since: int, symbols: Sequence[str], limit: int) -> list[NewsRow]:
        async with self._connect() as connection:
            rows = await db.news.latest_news(
                connection, as_of, symbols=symbols, general=True, since=since, limit=limit
            )
        return [shown(row) for row in rows]

    async def search(
        self, query: str, as_of: int, since: int, symbols: Sequence[str], limit: int
    ) -> list[NewsRow]:
        async with self._connect() as connection:
            rows = await db.news.search_news(
                connection, query, as_of, symbols=symbols, general=True, since=since, limit=limit
            )
        return [shown(row) for row in rows]


class RunNews:
    """The stories of one run, at hand; what is imported while it goes on is not among them.

    `archive` is searched by words and may hold more; what it finds besides is left out. Without it nothing is found.
    """

    def __init__(self, rows: Sequence[NewsRow], archive: NewsSource | None) -> None:
        self._rows = sorted(map(shown, rows), key=lambda row: (-row.available_at, row.source, row.id))
        self._ages = [-row.available_at for row in self._rows]
        self._named = {(row.source, row.id): row for row in self._rows}
        self._archive = archive

    def __len__(self) -> int:
        return len(self._rows)

    async def latest(self, as_of: int, since: int, symbols: Sequence[str], limit: int) -> list[NewsRow]:
        """The newest, newest first; the database is not asked."""
        found: list[NewsRow] = []
        for index in range(bisect_left(self._ages, -as_of), len(self._rows)):
            row = self._rows[index]
            if row.available_at < since or len(found) == limit:
                break
            if not row.symbols or not set(symbols).isdisjoint(row.symbols):
                found.append(row)
        return found

    async def search(
        self, query: str, as_of: int, since: int, symbols: Sequence[str], limit: int
    ) -> list[NewsRow]:
        """Those that fit the words best, best first, as if the archive held no others."""
        asked = limit
        while self._archive is not None:
            rows = await self._archive.search(query, as_of, since, symbols, asked)
            found = [self._named[key] for row in rows if (key := (row.source, row.id)) in self._named]
            if len(found) >= limit or len(rows) < asked:
                return found[:limit]
            asked *= 2  # strangers took the places of ours
        return []


def shown(row: NewsRow) -> NewsRow:
    """A story without what was derived from it, and no longer than anybody reads."""
    body = row.body and row.body[:MOST_BODY]
    return row._replace(title=row.title[:MOST_TITLE], body=body, category=None, sentiment=None)
