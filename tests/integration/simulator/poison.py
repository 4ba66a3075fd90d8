"""A market whose every later row can be made absurd, for tests that nothing of what comes later is known."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from db.connection import Connection
from db.news import NewsRow, copy_in_news
from db.pool import Database
from domain.time import HOUR_MS, MINUTE_MS
from market.news import StoredNews
from tests.integration.simulator.samples import T0, keep_market

QUARTER_MS = 15 * MINUTE_MS
FROM = T0 + 24 * HOUR_MS

HEAD = "open = 0.123457, high = 987654.3, low = 0.123457, close = 55555.55"
POISON = f"""
update bars set {HEAD}, volume = 1e9 where available_at > $t;
update mark_prices set {HEAD} where available_at > $t;
update funding_rates set rate = 0.3 where available_at > $t;
update news set title = 'BTC: absurd', body = 'moon' where available_at > $t;
insert into bars (symbol, interval_ms, ts, available_at, open, high, low, close, volume, source)
  select symbol, interval_ms, ts, $t + 1, 0.000001, 0.000003, 0.000001, 0.000002, 7, source
  from bars where available_at <= $t;
insert into mark_prices (symbol, interval_ms, ts, available_at, open, high, low, close, source)
  select symbol, interval_ms, ts, $t + 1, 0.1, 0.3, 0.1, 0.2, source from mark_prices where available_at <= $t;
insert into funding_rates (symbol, settled_at, ts, available_at, rate, source)
  select symbol, settled_at, ts, $t + 1, 0.9, source from funding_rates where available_at <= $t;
insert into news (source, id, published_at, available_at, title, symbols)
  select source, 'absurd ' || id, published_at, $t + 1, title || ' absurd', symbols from news
  where available_at <= $t;
update news set sentiment = '9', category = 'absurd'
"""
"""All that was not known at $t becomes absurd, and all that was known gets an absurd version that is seen after it.

What was derived from a story, nobody knows when, becomes absurd too.
"""


async def keep_much(database: Database) -> None:
    """Keep two symbols with hours to see, quarters to fill on, marks, funding, and a story an hour."""
    for symbol in ("BTC", "ETH"):
        await keep_market(database, symbol, hours=100)
        await keep_market(database, symbol, hours=100, interval_ms=QUARTER_MS, marks=True, funding=False)
    stories = [
        NewsRow(
            "wire", str(n), ts, None, ts, f"BTC {n}", "moves", None, [["BTC"], ["ETH"], []][n % 3], "up", 1
        )
        for n, ts in enumerate(range(T0, T0 + 100 * HOUR_MS, HOUR_MS))
    ]
    async with database.as_worker() as connection:
        await copy_in_news(connection, stories)


@asynccontextmanager
async def poisoned(admin: Connection, ts: int) -> AsyncIterator[None]:
    """While this lasts, all data after an instant is absurd."""
    transaction = admin.transaction()
    await transaction.start()
    await admin.execute(POISON.replace("$t", str(ts)))
    yield
    await transaction.rollback()


def archive(admin: Connection) -> StoredNews:
    """All news as one connection sees it, in the middle of its transaction."""

    @asynccontextmanager
    async def connect() -> AsyncIterator[Connection]:
        yield admin

    return StoredNews(connect)
