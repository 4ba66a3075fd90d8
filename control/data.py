"""Market data, as a person asks for it: bring it in, make it up, see what there is, search the news."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import msgspec

from config.instruments import UnknownInstrument
from control.errors import Invalid
from db.coverage import Coverage, NewsCoverage, has_data, load_coverage, load_news_coverage
from db.ingest_cursors import SourceRow, load_sources
from db.market import BARS, FUNDING_RATES, MARKS
from db.news import NewsRow, latest_news, search_news
from db.pool import Database
from domain.time import Clock, format_interval, iso
from market.importing import (
    Imported,
    Kept,
    NewsImported,
    Tell,
    Wanted,
    import_news,
    import_series,
    keep_made_up,
)
from market.instruments import find_instrument
from market.synth import make_up

MOST_BARS_MADE_UP = 2_000_000
MOST_STORIES = 200


class Whole(msgspec.Struct, frozen=True):
    """All market data there is, or all of one symbol; and how the sources fare from which it keeps coming in."""

    bars: list[Coverage]
    mark: list[Coverage]
    funding: list[Coverage]
    news: list[NewsCoverage]
    sources: list[SourceRow] = []


class MadeUpRequest(msgspec.Struct, frozen=True):
    """What is to be made up: the bars of a symbol that open in [from, to), from a seed."""

    symbol: str
    interval_ms: int
    from_ts: int
    to_ts: int
    seed: int
    sz_decimals: int | None = None
    max_leverage: int | None = None


async def bring_in(database: Database, clock: Clock, wanted: Wanted, tell: Tell) -> Imported:
    """Import tidy files of bars, marks or funding, all rows or none.

    Raises TidyError, Invalid or DatabaseError, in one line.
    """
    with _plainly():
        return await import_series(database, clock, wanted, tell)


async def bring_in_news(database: Database, clock: Clock, paths: Sequence[Path], tell: Tell) -> NewsImported:
    """Import files of news, all stories or none. Raises TidyError or DatabaseError, in one line."""
    return await import_news(database, clock, paths, tell)


async def make_up_data(database: Database, clock: Clock, request: MadeUpRequest, tell: Tell) -> Kept:
    """Make up bars, marks, funding and news of a symbol, in place of what was made up of it before.

    Raises Invalid for a range or a symbol that can't be, TidyError when the symbol has real data.
    """
    _check(request)
    with _plainly():
        async with database.as_worker() as connection:
            instrument = await find_instrument(
                connection,
                request.symbol,
                sz_decimals=request.sz_decimals,
                max_leverage=request.max_leverage,
            )
    tell(f"making up {(request.to_ts - request.from_ts) // request.interval_ms:,} bars")
    made = await asyncio.to_thread(
        make_up, instrument, request.interval_ms, request.from_ts, request.to_ts, request.seed
    )
    tell(f"storing {len(made.bars):,} bars")
    return await keep_made_up(database, clock, instrument, request.interval_ms, made)


async def look_over(database: Database, user_id: UUID, symbol: str | None = None) -> Whole:
    """Say what market data there is, with its gaps; nothing where there is none."""
    async with database.as_worker() as connection:  # sources are nobody's
        sources = await load_sources(connection)
    async with database.as_user(user_id) as connection:
        return Whole(
            bars=await load_coverage(connection, BARS, symbol),
            mark=await load_coverage(connection, MARKS, symbol),
            funding=await load_coverage(connection, FUNDING_RATES, symbol),
            news=await load_news_coverage(connection, symbol),
            sources=sources,
        )


async def has_any(database: Database, user_id: UUID) -> bool:
    """Say whether there is any market data at all."""
    async with database.as_user(user_id) as connection:
        return await has_data(connection)


async def find_news(
    database: Database,
    user_id: UUID,
    words: str,
    *,
    as_of: int,
    symbol: str | None = None,
    limit: int = 20,
) -> list[NewsRow]:
    """The stories known at `as_of` (UTC ms) that fit the words best; without words, the newest."""
    if not 1 <= limit <= MOST_STORIES:
        raise Invalid(f"--limit must be 1 to {MOST_STORIES}, was {limit}")
    symbols = [symbol] if symbol else None
    async with database.as_user(user_id) as connection:
        if not words.strip():
            return await latest_news(connection, as_of, symbols=symbols, limit=limit)
        return await search_news(connection, words, as_of, symbols=symbols, limit=limit)


def _check(request: MadeUpRequest) -> None:
    interval = format_interval(request.interval_ms)
    for name, ts in (("--from", request.from_ts), ("--to", request.to_ts)):
        if ts % request.interval_ms:
            raise Invalid(
                f"{name} {iso(ts)} is not the open of a {interval} bar; bars open at its multiples in UTC"
            )
        if ts < 0:
            raise Invalid(f"{name} {iso(ts)} is before 1970, where times begin here")
    bars = (request.to_ts - request.from_ts) // request.interval_ms
    if bars < 1:
        raise Invalid(f"--to {iso(request.to_ts)} must be later than --from {iso(request.from_ts)}")
    if bars > MOST_BARS_MADE_UP:
        raise Invalid(f"that is {bars:,} bars; at most {MOST_BARS_MADE_UP:,} are made up at once")
    if request.seed < 0:
        raise Invalid(f"--seed must be 0 or more, was {request.seed}")


@contextmanager
def _plainly() -> Iterator[None]:
    """Let what is wrong with a symbol out as a refusal."""
    try:
        yield
    except UnknownInstrument as error:
        raise Invalid(str(error)) from error
