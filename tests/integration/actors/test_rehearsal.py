"""A deployment on a replay gives what the simulator gives of the same bars: fills, funding and equity, to the cent."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from control import skills
from db.equity import load_points
from db.journal import load_entries
from db.pool import Database
from db.skills import VersionRow
from domain.deployments import Status
from domain.events import FundingPaid, Liquidated
from domain.journal import DayOpened, Entry, HaltChanged
from domain.orders import Fill
from domain.time import HOUR_MS
from simulator.run import Finished
from tests.integration.actors.fleet import deploy, process, row_of, until
from tests.integration.simulator.samples import T0, ask, carry_out, keep_market, skill_text

HOURS = 200
FROM, TO = "2025-01-02", "2025-01-08"
FEED = f"replay:{FROM}..{TO}@max"
FROM_TS, TO_TS = T0 + 24 * HOUR_MS, T0 + 168 * HOUR_MS
NOT_SAME = ("decision_id", "client_id", "order")


async def version_of(database: Database, owner: UUID, text: str) -> VersionRow:
    """Save a Skill and give its version."""
    saved = await skills.save(database, owner, text)
    return await skills.find(database, owner, f"{saved.name}@{saved.version}")


async def simulated(database: Database, owner: UUID, text: str, **more: Any) -> Finished:
    """The simulator's result over the same bars."""
    return await carry_out(database, await ask(database, owner, text, from_ts=FROM_TS, to_ts=TO_TS, **more))


def of_money(entries: list[Entry]) -> list[Entry]:
    """What moves money, or stops it."""
    return [
        entry
        for entry in entries
        if isinstance(entry, Fill | FundingPaid | Liquidated | HaltChanged | DayOpened)
    ]


async def journal_of(database: Database, account_id: UUID) -> list[Entry]:
    async with database.as_worker() as connection:
        return await load_entries(connection, account_id)


async def over(database: Database, deployment_id: UUID) -> bool:
    return (await row_of(database, deployment_id)).status.is_over


@pytest.mark.parametrize(
    "text",
    [
        skill_text(),
        skill_text(risk="{max_leverage: 10, allow_short: true, daily_loss_pct: 0.2, max_drawdown_pct: 95}"),
        skill_text(risk="{max_leverage: 10, allow_short: true, daily_loss_pct: 90, max_drawdown_pct: 0.5}"),
        skill_text(schedule="4h"),
    ],
    ids=["plain", "halted by the day", "halted by drawdown", "every four hours"],
)
async def test_a_replay_gives_the_simulators_ledger(database: Database, owner: UUID, text: str) -> None:
    """Fills, funding, days, halts and equity points are equal, one by one."""
    await keep_market(database, hours=HOURS)
    run = await simulated(database, owner, text)
    deployment = await deploy(database, owner, await version_of(database, owner, text), FEED)
    async with process(database) as running:
        running.look()
        await until(lambda: over(database, deployment))
    row = await row_of(database, deployment)
    assert (row.status, row.reason is not None) == (Status.STOPPED, True)
    entries = await journal_of(database, row.account_id)
    assert run.record.fills
    assert tuple(e for e in entries if isinstance(e, Fill)) == run.record.fills
    assert tuple(e for e in entries if isinstance(e, FundingPaid)) == run.record.funding
    async with database.as_worker() as connection:
        points = await load_points(connection, row.account_id)
    assert [point.ts for point in points] == run.record.ts.tolist()
    assert [float(point.equity) for point in points] == run.record.equity.tolist()
    assert points[-1].equity == run.record.final_equity


async def test_a_paced_replay_gives_it_too(database: Database, owner: UUID) -> None:
    """However fast it goes."""
    await keep_market(database, hours=HOURS)
    run = await simulated(database, owner, skill_text())
    version = await version_of(database, owner, skill_text())
    deployment = await deploy(database, owner, version, f"replay:{FROM}..{TO}@999999x")
    async with process(database) as running:
        running.look()
        await until(lambda: over(database, deployment))
    entries = await journal_of(database, (await row_of(database, deployment)).account_id)
    assert tuple(e for e in entries if isinstance(e, Fill)) == run.record.fills
    assert Decimal(0) not in {fill.size for fill in run.record.fills}
