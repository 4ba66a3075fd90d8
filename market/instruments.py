"""The instruments that market data is kept of: found when data comes in, read back when it is used."""

from decimal import Decimal

from config import instruments as snapshot
from db.connection import Connection
from db.market import InstrumentRow, load_instruments, save_instruments
from domain.instruments import Instrument, MarginTier
from domain.time import parse_ts


async def find_instrument(
    connection: Connection,
    symbol: str,
    *,
    sz_decimals: int | None = None,
    max_leverage: int | None = None,
) -> Instrument:
    """Give the symbol's facts.

    Those of the snapshot come first, unless newer ones of the venue are kept; a symbol it lacks is what was kept
    before, or is described by `sz_decimals` and `max_leverage` and marked as assumed. Raises UnknownInstrument,
    in one line.
    """
    kept = (await load_instruments(connection)).get(symbol)
    is_described = sz_decimals is not None or max_leverage is not None
    if kept and symbol not in snapshot.load() and not (kept.assumed and is_described):
        return from_row(kept)
    found = snapshot.find(symbol, sz_decimals=sz_decimals, max_leverage=max_leverage)
    if kept and not kept.assumed and kept.as_of > (_day_of(found) or 0):
        return from_row(kept)
    return found


async def keep_instrument(connection: Connection, instrument: Instrument, now_ms: int) -> None:
    """Write down the facts that `find_instrument` gave, as the worker, unless they are kept already."""
    kept = (await load_instruments(connection)).get(instrument.symbol)
    if kept is None or from_row(kept) != instrument:
        await save_instruments(connection, [to_row(instrument, now_ms)])


async def kept_instruments(connection: Connection) -> dict[str, Instrument]:
    """The instruments of which data has come in, by symbol."""
    return {symbol: from_row(row) for symbol, row in (await load_instruments(connection)).items()}


def to_row(instrument: Instrument, now_ms: int) -> InstrumentRow:
    """An instrument as it is kept: of the day of its source, or of now when it is assumed."""
    day = _day_of(instrument)
    return InstrumentRow(
        symbol=instrument.symbol,
        sz_decimals=instrument.sz_decimals,
        max_leverage=instrument.max_leverage,
        tiers=[[str(tier.lower_bound_usd), tier.max_leverage] for tier in instrument.tiers],
        assumed=instrument.assumed,
        source=instrument.source,
        as_of=now_ms if day is None else day,
    )


def from_row(row: InstrumentRow) -> Instrument:
    """An instrument as it was kept."""
    return Instrument(
        symbol=row.symbol,
        sz_decimals=row.sz_decimals,
        max_leverage=row.max_leverage,
        tiers=tuple(MarginTier(Decimal(bound), leverage) for bound, leverage in row.tiers),
        assumed=row.assumed,
        source=row.source,
    )


def _day_of(instrument: Instrument) -> int | None:
    """The beginning of the day that the facts are of, in UTC ms; None when they are assumed."""
    day = snapshot.as_of(instrument)
    return parse_ts(day) if day else None
