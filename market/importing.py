"""From tidy files to the database: all of a command's rows in one transaction, or none of them."""

import asyncio
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path

import msgspec

from db.connection import Connection
from db.made_up import SYNTHETIC, forget_made_up, lock_symbol, real_source
from db.market import BARS, FUNDING_RATES, MARKS, copy_in_bars, copy_in_funding, copy_in_marks
from db.news import NewsRow, copy_in_news
from db.pool import Database
from db.tape import Counts, another_source
from domain.instruments import Instrument
from domain.news import news_available_at
from domain.time import Clock
from market.instruments import find_instrument, keep_instrument
from market.sources import name_source
from market.synth import MadeUp
from market.tidy.news import Stories, read_news
from market.tidy.problems import TidyError
from market.tidy.series import Gaps, Rows, Series, read_bars, read_funding, read_marks

_NO_SENTIMENT = (msgspec.Raw(), msgspec.Raw(b"null"))

Tell = Callable[[str], None]
"""Is told what is being done now, in a few words."""


class Kind(StrEnum):
    """What a series holds."""

    BARS = "bars"
    MARK = "mark"
    FUNDING = "funding"


class Wanted(msgspec.Struct, frozen=True):
    """What is to be imported, and as what. Funding has no interval; the last two describe an unknown symbol."""

    kind: Kind
    paths: tuple[Path, ...]
    symbol: str
    interval_ms: int | None = None
    source: str | None = None
    sz_decimals: int | None = None
    max_leverage: int | None = None


class Imported(msgspec.Struct, frozen=True):
    """What an import of a series did. Instants are UTC ms, of the first and the last row; `gaps` are the files'.

    `replaced` counts made-up rows of the symbol, of any kind, that the real ones took the place of.
    """

    kind: Kind
    instrument: Instrument
    interval_ms: int | None
    source: str
    rows: int
    counts: Counts
    first_ts: int
    last_ts: int
    gaps: Gaps
    replaced: int


class NewsImported(msgspec.Struct, frozen=True):
    """What an import of news did. Instants are UTC ms, of the first and the last story's publication."""

    rows: int
    counts: Counts
    first_ts: int
    last_ts: int
    sources: int
    symbols: int
    unused: tuple[str, ...]


async def import_series(database: Database, clock: Clock, wanted: Wanted, tell: Tell) -> Imported:
    """Read the files, judge every row, and keep all of them or none.

    The same rows again change nothing; a row with another value is kept as a revision, known from now, unless it is
    another source's: two venues' prices in one series would let a Skill see one and trade at the other.
    Real data takes the place of all that was made up for the symbol. Raises TidyError, UnknownInstrument or
    DatabaseError, in one line.
    """
    source = name_source(wanted.paths, wanted.source)
    now_ms = clock.now_ms()
    tell("reading " + ", ".join(path.name for path in wanted.paths))
    series = await asyncio.to_thread(_read, wanted, None if source == SYNTHETIC else now_ms)
    tell(f"storing {len(series.rows):,} rows")
    async with database.as_worker() as connection:
        await lock_symbol(connection, wanted.symbol)
        instrument = await find_instrument(
            connection, wanted.symbol, sz_decimals=wanted.sz_decimals, max_leverage=wanted.max_leverage
        )
        await keep_instrument(connection, instrument, now_ms)
        replaced = await make_room(connection, wanted.symbol, source)
        counts = await copy_in(
            connection, wanted.kind, wanted.symbol, wanted.interval_ms, series.rows, source, now_ms
        )
        if counts.revised:
            await refuse_another_source(
                connection, wanted.kind, wanted.symbol, wanted.interval_ms, source, counts.revised
            )
    ts = series.rows["ts"]
    return Imported(
        kind=wanted.kind,
        instrument=instrument,
        interval_ms=wanted.interval_ms,
        source=source,
        rows=len(ts),
        counts=counts,
        first_ts=int(ts[0]),
        last_ts=int(ts[-1]),
        gaps=series.gaps,
        replaced=replaced,
    )


async def import_news(database: Database, clock: Clock, paths: Sequence[Path], tell: Tell) -> NewsImported:
    """Read the files of news, judge every story, and keep all of them or none.

    A story that is there already is left as it is. One counts as known a minute after it was published,
    since nobody has seen it come. Raises TidyError or DatabaseError, in one line.
    """
    tell("reading " + ", ".join(path.name for path in paths))
    read = await asyncio.to_thread(read_news, paths, clock.now_ms())
    tell(f"storing {len(read.stories):,} stories")
    rows = news_rows(read)
    if any(row.source == SYNTHETIC for row in rows):
        raise TidyError(f"news of the source {SYNTHETIC!r} is made up; `agentic data synth` makes it")
    async with database.as_worker() as connection:
        counts = await copy_in_news(connection, rows)
    return NewsImported(
        rows=len(rows),
        counts=counts,
        first_ts=read.published[0],
        last_ts=read.published[-1],
        sources=len({row.source for row in rows}),
        symbols=len({symbol for row in rows for symbol in row.symbols}),
        unused=read.unused,
    )


