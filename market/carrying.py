"""Market data that goes from one machine to another as it is: every version of every row, with when it was known.

Other than an import, which says when a row became known here, this keeps what was said there. It only ever adds: where
a series is already there, what comes must agree with it row by row, so that nobody's file changes anybody's data.
"""

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
import numpy as np

from config import instruments as snapshot
from db.connection import Connection
from db.made_up import SYNTHETIC, lock_symbol
from db.market import InstrumentRow, load_instruments, save_instruments
from db.news import NewsRow, copy_in_news, stories
from db.tape import Rows, Tape, load, put
from domain.time import INTERVALS_MS, format_interval, iso, parse_ts
from market.importing import make_room
from market.instruments import from_row
from market.tidy import checks
from market.tidy.problems import Problems, TidyError

MOST_USD = Decimal(10) ** 15
LAST_INSTANT = parse_ts("9000-01-01")
"""No row is of later than this; after the year 9999 an instant can't be written."""

Sources = list[tuple[str, int]]
"""Where rows are from, in their order: (source, how many)."""


class Series(msgspec.Struct, frozen=True):
    """Rows of one series, ascending by instant and then by when they were known."""

    tape: Tape
    symbol: str
    interval_ms: int | None
    rows: Rows
    sources: Sources

    @property
    def name(self) -> str:
        """What it is called in messages."""
        interval = "" if self.interval_ms is None else f"{format_interval(self.interval_ms)} "
        return f"{interval}{self.tape.table.replace('_', ' ')} of {self.symbol}"

    @property
    def scope(self) -> tuple[Any, ...]:
        """What names it in its table."""
        return (self.symbol,) if self.interval_ms is None else (self.symbol, self.interval_ms)


def check_series(series: Series, now_ms: int) -> None:
    """See that rows are what an import would take. Raises TidyError, in one line."""
    rows, at = series.rows, series.rows[series.tape.at]
    has_interval = "interval_ms" in series.tape.scope
    if has_interval != (series.interval_ms is not None) or has_interval != (
        series.interval_ms in INTERVALS_MS.values()
    ):
        raise TidyError(f"{series.tape.table} of {series.symbol} has no interval that there is")
    known = rows["available_at"]
    steps = np.diff(at)
    if not ((steps > 0) | ((steps == 0) & (np.diff(known) > 0))).all() or (at < 0).any():
        raise TidyError(f"the {series.name} are not in order")
    if (known >= LAST_INSTANT).any():
        raise TidyError(f"the {series.name} reach beyond {iso(LAST_INSTANT)[:4]}")
    if (known < at + (series.interval_ms or 0)).any():
        raise TidyError(f"the {series.name} were known before they were over")
    problems = Problems()
    if SYNTHETIC not in dict(series.sources):
        checks.check_past(known, at, now_ms, problems)
    if series.interval_ms is None:
        checks.check_rates(rows["rate"], problems)
    else:
        checks.check_grid(at, series.interval_ms, problems)
        columns = {name: rows[name] for name in series.tape.values}
        checks.check_prices(columns, problems)
        checks.check_exact(series.name, columns)
        if "volume" in columns:
            checks.check_volume(columns["volume"], problems)
    problems.raise_if_any(lambda row: f"{series.name}, row {row + 1}")


async def carry_in(connection: Connection, series: Series) -> int:
    """Write what is not there yet, as the worker, as part of the connection's transaction; gives how many rows.

    Raises TidyError when the series is there and has other rows at those instants, and where made-up data would meet
    real data.
    """
    rows, at = series.rows, series.rows[series.tape.at]
    if not len(rows):
        return 0
    await lock_symbol(connection, series.symbol)
    for source in dict(series.sources):
        await make_room(connection, series.symbol, source)
    existing = await load(connection, series.tape, series.scope, int(at[0]), int(at[-1]) + 1)
    there, coming = set(existing.tolist()), rows.tolist()
    is_new = np.array([row not in there for row in coming])
    if strange := there.difference(coming):
        place = (rows.dtype.names or ()).index(series.tape.at)
        when = iso(min(row[place] for row in strange))
        raise TidyError(
            f"the {series.name} that are here have another row at {when}; use another AGENTIC_HOME for this run"
        )
    start = 0
    for source, count in series.sources:
        part = slice(start, start + count)
        if is_new[part].any():
            await put(connection, series.tape, series.scope, rows[part][is_new[part]], source)
        start += count
    return int(np.count_nonzero(is_new))


def check_instrument(row: InstrumentRow) -> None:
    """See that an instrument's facts can be. Raises TidyError."""
    try:
        if row.symbol not in snapshot.load():
            snapshot.find(row.symbol, sz_decimals=row.sz_decimals, max_leverage=row.max_leverage)
        tiers = from_row(row).tiers
        bounds = [tier.lower_bound_usd for tier in tiers]
        can_be = all(map(Decimal.is_finite, bounds)) and bounds == sorted(bounds)
        can_be = can_be and all(0 <= bound <= MOST_USD for bound in bounds)
        can_be = can_be and all(type(tier.max_leverage) is int and tier.max_leverage >= 1 for tier in tiers)
    except snapshot.UnknownInstrument as error:
        raise TidyError(str(error)) from error
    except (TypeError, ValueError, InvalidOperation) as error:
        raise TidyError(f"the margin tiers of {row.symbol} can't be read") from error
    if not can_be or not 0 <= row.as_of < LAST_INSTANT:
        raise TidyError(f"the margin tiers of {row.symbol} are none that can be")


def check_news(rows: Sequence[NewsRow], now_ms: int) -> None:
    """See that stories were known after they were published, and by now. Raises TidyError."""
    for row in rows:
        last = LAST_INSTANT if row.source == SYNTHETIC else now_ms
        seen = row.published_at if row.first_seen_at is None else row.first_seen_at
        if not 0 <= row.published_at <= row.available_at <= last or not 0 <= seen <= row.available_at:
            raise TidyError(f"the story {row.id[:60]!r} was known before it was published, or is not yet")


async def carry_in_instrument(connection: Connection, row: InstrumentRow) -> None:
    """Keep an instrument's facts where none are known, as the worker. Raises TidyError when others are."""
    kept = (await load_instruments(connection)).get(row.symbol)
    known = snapshot.load().get(row.symbol) if kept is None else from_row(kept)
    if known is not None and known != from_row(row):
        raise TidyError(
            f"the facts of {row.symbol} (lots, leverage, margin tiers) are others here ({known.source}, not "
            f"{row.source[:80]}); use another AGENTIC_HOME for this run"
        )
    if kept is None:
        await save_instruments(connection, [row])


async def carry_in_news(connection: Connection, rows: Sequence[NewsRow]) -> None:
    """Keep stories that are not there yet, as the worker. Raises TidyError when one is there in other words."""
    there = await stories(connection, [(row.source, row.id) for row in rows])
    for row in rows:
        known = there.get((row.source, row.id))
        if known is not None and known != row:
            raise TidyError(
                f"the story {row.id[:60]!r} of {row.source[:60]} is here in other words; "
                "use another AGENTIC_HOME for this run"
            )
    await copy_in_news(connection, [row for row in rows if (row.source, row.id) not in there])
