"""The same Skill, data and seed give the same bytes, wherever and whenever; anything else gives others."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import numpy as np
import pytest

from config.instruments import find
from control import runs
from db.connection import Connection
from db.market import copy_in_bars, copy_in_funding
from db.pool import Database
from domain.time import HOUR_MS
from market.instruments import keep_instrument
from market.synth import make_up
from simulator.run import Finished
from tests.integration.simulator.samples import LATER, T0, keep_market, revise, simulate, skill_text

RANDOM = skill_text(
    model="baseline:random",
    model_params="{size: 0.05}",
    market="{symbols: [BTC, ETH], interval: 1h, bars: 20}",
)
SETTINGS: dict[str, Any] = {"seed": 7, "from_ts": T0 + 10 * HOUR_MS, "to_ts": T0 + 150 * HOUR_MS}
CHANGES: dict[str, dict[str, Any]] = {
    "another seed": {"seed": 8},
    "other cash": {"cash": Decimal(10_001)},
    "no costs": {"costs": "none"},
    "no funding": {"funding": False},
    "a later start": {"from_ts": T0 + 11 * HOUR_MS},
    "an earlier end": {"to_ts": T0 + 149 * HOUR_MS},
}


@pytest.fixture
async def market(database: Database) -> None:
    """Two symbols with funding."""
    for symbol in ("BTC", "ETH"):
        await keep_market(database, symbol)


async def run(database: Database, owner: UUID, **settings: Any) -> Finished:
    return await simulate(database, owner, RANDOM, **{**SETTINGS, **settings})


async def test_the_same_run_twice_is_the_same_to_the_byte(
    market: None, database: Database, owner: UUID
) -> None:
    """Digests of manifest, ledger and report; the manifest itself; and the report but for the run's id."""
    first, second = [await run(database, owner) for _ in range(2)]
    pages = [
        (await runs.report_html(database, owner, UUID(one.record.run_id))).replace(one.record.run_id, "RUN")
        for one in (first, second)
    ]

    assert len(first.record.fills) > 50
    assert first.digests == second.digests
    assert first.record.manifest == second.record.manifest
    assert pages[0] == pages[1]


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_another_setting_is_another_run(
    market: None, database: Database, owner: UUID, change: dict[str, Any]
) -> None:
    """No digest stays."""
    first, second = await run(database, owner), await run(database, owner, **change)
    assert all(first.digests[name] != second.digests[name] for name in first.digests)


async def test_an_amount_is_the_same_however_it_is_written(
    market: None, database: Database, owner: UUID
) -> None:
    """1e4, 10000 and 10000.00 are one and the same."""
    one, *others = [await run(database, owner, cash=Decimal(text)) for text in ("10000", "1e4", "10000.00")]
    assert [other.digests for other in others] == [one.digests] * 2


@pytest.mark.parametrize(
    ("table", "at"), [("bars", "ts"), ("funding_rates", "settled_at")], ids=["a bar", "a rate"]
)
async def test_another_row_of_data_is_another_run(
    market: None, database: Database, admin: Connection, owner: UUID, table: str, at: str
) -> None:
    """One value of one row is enough for all three digests."""
    first = await run(database, owner)
    value = {"bars": "close = close + 1, high = high + 1", "funding_rates": "rate = rate * 2"}[table]
    await admin.execute(f"update {table} set {value} where symbol = 'BTC' and {at} = {T0 + 100 * HOUR_MS}")
    second = await run(database, owner)

    assert all(first.digests[name] != second.digests[name] for name in first.digests)


async def test_a_revision_changes_the_manifest_and_no_trade(
    market: None, database: Database, admin: Connection, owner: UUID
) -> None:
    """What came after the run's end could not be known in it. It is told, and counted."""
    first = await run(database, owner)
    await revise(admin, "bars", "ts", T0 + 50 * HOUR_MS, LATER, close=1.5, low=1.5)
    second = await run(database, owner)

    assert first.digests["manifest"] != second.digests["manifest"]
    assert [fill.px for fill in first.record.fills] == [fill.px for fill in second.record.fills]
    assert np.array_equal(first.record.equity, second.record.equity)
    assert any("came again with another value" in warning for warning in second.record.warnings)
    assert "came again with another value" in await runs.report_html(
        database, owner, UUID(second.record.run_id)
    )
    described = second.record.manifest["data"]
    assert [one["revisions"] for one in described if one["kind"] == "bars"] == [1, 1]


async def test_another_machine_gives_the_same_bytes(
    market: None, database: Database, another_database: Database, owner: UUID
) -> None:
    """There the data came in another order, in pieces, the newest first, and at another time."""
    at: dict[str, Any] = {"source": "made", "revised_at": LATER + 12_345}
    async with another_database.as_worker() as connection:
        for symbol in ("SOL", "ETH", "BTC"):
            made = make_up(find(symbol), HOUR_MS, T0, T0 + 200 * HOUR_MS, 1)
            await copy_in_funding(connection, symbol, made.funding, **at)
            await keep_instrument(connection, find(symbol), LATER + 12_345)
            for part in (slice(120, 200), slice(0, 130)):
                await copy_in_bars(connection, symbol, HOUR_MS, made.bars[part], **at)

    here, there = await run(database, owner), await run(another_database, owner)
    assert here.digests == there.digests
    assert msgspec.json.encode(here.record.manifest) == msgspec.json.encode(there.record.manifest)


async def test_a_finished_run_is_read_back_whole(market: None, database: Database, owner: UUID) -> None:
    """The record that is read from the tables is the one that the run ended with."""
    done = await run(database, owner)
    found = await runs.record(database, owner, UUID(done.record.run_id))

    for name in done.record.__struct_fields__:
        if name not in ("prices", "ts", "equity", "baselines"):
            assert getattr(found, name) == getattr(done.record, name), name
    assert np.array_equal(found.equity, done.record.equity)
    assert np.array_equal(found.ts, done.record.ts)
    assert all(np.array_equal(found.baselines[name], done.record.baselines[name]) for name in found.baselines)
