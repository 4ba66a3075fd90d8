"""A small market in the database, Skills for it, and runs of them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import numpy as np

from config.instruments import find
from control import runs, skills
from control.runs import RunRequest
from db.connection import Connection
from db.market import BAR, copy_in_bars, copy_in_funding, copy_in_marks
from db.pool import Database
from db.runs import RunRow
from db.tape import Rows
from domain.caps import LOOSEST
from domain.time import HOUR_MS, parse_ts
from market.instruments import keep_instrument
from market.news import NewsSource
from market.synth import make_up
from simulator.data import MarketData
from simulator.mask import load_world
from simulator.run import Finished, execute
from simulator.spec import RunSpec
from skills.skill import Skill
from tests.standins.provider import NO_MODELS

T0 = parse_ts("2025-01-01")
LATER = parse_ts("2026-01-01")
DAYS = 24 * HOUR_MS

SKILL = """\
---
name: sample
description: Follows short averages
model: baseline:sma-cross
model_params: {fast: 3, slow: 8, size: 0.1}
schedule: 1h
market: {symbols: [BTC], interval: 1h, bars: 20}
tools: [get_bars, get_portfolio, propose_order]
risk: {max_leverage: 10, allow_short: true, daily_loss_pct: 90, max_drawdown_pct: 95}
---
You trade.
"""


def skill_text(**lines: str) -> str:
    """The sample with some of its lines changed: `schedule="4h"`, `market="{symbols: [BTC, ETH], …}"`."""
    text = SKILL
    for key, value in lines.items():
        (found,) = [line for line in SKILL.splitlines() if line.startswith(f"{key}: ")]
        text = text.replace(found, f"{key}: {value}")
    return text


async def keep_market(
    database: Database,
    symbol: str = "BTC",
    *,
    interval_ms: int = HOUR_MS,
    from_ts: int = T0,
    hours: int = 200,
    seed: int = 1,
    without: Sequence[int] = (),
    marks: bool = False,
    funding: bool = True,
    source: str = "made",
) -> None:
    """Make a symbol's bars up and keep them, as if they were real; `without` are numbers of bars to leave out."""
    made = make_up(find(symbol), interval_ms, from_ts, from_ts + hours * HOUR_MS, seed)
    bars = np.delete(made.bars, list(without))
    how: dict[str, Any] = {"source": source, "revised_at": LATER}
    async with database.as_worker() as connection:
        await keep_instrument(connection, find(symbol), LATER)
        await copy_in_bars(connection, symbol, interval_ms, bars, **how)
        if marks:
            await copy_in_marks(connection, symbol, interval_ms, made.marks, **how)
        if funding:
            await copy_in_funding(connection, symbol, made.funding, **how)


async def keep_bars(
    database: Database, prices: Sequence[tuple[float, float, float, float, float]], symbol: str = "BTC"
) -> None:
    """Keep hourly bars that a test writes down, from T0 on: open, high, low, close, volume."""
    async with database.as_worker() as connection:
        await keep_instrument(connection, find(symbol), LATER)
        await copy_in_bars(connection, symbol, HOUR_MS, bar_rows(prices), source="written", revised_at=LATER)


def bar_rows(prices: Sequence[tuple[float, float, float, float, float]], from_ts: int = T0) -> Rows:
    """Hourly bars as the tables have them, known at their close."""
    stamped = [
        (from_ts + n * HOUR_MS, from_ts + (n + 1) * HOUR_MS, *prices) for n, prices in enumerate(prices)
    ]
    return np.array(stamped, BAR)


async def ask(database: Database, owner: UUID, text: str = SKILL, **request: Any) -> UUID:
    """Ask for a run of a Skill."""
    saved = await skills.save(database, owner, text)
    version = await skills.find(database, owner, f"{saved.name}@{saved.version}")
    (run_id,) = await runs.ask(database, owner, version, RunRequest(**request), LOOSEST, NO_MODELS)
    return run_id


async def carry_out(database: Database, run_id: UUID, *, most_bars: int = 25_000) -> Finished:
    """Carry a run to its end."""
    return await execute(database, run_id, f"worker of {run_id}", NO_MODELS, most_bars=most_bars)


async def simulate(database: Database, owner: UUID, text: str = SKILL, **request: Any) -> Finished:
    """Ask for a run and carry it out."""
    return await carry_out(database, await ask(database, owner, text, **request))


async def row_of(database: Database, owner: UUID, run_id: UUID) -> RunRow:
    """A run as it is kept."""
    return await runs.find(database, owner, str(run_id))


async def revise(connection: Connection, table: str, at: str, ts: int, seen_at: int, **values: float) -> None:
    """Write another version of a row, seen at an instant, with other values."""
    changed = ", ".join(f"{name} = {value!r}" for name, value in values.items())
    await connection.execute(
        f"create temp table again as select * from {table} where {at} = {ts};"
        f" update again set available_at = {seen_at}, {changed};"
        f" insert into {table} select * from again; drop table again"
    )


async def load_market(
    connection: Connection, skill: Skill, spec: RunSpec, archive: NewsSource | None = None
) -> MarketData:
    """The market of a run, as it is when nothing is masked."""
    return (await load_world(connection, skill, spec, archive)).market
