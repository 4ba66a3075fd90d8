"""A deployment on made-up prices beside its simulation: the same path, bars known from when they were seen."""

from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

import msgspec
import pytest

from agent.run import baseline_for
from control import parity
from control.deployments import spec_of
from control.errors import Invalid
from control.parity import DeploymentParity
from db.connection import Connection
from db.deployments import DeploymentRow
from db.equity import PointRow, write_points
from db.pool import Database
from db.records import JournalRow, decision_row, write_rows
from db.seen_bars import SeenBar, write_seen
from domain.bars import Bar
from domain.ids import decision_id
from domain.money import ZERO
from domain.orders import Fill
from domain.time import HOUR_MS, MINUTE_MS, ManualClock, parse_ts
from simulator.data import MarketData
from simulator.parity.account import AccountRecord
from simulator.parity.causes import Cause
from simulator.parity.market import made_up
from simulator.parity.rerun import NAME, Act, rerun
from simulator.spec import RunSpec
from skills import skill_md
from skills.skill import Skill
from tests.integration.actors.fleet import row_of
from tests.integration.control.deployed import deployed
from tests.integration.simulator.samples import skill_text
from tests.standins.provider import NO_MODELS

BEGAN = parse_ts("2026-03-02T10:17:30")
FROM = BEGAN + MINUTE_MS // 2
HOURS = 60
NOW = FROM + HOURS * HOUR_MS + 11_234
WORSE = Decimal(3)


@pytest.fixture
async def row(database: Database, owner: UUID, admin: Connection) -> DeploymentRow:
    """The sample Skill on made-up prices, begun at an odd time."""
    deployment_id = await deployed(database, owner, feed="synthetic@7")
    await admin.execute(
        "update deployments set status = 'running', started_at = $2 where id = $1",
        deployment_id,
        BEGAN,
    )
    return await row_of(database, deployment_id)


async def world(database: Database, row: DeploymentRow) -> tuple[Skill, RunSpec, MarketData]:
    """What a simulation of the deployment is made of."""
    skill = skill_md.read(skill_text(), where="sample")
    spec = msgspec.structs.replace(spec_of(row), from_ts=FROM, to_ts=FROM + HOURS * HOUR_MS)
    async with database.as_worker() as connection:
        return skill, spec, await made_up(connection, row.id, skill, spec, 7, None)


async def simulated(database: Database, row: DeploymentRow) -> AccountRecord:
    """What the simulator makes of the same prices."""
    skill, spec, market = await world(database, row)
    trader = baseline_for(skill, spec.seed)
    assert trader is not None
    return await rerun([Act(0, skill, trader, market)], spec, spec.to_ts)


async def keep(
    database: Database, row: DeploymentRow, record: AccountRecord, worse: Decimal = ZERO
) -> Sequence[Fill]:
    """Write a record down as the deployment's own, each fill a little worse; gives the fills."""
    ids = {decision_id(f"sim:{NAME}", ts): decision_id(str(row.account_id), ts) for ts in record.due}
    rows, fills = [], []
    for number, entry in enumerate(record.entries, 1):
        if isinstance(entry, Fill):
            entry = msgspec.structs.replace(entry, px=entry.px + entry.side.sign * worse)
            fills.append(entry)
        body = msgspec.json.encode(entry).decode()
        for old, new in ids.items():
            body = body.replace(old, new)
        rows.append(JournalRow(number, entry.ts, str(entry.__struct_config__.tag), body.encode()))
    decisions = [msgspec.structs.replace(one, id=ids[one.id]) for one in record.decisions]
    cost = sum((fill.size * worse for fill in fills), ZERO)
    points = [PointRow(row.account_id, row.user_id, ts, usd) for ts, usd in record.equity[:-1]]
    last_ts, last = record.equity[-1]
    async with database.as_worker() as connection:
        await write_rows(connection, row.user_id, row.account_id, rows)
        await write_rows(connection, row.user_id, row.account_id, [decision_row(one) for one in decisions])
        await write_points(connection, [*points, PointRow(row.account_id, row.user_id, last_ts, last - cost)])
    return fills


async def compared(database: Database, row: DeploymentRow) -> DeploymentParity:
    return await parity.parity(database, row.user_id, row.id, NO_MODELS, ManualClock(NOW))


async def test_the_same_prices_give_the_same_account(database: Database, row: DeploymentRow) -> None:
    """From its first whole minute on, on minutes, though its bars are of an hour."""
    await keep(database, row, await simulated(database, row))

    found = (await compared(database, row)).found

    assert found.is_exact
    assert (found.from_ts, found.to_ts) == (FROM, FROM + HOURS * HOUR_MS)
    assert found.ticks.due == HOURS
    assert found.fills.both > 3


async def test_worse_fills_are_told_to_the_cent(database: Database, row: DeploymentRow) -> None:
    """Quotes are not what the simulator makes of an open; what that came to is one cause."""
    fills = await keep(database, row, await simulated(database, row), WORSE)

    found = (await compared(database, row)).found

    assert [part.cause for part in found.parts] == [Cause.FILL_PRICE]
    assert found.divergence_usd == -sum((fill.size * WORSE for fill in fills), ZERO)
    assert found.fills.bps is not None
    assert found.fills.bps > 0
    assert found.ticks.same == HOURS


async def test_a_bar_that_was_seen_late_is_late_in_the_simulation_too(
    database: Database, row: DeploymentRow
) -> None:
    """What was decided without it is decided without it again."""
    prompt = await simulated(database, row)
    _, _, market = await world(database, row)
    bars = market.prices["BTC"]
    seen = [_seen(row, bars.bar(n), 5 * HOUR_MS) for n in range(len(bars))]
    async with database.as_worker() as connection:
        await write_seen(connection, seen)
    late = await simulated(database, row)
    await keep(database, row, late)

    assert [one.tick_ts for one in late.decisions] != [one.tick_ts for one in prompt.decisions]
    assert (await compared(database, row)).found.is_exact


def _seen(row: DeploymentRow, bar: Bar, late_by: int) -> SeenBar:
    prices = [float(getattr(bar, name)) for name in ("open", "high", "low", "close", "volume")]
    return SeenBar(row.id, row.user_id, "BTC", HOUR_MS, bar.ts, bar.ts + HOUR_MS + late_by, *prices)


async def test_one_that_has_not_begun_can_not_be_compared(database: Database, owner: UUID) -> None:
    """In one line."""
    deployment_id = await deployed(database, owner, feed="synthetic@7")
    with pytest.raises(Invalid, match="has not begun yet"):
        await parity.parity(database, owner, deployment_id, NO_MODELS, ManualClock(NOW))
