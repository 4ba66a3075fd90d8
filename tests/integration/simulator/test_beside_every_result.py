"""Buying and holding, and staying flat, beside a result: against a calculation by hand."""

from decimal import ROUND_DOWN, Decimal
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from config.instruments import find
from db.market import FUNDING, copy_in_bars, copy_in_funding
from db.pool import Database
from db.tape import Rows
from domain.time import HOUR_MS
from market.instruments import keep_instrument
from tests.integration.simulator.samples import (
    LATER,
    T0,
    bar_rows,
    keep_bars,
    keep_market,
    simulate,
    skill_text,
)

D = Decimal
HOLD = skill_text(model="baseline:hold").replace("model_params: {fast: 3, slow: 8, size: 0.1}\n", "")
PRICES = [100.0, 101.0, 99.0, 102.0, 104.0, 103.0, 105.0, 107.0]
BARS = [(px, px + 1, px - 1, px + 0.5, 1e9) for px in PRICES]


def rates(*hours_and_rates: tuple[float, float]) -> Rows:
    stamped = [(T0 + int(hour * HOUR_MS), rate) for hour, rate in hours_and_rates]
    return np.array([(ts, ts, ts, rate) for ts, rate in stamped], FUNDING)


async def keep_rates(database: Database, rows: Rows) -> None:
    async with database.as_worker() as connection:
        await copy_in_funding(connection, "BTC", rows, source="written", revised_at=LATER)


async def beside(database: Database, owner: UUID, text: str = HOLD, **request: Any) -> dict[str, list[float]]:
    record = (await simulate(database, owner, text, **{"cash": D(1_000), "costs": "none", **request})).record
    return {name: equity.tolist() for name, equity in record.baselines.items()}


def bought(cash: str, px: str) -> tuple[Decimal, Decimal]:
    """The size that some cash buys with its fee, in lots of BTC, and what is left of the cash."""
    size = (D(cash) / (D(px) * D("1.00045"))).quantize(D("0.00001"), ROUND_DOWN)
    fee = (size * D(px) * D("0.00045")).quantize(D("0.000001"), ROUND_DOWN)
    return size, D(cash) - size * D(px) - fee


async def test_it_buys_at_the_first_tick_and_holds(database: Database, owner: UUID) -> None:
    """At the first open, rounded down with the fee; worth its closes from then on. Flat is flat."""
    await keep_bars(database, BARS)
    found = await beside(database, owner, funding=False)

    size, left = bought("1000", "100")
    expected = [1000.0, *(float(left + size * D(str(px + 0.5))) for px in PRICES)]
    assert found["buy-and-hold"] == pytest.approx(expected, abs=1e-9)
    assert found["flat"] == [1000.0] * 9


async def test_it_pays_funding_while_it_holds(database: Database, owner: UUID) -> None:
    """Not what was due at its beginning, nor before; each rate at the close before it."""
    await keep_bars(database, BARS)
    await keep_rates(database, rates((0, 0.5), (1, 0.01), (4, -0.02), (8, 0.03), (9, 0.5)))
    found = await beside(database, owner)

    size, left = bought("1000", "100")
    paid = np.cumsum([0, 100.5 * 0.01, 0, 0, 102.5 * -0.02, 0, 0, 0, 107.5 * 0.03]) * float(size)
    worth = [1000.0, *(float(left + size * D(str(px + 0.5))) for px in PRICES)]
    assert found["buy-and-hold"] == pytest.approx(list(np.array(worth) - paid), abs=1e-9)


async def test_funding_within_a_bar_is_paid_at_its_close(database: Database, owner: UUID) -> None:
    """Also in the first bar, where there is no close before it, and never at a price of the end."""
    async with database.as_worker() as connection:
        await keep_instrument(connection, find("BTC"), LATER)
        four = bar_rows(BARS)
        four["ts"] = T0 + np.arange(8) * 4 * HOUR_MS
        await copy_in_bars(connection, "BTC", 4 * HOUR_MS, four, source="written", revised_at=LATER)
    await keep_rates(database, rates((1, 0.01), (2, 0.02), (9, 0.03)))
    text = HOLD.replace("schedule: 1h", "schedule: 4h").replace("interval: 1h", "interval: 4h")
    found = await beside(database, owner, text)

    size, left = bought("1000", "100")
    paid = np.cumsum([0, 100.5 * 0.03, 0, 99.5 * 0.03, 0, 0, 0, 0, 0]) * float(size)
    worth = [1000.0, *(float(left + size * D(str(px + 0.5))) for px in PRICES)]
    assert found["buy-and-hold"] == pytest.approx(list(np.array(worth) - paid), abs=1e-9)


async def test_it_waits_for_the_first_tick(database: Database, owner: UUID) -> None:
    """A Skill that ticks every four hours has its yardstick enter at the same instant."""
    await keep_bars(database, BARS)
    text = HOLD.replace("schedule: 1h", "schedule: 4h")
    found = await beside(database, owner, text, funding=False, from_ts=T0 + HOUR_MS)

    size, left = bought("1000", "104")
    worth = [float(left + size * D(str(px + 0.5))) for px in PRICES[4:]]
    assert found["buy-and-hold"] == pytest.approx([1000.0] * 4 + worth, abs=1e-9)


async def test_it_pays_what_an_order_pays(database: Database, owner: UUID) -> None:
    """Spread and impact, and a legal price: 100 × (1 + 1 bps + 5 bps × √(10 × 10 / 1000)) is 100.02581…, then 100.1."""
    await keep_bars(database, [(*prices[:4], 1_000.0) for prices in BARS])
    found = await beside(database, owner, funding=False, costs="default")

    size, left = bought("1000", "100.1")
    worth = [float(left + size * D(str(px + 0.5))) for px in PRICES]
    assert found["buy-and-hold"] == pytest.approx([1000.0, *worth], abs=1e-9)


async def test_cash_is_shared_equally(database: Database, owner: UUID) -> None:
    """Two symbols that move alike, half of the cash each."""
    for symbol in ("BTC", "ETH"):
        await keep_bars(database, BARS, symbol)
    text = HOLD.replace("symbols: [BTC]", "symbols: [BTC, ETH]")
    found = await beside(database, owner, text, funding=False)

    sizes = [(D(500) / D("100.045")).quantize(D(step), ROUND_DOWN) for step in ("0.00001", "0.0001")]
    spent = sum(
        (size * 100 + (size * D("0.045")).quantize(D("0.000001"), ROUND_DOWN) for size in sizes), D(0)
    )
    worth = [float(D(1000) - spent + sum(sizes) * D(str(px + 0.5))) for px in PRICES]
    assert found["buy-and-hold"] == pytest.approx([1000.0, *worth], abs=1e-9)


async def test_it_comes_close_to_the_skill_that_does_the_same(database: Database, owner: UUID) -> None:
    """The shipped `buy-and-hold`, through the engine and the venue, differs by what it keeps back for a bad fill."""
    await keep_market(database)
    text = HOLD.replace("baseline:hold", "baseline:buy-and-hold").replace(
        "max_leverage: 10", "max_leverage: 2"
    )
    record = (await simulate(database, owner, text, from_ts=T0 + HOUR_MS)).record

    assert len(record.fills) >= 1
    skill, hold = (equity / equity[0] - 1 for equity in (record.equity, record.baselines["buy-and-hold"]))
    assert skill[-1] == pytest.approx(hold[-1], rel=0.02)
