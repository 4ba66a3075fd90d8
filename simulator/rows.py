"""The rows that a run reads, as the tables have them: every version of each, from before the run to its end."""

from typing import Any

import msgspec

import db.tape
from db.connection import Connection
from db.market import BARS, FUNDING_RATES, MARKS, load_bars, load_funding, load_marks
from db.news import NewsRow
from db.tape import Rows, back, ends
from domain.instruments import Instrument
from domain.time import INTERVALS_MS, parse_interval
from market.history import first_bars
from market.instruments import kept_instruments
from simulator.coverage import check_market, covers
from simulator.news import load_run_news
from simulator.spec import RunSpec, SimulationError
from skills.skill import Skill

KINDS: dict[str, db.tape.Tape] = {
    "bars": BARS,
    "execution bars": BARS,
    "marks": MARKS,
    "funding": FUNDING_RATES,
}
"""What a manifest calls a series → the table that it is in."""


class SeriesRows(msgspec.Struct, frozen=True):
    """One series of a run. `sources` are those of its first and its last row; funding has no interval."""

    symbol: str
    kind: str  # one of KINDS
    interval_ms: int | None
    rows: Rows
    sources: tuple[str, ...]

    @property
    def scope(self) -> tuple[Any, ...]:
        """What names the series in its table."""
        return (self.symbol,) if self.interval_ms is None else (self.symbol, self.interval_ms)


class SymbolRows(msgspec.Struct, frozen=True):
    """One symbol's series. `execution` is None where fills are made on the bars that are seen."""

    bars: SeriesRows
    execution: SeriesRows | None
    marks: SeriesRows | None
    funding: SeriesRows

    @property
    def series(self) -> tuple[SeriesRows, ...]:
        """Those that have rows, in the order of the manifest."""
        found = (self.bars, self.execution, self.marks, self.funding)
        return tuple(one for one in found if one is not None and len(one.rows))


class RunRows(msgspec.Struct, frozen=True):
    """All that a run reads of the market, by symbol, in the Skill's order; `news` is None where it reads none."""

    symbols: dict[str, SymbolRows]
    instruments: dict[str, Instrument]
    execution_ms: int
    news: tuple[NewsRow, ...] | None = None


async def load_rows(connection: Connection, skill: Skill, spec: RunSpec) -> RunRows:
    """Load what a run needs. Raises SimulationError for a range, an interval or a symbol that can't be."""
    execution_ms = await check_market(connection, skill, spec)
    kept = await kept_instruments(connection)
    try:
        symbols = {
            symbol: await _load_symbol(connection, symbol, skill, spec, execution_ms)
            for symbol in skill.market.symbols
        }
    except ValueError as error:
        raise unreadable(error) from error
    news = await load_run_news(connection, skill, spec)
    return RunRows(symbols, {symbol: kept[symbol] for symbol in symbols}, execution_ms, news)


def unreadable(error: ValueError) -> SimulationError:
    """Prices that can't be kept exactly."""
    return SimulationError(f"{error}; look at what was imported")


async def _load_symbol(
    connection: Connection, symbol: str, skill: Skill, spec: RunSpec, execution_ms: int
) -> SymbolRows:
    market_ms, most = parse_interval(skill.market.interval), skill.market.bars
    since = await back(connection, BARS, symbol, market_ms, spec.from_ts, most)
    rows = await load_bars(connection, symbol, market_ms, since, spec.to_ts)
    bars = await _series(connection, symbol, "bars", market_ms, rows)
    execution = None
    if execution_ms != market_ms:
        rows = await load_bars(connection, symbol, execution_ms, spec.from_ts, spec.to_ts)
        execution = await _series(connection, symbol, "execution bars", execution_ms, rows)
    marks = await _marks(connection, symbol, spec, execution_ms)
    before = spec.from_ts - most * market_ms
    rows = await load_funding(connection, symbol, before, spec.to_ts + 1)
    return SymbolRows(bars, execution, marks, await _series(connection, symbol, "funding", None, rows))


async def _marks(connection: Connection, symbol: str, spec: RunSpec, execution_ms: int) -> SeriesRows | None:
    """The finest mark series that is no coarser than the execution bars and covers the run without a hole."""
    fitting = [ms for ms in INTERVALS_MS.values() if ms <= execution_ms and execution_ms % ms == 0]
    found = await ends(connection, MARKS, symbol, fitting)
    for ms in fitting:
        if covers(found[ms], ms, spec):
            rows = await load_marks(connection, symbol, ms, spec.from_ts, spec.to_ts)
            if len(first_bars(symbol, ms, rows)) == (spec.to_ts - spec.from_ts) // ms:
                return await _series(connection, symbol, "marks", ms, rows)
    return None


async def _series(
    connection: Connection, symbol: str, kind: str, interval_ms: int | None, rows: Rows
) -> SeriesRows:
    tape = KINDS[kind]
    sources: tuple[str, ...] = ()
    if len(rows):
        between = (int(rows[tape.at][0]), int(rows[tape.at][-1]))
        found = (await ends(connection, tape, symbol, [interval_ms], between))[interval_ms]
        sources = () if found is None else found.sources
    return SeriesRows(symbol, kind, interval_ms, rows, sources)
