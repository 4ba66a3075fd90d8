"""Where news is kept, found by recency and by words, as it was known at an instant.

All instants are UTC ms. A story is kept as it first came; one that comes again changed is counted and not
replaced, so that what an agent was shown stays what it was.
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from db.connection import Connection
from db.tape import IMPORT_TIMEOUT_S, Counts


class NewsRow(NamedTuple):
    """One story. It may be shown from `available_at` on; `sentiment` is any JSON value."""

    source: str
    id: str
    published_at: int
    first_seen_at: int | None
    available_at: int
    title: str
    body: str | None
    url: str | None
    symbols: list[str]
    category: str | None
    sentiment: Any


QUERY_MAX_CHARS = 1_000
_STRAY_MINUS = re.compile(r'-(?![\w"])')
_COLUMNS = ", ".join(NewsRow._fields)
_FILTER = """
where available_at <= $1 and ($2::text[] is null or symbols && $2 or $4 and symbols = '{}')
  and ($3::bigint is null or available_at >= $3)
"""
_LAST = 'available_at desc, source collate "C", id collate "C"'  # the same order whatever a server's language


async def copy_in_news(connection: Connection, rows: Sequence[NewsRow]) -> Counts:
    """Append stories as the worker; `revised` counts those that came again with another title or body."""
    await connection.execute(
        f"set local statement_timeout = '{IMPORT_TIMEOUT_S:.0f}s'; "
        f"create temp table incoming_news on commit drop as select {_COLUMNS} from news with no data"
    )
    await connection.copy_records_to_table(
        "incoming_news", records=rows, columns=NewsRow._fields, timeout=IMPORT_TIMEOUT_S
    )
    revised = await connection.fetchval(
        "select count(*) from incoming_news i join news n using (source, id)"
        " where (i.title, i.body) is distinct from (n.title, n.body)"
    )
    inserted = await connection.execute(
        f"insert into news ({_COLUMNS}) select {_COLUMNS} from incoming_news"
        " order by available_at on conflict (source, id) do nothing",
        timeout=IMPORT_TIMEOUT_S,
    )
    await connection.execute("drop table incoming_news")
    new = int(inserted.rpartition(" ")[2])
    return Counts(new=new, unchanged=len(rows) - new - revised, revised=revised)


async def latest_news(
    connection: Connection,
    as_of: int,
    *,
    symbols: Sequence[str] | None = None,
    general: bool = False,
    since: int | None = None,
    limit: int = 20,
) -> list[NewsRow]:
    """Give the newest stories known at `as_of`, newest first; of any of `symbols`, known since `since`.

    With `general`, those that name no symbol are among them.
    """
    rows = await connection.fetch(
        f"select {_COLUMNS} from news {_FILTER} order by {_LAST} limit $5",
        as_of,
        symbols,
        since,
        general,
        limit,
    )
    return [NewsRow(*row) for row in rows]


async def search_news(
    connection: Connection,
    query: str,
    as_of: int,
    *,
    symbols: Sequence[str] | None = None,
    general: bool = False,
    since: int | None = None,
    limit: int = 20,
) -> list[NewsRow]:
    """Give the stories known at `as_of` that fit the words best (a title's count most), then the newest.

    `query` is written as for a search engine: words, "phrases", or, -without. Nothing in it is an error; what
    is longer than QUERY_MAX_CHARS is cut. Of a very long story the beginning is searched.
    """
    rows = await connection.fetch(
        f"select {_COLUMNS} from news, websearch_to_tsquery('english', $6) words {_FILTER}"
        " and search @@ words"
        f" order by ts_rank_cd(search, words) desc, {_LAST} limit $5",
        as_of,
        symbols,
        since,
        general,
        limit,
        _asked(query),
    )
    return [NewsRow(*row) for row in rows]


async def load_news(
    connection: Connection,
    from_ts: int,
    to_ts: int,
    *,
    symbols: Sequence[str] | None = None,
    general: bool = False,
) -> list[NewsRow]:
    """Give all stories that became known in [from, to), in the order they did."""
    rows = await connection.fetch(
        f"select {_COLUMNS} from news where available_at >= $1 and available_at < $2"
        " and ($3::text[] is null or symbols && $3 or $4 and symbols = '{}')"
        ' order by available_at, source collate "C", id collate "C"',
        from_ts,
        to_ts,
        symbols,
        general,
    )
    return [NewsRow(*row) for row in rows]


async def stories(connection: Connection, named: Sequence[tuple[str, str]]) -> dict[tuple[str, str], NewsRow]:
    """Give the stories of these sources and ids, as far as they are there."""
    rows = await connection.fetch(
        f"select {_COLUMNS} from news join unnest($1::text[], $2::text[]) wanted (source, id) using (source, id)",
        [source for source, _ in named],
        [story for _, story in named],
        timeout=IMPORT_TIMEOUT_S,
    )
    return {(row["source"], row["id"]): NewsRow(*row) for row in rows}


def _asked(query: str) -> str:
    """A query without what Postgres refuses: too many words, NUL, half characters, a minus before no word."""
    whole = query[:QUERY_MAX_CHARS].replace("\0", " ").encode("utf-8", "replace").decode("utf-8")
    return _STRAY_MINUS.sub(" ", whole)