class Kept(msgspec.Struct, frozen=True):
    """What was made up and kept: how many rows of each kind, and how many earlier made-up rows had to go."""

    instrument: Instrument
    bars: int
    marks: int
    funding: int
    news: int
    replaced: int


async def keep_made_up(
    database: Database, clock: Clock, instrument: Instrument, interval_ms: int, made: MadeUp
) -> Kept:
    """Keep what was made up of a symbol, in place of what was made up of it before; all of it or nothing.

    Raises TidyError when the symbol has real data.
    """
    symbol, now_ms = instrument.symbol, clock.now_ms()
    news = news_rows(made.news)
    async with database.as_worker() as connection:
        await lock_symbol(connection, symbol)
        await keep_instrument(connection, instrument, now_ms)
        await make_room(connection, symbol, SYNTHETIC)
        replaced = await forget_made_up(connection, symbol)
        for kind, rows in ((Kind.BARS, made.bars), (Kind.MARK, made.marks), (Kind.FUNDING, made.funding)):
            await copy_in(connection, kind, symbol, interval_ms, rows, SYNTHETIC, now_ms)
        await copy_in_news(connection, news)
    return Kept(instrument, len(made.bars), len(made.marks), len(made.funding), len(news), replaced)


def news_rows(read: Stories) -> list[NewsRow]:
    """Stories as they are kept."""
    return [
        NewsRow(
            source=story.source,
            id=story.id,
            published_at=published,
            first_seen_at=None,
            available_at=news_available_at(published, None),
            title=story.title,
            body=story.body,
            url=story.url,
            symbols=story.symbols,
            category=story.category,
            sentiment=bytes(story.sentiment) if story.sentiment not in _NO_SENTIMENT else None,
        )
        for story, published in zip(read.stories, read.published, strict=True)
    ]


async def copy_in(
    connection: Connection,
    kind: Kind,
    symbol: str,
    interval_ms: int | None,
    rows: Rows,
    source: str,
    now_ms: int,
    first_seen_at: int | None = None,
) -> Counts:
    """Write a series' rows as part of the connection's transaction; what differs is known from `now_ms`.

    `first_seen_at` is when rows that were waited for came: those that were late are known from then.
    """
    if kind is Kind.FUNDING:
        return await copy_in_funding(
            connection, symbol, rows, source=source, revised_at=now_ms, first_seen_at=first_seen_at
        )
    copy = copy_in_bars if kind is Kind.BARS else copy_in_marks
    return await copy(
        connection,
        symbol,
        _interval(interval_ms),
        rows,
        source=source,
        revised_at=now_ms,
        first_seen_at=first_seen_at,
    )


async def make_room(connection: Connection, symbol: str, source: str) -> int:
    """See that real and made-up data of a symbol never meet; give how many made-up rows had to go.

    Raises TidyError when made-up data would meet real data.
    """
    if source != SYNTHETIC:
        return await forget_made_up(connection, symbol)
    if real := await real_source(connection, symbol):
        raise TidyError(
            f"{symbol} has real data (from {real}) and made-up data can't join it;"
            " use another symbol, or another AGENTIC_HOME"
        )
    return 0


async def refuse_another_source(
    connection: Connection, kind: Kind, symbol: str, interval_ms: int | None, source: str, revised: int
) -> None:
    """Let a series be revised by the source it is from, and by no other. Raises TidyError, which undoes the import."""
    tape = {Kind.BARS: BARS, Kind.MARK: MARKS, Kind.FUNDING: FUNDING_RATES}[kind]
    scope = (symbol,) if interval_ms is None else (symbol, interval_ms)
    other = await another_source(connection, tape, scope, source)
    if other is not None:
        raise TidyError(
            f"{revised:,} rows differ from those of {symbol} that are there from {other}, and a series has one "
            f"source; if these correct them, give --source {other}, else use another AGENTIC_HOME"
        )


def _read(wanted: Wanted, now_ms: int | None) -> Series:
    if wanted.kind is Kind.FUNDING:
        return read_funding(wanted.paths, now_ms)
    read = read_bars if wanted.kind is Kind.BARS else read_marks
    return read(wanted.paths, _interval(wanted.interval_ms), now_ms)


def _interval(interval_ms: int | None) -> int:
    if interval_ms is None:
        raise TidyError("bars and marks have an interval; give --interval")
    return interval_ms
