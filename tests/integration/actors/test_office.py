"""What all actors of a process write down together."""

import asyncio
from uuid import UUID

from actors.office import SLICE, Records
from db.agent_logs import tail_logs
from db.connection import Connection
from db.pool import Database
from domain.time import ManualClock
from tests.integration.actors.fleet import deploy
from tests.integration.actors.test_quotes import FEED
from tests.integration.actors.test_rehearsal import version_of
from tests.integration.simulator.samples import T0, skill_text


async def test_more_than_fits_in_one_go_is_written_whole_and_in_order(
    database: Database, owner: UUID
) -> None:
    """Slices leave nothing out, and write nothing twice."""
    version = await version_of(database, owner, skill_text())
    deployment = await deploy(database, owner, version, FEED)
    records, count = Records(database, ManualClock(T0)), 2 * SLICE + SLICE // 2
    for n in range(count):
        records.log(owner, deployment, "info", f"line {n}", {})
    await records.flush()
    await records.flush()
    async with database.as_user(owner) as connection:
        kept = await tail_logs(connection, deployment, limit=count + 10)
    assert [line.row.event for line in kept] == [f"line {n}" for n in range(count)]


async def test_who_flushes_waits_for_who_flushes_already(
    database: Database, admin: Connection, owner: UUID
) -> None:
    """So what was told before is written when it returns, and nothing older is written after it."""
    version = await version_of(database, owner, skill_text())
    deployment = await deploy(database, owner, version, FEED)
    records = Records(database, ManualClock(T0))
    records.log(owner, deployment, "info", "first", {})
    async with admin.transaction():
        await admin.execute("lock table agent_logs")
        first = asyncio.ensure_future(records.flush())
        await asyncio.sleep(0)
        second = asyncio.ensure_future(records.flush())
        await asyncio.sleep(0)
        assert not second.done()
    await second
    assert first.done()
    async with database.as_user(owner) as connection:
        assert [line.row.event for line in await tail_logs(connection, deployment, limit=10)] == ["first"]
