"""Where market data is kept: bars, marks, funding and the instruments, shared by everyone.

Arrays are numpy structured arrays of the dtypes below; all instants are UTC ms. Written by the worker, read
by all.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from db.connection import Connection
from db.tape import Counts, Rows, Tape, append, load

_OHLC: list[tuple[str, str]] = [("open", "<f8"), ("high", "<f8"), ("low", "<f8"), ("close", "<f8")]
_INSTANTS: list[tuple[str, str]] = [("ts", "<i8"), ("available_at", "<i8")]

BAR: np.dtype[np.void] = np.dtype([*_INSTANTS, *_OHLC, ("volume", "<f8")])
MARK: np.dtype[np.void] = np.dtype([*_INSTANTS, *_OHLC])
FUNDING: np.dtype[np.void] = np.dtype([("settled_at", "<i8"), *_INSTANTS, ("rate", "<f8")])

BARS = Tape("bars", ("symbol", "interval_ms"), "ts", ("open", "high", "low", "close", "volume"), BAR)
MARKS = Tape("mark_prices", ("symbol", "interval_ms"), "ts", ("open", "high", "low", "close"), MARK)
FUNDING_RATES = Tape("funding_rates", ("symbol",), "settled_at", ("rate",), FUNDING)


class InstrumentRow(msgspec.Struct, frozen=True):
    """A venue's instrument: `tiers` is its margin table as JSON, `assumed` says it is a guess."""

    symbol: str
    sz_decimals: int
    max_leverage: int
    tiers: Any
    assumed: bool
    source: str
    as_of: int


async def copy_in_bars(
    connection: Connection,
    symbol: str,
    interval_ms: int,
    bars: Rows,
    *,
    source: str,
    revised_at: int,
    first_seen_at: int | None = None,
) -> Counts:
    """Append trade bars (fields `ts`, open time, and `open` to `volume`), known from their close.

    `revised_at` is when a differing value became known, `first_seen_at` when late rows were seen. See
    `tape.append`.
    """
    return await append(
        connection,
        BARS,
        (symbol, interval_ms),
        bars,
        source=source,
        known_after_ms=interval_ms,
        revised_at=revised_at,
        first_seen_at=first_seen_at,
    )


async def copy_in_marks(
    connection: Connection,
    symbol: str,
    interval_ms: int,
    marks: Rows,
    *,
    source: str,
    revised_at: int,
    first_seen_at: int | None = None,
) -> Counts:
    """Append mark price bars (fields `ts`, `open` to `close`); otherwise as `copy_in_bars`."""
    return await append(
        connection,
        MARKS,
        (symbol, interval_ms),
        marks,
        source=source,
        known_after_ms=interval_ms,
        revised_at=revised_at,
        first_seen_at=first_seen_at,
    )


async def copy_in_funding(
    connection: Connection,
    symbol: str,
    rates: Rows,
    *,
    source: str,
    revised_at: int,
    first_seen_at: int | None = None,
) -> Counts:
    """Append funding rates (fields `settled_at`, `ts`, `rate`), known from their settlement hour."""
    return await append(
        connection,
        FUNDING_RATES,
        (symbol,),
        rates,
        source=source,
        known_after_ms=0,
        revised_at=revised_at,
        first_seen_at=first_seen_at,
    )


async def load_bars(
    connection: Connection,
    symbol: str,
    interval_ms: int,
    from_ts: int | None = None,
    to_ts: int | None = None,
) -> Rows:
    """Give the bars (`BAR`) that open in [from, to), all versions, by `ts` and then `available_at`."""
    return await load(connection, BARS, (symbol, interval_ms), from_ts, to_ts)


async def load_marks(
    connection: Connection,
    symbol: str,
    interval_ms: int,
    from_ts: int | None = None,
    to_ts: int | None = None,
) -> Rows:
    """Give the mark price bars (`MARK`) that open in [from, to), all versions, in order."""
    return await load(connection, MARKS, (symbol, interval_ms), from_ts, to_ts)


async def load_funding(
    connection: Connection, symbol: str, from_ts: int | None = None, to_ts: int | None = None
) -> Rows:
    """Give the funding rates (`FUNDING`) settled in [from, to), all versions, in order."""
    return await load(connection, FUNDING_RATES, (symbol,), from_ts, to_ts)


async def save_instruments(connection: Connection, rows: Sequence[InstrumentRow]) -> None:
    """Write instruments, replacing those there are."""
    await connection.executemany(
        "insert into instruments (symbol, sz_decimals, max_leverage, tiers, assumed, source, as_of)"
        " values ($1, $2, $3, $4, $5, $6, $7) on conflict (symbol) do update"
        " set sz_decimals = excluded.sz_decimals, max_leverage = excluded.max_leverage,"
        " tiers = excluded.tiers, assumed = excluded.assumed, source = excluded.source,"
        " as_of = excluded.as_of",
        [msgspec.structs.astuple(row) for row in rows],
    )


async def load_instruments(connection: Connection) -> dict[str, InstrumentRow]:
    """Give all instruments by symbol."""
    rows = await connection.fetch(
        "select symbol, sz_decimals, max_leverage, tiers, assumed, source, as_of"
        " from instruments order by symbol"
    )
    return {row["symbol"]: InstrumentRow(*row) for row in rows}
