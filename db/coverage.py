"""What market data there is: counts, ends, gaps and sources of each series."""

import msgspec

from db.connection import Connection
from db.tape import Tape

GAPS_SHOWN = 50


class Coverage(msgspec.Struct, frozen=True):
    """What there is of one series; all instants are UTC ms.

    `gaps` are its first missing stretches [from, to), `missing` counts the rows they lack, `revisions` the
    versions beyond the first of a row. `interval_ms` is None where the table has none (funding): then it has
    no gaps either, its steps being what the venue made them.
    """

    symbol: str
    interval_ms: int | None
    rows: int
    first_ts: int
    last_ts: int
    revisions: int
    missing: int
    gap_count: int
    gaps: tuple[tuple[int, int], ...]
    sources: tuple[str, ...]


async def load_coverage(connection: Connection, tape: Tape, symbol: str | None = None) -> list[Coverage]:
    """Describe every series of a tape, or those of one symbol, by symbol and interval."""
    rows = await connection.fetch(_coverage_sql(tape), symbol)
    return [
        Coverage(**{**row, "gaps": tuple(map(tuple, row["gaps"] or ())), "sources": tuple(row["sources"])})
        for row in rows
    ]


async def has_data(connection: Connection) -> bool:
    """Whether there is any market data at all."""
    found: bool = await connection.fetchval(
        "select exists (select from bars) or exists (select from mark_prices)"
        " or exists (select from funding_rates) or exists (select from news)"
    )
    return found


class NewsCoverage(msgspec.Struct, frozen=True):
    """What news there is of one source: how many stories, the first and last publication (UTC ms)."""

    source: str
    rows: int
    first_ts: int
    last_ts: int


async def load_news_coverage(connection: Connection, symbol: str | None = None) -> list[NewsCoverage]:
    """Count the stories of each source, or those of them that name a symbol; the fullest source first."""
    rows = await connection.fetch(
        "select source, count(*), min(published_at), max(published_at) from news"
        " where $1::text is null or $1 = any (symbols) group by source order by count(*) desc, source",
        symbol,
    )
    return [NewsCoverage(*row) for row in rows]


def _coverage_sql(tape: Tape) -> str:
    interval = "interval_ms" if "interval_ms" in tape.scope else "null::bigint"
    return f"""
with versions as (
  select symbol, {interval} as interval_ms, {tape.at} as ts from {tape.table}
  where $1::text is null or symbol = $1
), steps as (
  select *, lag(ts) over (partition by symbol, interval_ms order by ts) as before from versions
), summary as (
  select symbol, interval_ms, count(*) filter (where before is distinct from ts) as rows,
    min(ts) as first_ts, max(ts) as last_ts, count(*) filter (where before = ts) as revisions,
    coalesce(sum((ts - before) / interval_ms - 1) filter (where ts - before > interval_ms), 0)::bigint
      as missing,
    count(*) filter (where ts - before > interval_ms) as gap_count,
    (array_agg(array[before + interval_ms, ts] order by ts)
      filter (where ts - before > interval_ms))[1:{GAPS_SHOWN}][1:2] as gaps
  from steps group by symbol, interval_ms
), origins as (
  select symbol, interval_ms, array_agg(source order by source) as sources
  from (select distinct symbol, {interval} as interval_ms, source from {tape.table}
        where $1::text is null or symbol = $1) s
  group by 1, 2
)
select s.*, o.sources from summary s
join origins o on o.symbol = s.symbol and o.interval_ms is not distinct from s.interval_ms
order by s.symbol, s.interval_ms
"""
