"""The market that a deployment saw, put together for the simulator: history that it replayed, or prices made up."""

from typing import Any
from uuid import UUID

import msgspec
import numpy as np

from db.connection import Connection
from db.made_up import SYNTHETIC
from db.seen_bars import load_seen
from db.tape import Rows
from domain.instruments import Instrument
from domain.time import HOUR_MS, MINUTE_MS, format_interval, parse_interval
from market.feeds.path import Path
from market.instruments import find_instrument
from market.news import NewsSource
from simulator.coverage import check_market
from simulator.data import MarketData, assemble
from simulator.mask import load_world
from simulator.news import load_run_news
from simulator.rows import RunRows, SeriesRows, SymbolRows
from simulator.spec import RunSpec
from skills.skill import Skill


async def replayed(
    connection: Connection, skill: Skill, spec: RunSpec, archive: NewsSource | None
) -> tuple[MarketData, RunSpec]:
    """History as a deployment replays it, with the interval of its bars in the settings.

    Raises SimulationError for data that is not there any more.
    """
    interval = format_interval(await check_market(connection, skill, spec))
    fixed = msgspec.structs.replace(spec, execution_interval=interval)
    return (await load_world(connection, skill, fixed, archive)).market, fixed


async def made_up(
    connection: Connection,
    deployment_id: UUID,
    skill: Skill,
    spec: RunSpec,
    seed: int,
    archive: NewsSource | None,
) -> MarketData:
    """Prices as they were made up: fills on minutes, and the bars that were seen from when they were."""
    instruments = {symbol: await find_instrument(connection, symbol) for symbol in skill.market.symbols}
    interval_ms = parse_interval(skill.market.interval)
    symbols = {}
    for symbol, instrument in instruments.items():
        seen = await load_seen(connection, deployment_id, symbol, interval_ms, None, spec.to_ts)
        symbols[symbol] = _made_up(instrument, interval_ms, seen, skill, spec, seed)
    news = await load_run_news(connection, skill, spec)
    return assemble(RunRows(symbols, instruments, MINUTE_MS, news), skill.market, spec, archive)


def _made_up(
    instrument: Instrument, interval_ms: int, seen: Rows, skill: Skill, spec: RunSpec, seed: int
) -> SymbolRows:
    path, symbol = Path(instrument, seed), instrument.symbol

    def series(kind: str, of_ms: int | None, rows: Rows) -> SeriesRows:
        return SeriesRows(symbol, kind, of_ms, rows, (SYNTHETIC,))

    begins = spec.from_ts - spec.from_ts % interval_ms
    ends = spec.to_ts + -spec.to_ts % interval_ms
    bars = path.bars(interval_ms, begins - skill.market.bars * interval_ms, ends)
    minutes = path.bars(MINUTE_MS, spec.from_ts, spec.to_ts)
    rates = path.rates(begins - skill.market.bars * interval_ms, spec.to_ts + HOUR_MS)
    return SymbolRows(
        series("bars", interval_ms, as_seen(bars, seen)),
        None if interval_ms == MINUTE_MS else series("execution bars", MINUTE_MS, minutes),
        None,
        series("funding", None, rates[rates["settled_at"] <= spec.to_ts]),
    )


def as_seen(made: Rows, seen: Rows) -> Rows:
    """Bars as they were made, and where one was seen, every version of it from when it was seen."""
    unseen: Any = ~np.isin(made["ts"], seen["ts"])
    together = np.concatenate([made[unseen], seen[np.isin(seen["ts"], made["ts"])]])
    return together[np.lexsort((together["available_at"], together["ts"]))]
