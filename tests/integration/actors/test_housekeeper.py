"""What is old goes by itself, once a day."""

import pytest

from actors.housekeeper import FIRST_MS, HousekeeperActor
from actors.kernel import ManualTime, Spec, System
from db.connection import Connection
from db.pool import Database
from domain.time import DAY_MS, HOUR_MS
from tests.integration.actors.fleet import until

_OLD = "insert into agent_logs (at, level, event) values (now() - interval '20 days', 'info', 'old')"


async def test_what_is_old_goes_soon_after_the_start_and_every_day(
    database: Database, admin: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    """Also where the database was out of reach the day before."""
    time = ManualTime(10 * DAY_MS + HOUR_MS)
    system = System(time)
    ref = system.spawn(Spec("housekeeper", lambda: HousekeeperActor(database)))

    async def is_gone() -> bool:
        return await admin.fetchval("select count(*) from agent_logs") == 0

    async def could_not() -> bool:
        return "could not be forgotten" in caplog.text

    async def passes(ms: int) -> None:
        await time.advance(ms)
        await system.quiet()

    await admin.execute(_OLD)
    await passes(FIRST_MS)
    await until(is_gone)
    await admin.execute(_OLD)
    await passes(22 * HOUR_MS)
    assert not await is_gone()
    await admin.execute("alter table agent_logs rename to away")
    await passes(HOUR_MS)
    await until(could_not)
    await admin.execute("alter table away rename to agent_logs")
    await passes(DAY_MS)
    await until(is_gone)
    assert system.find("housekeeper") is ref
    assert system.stats()[0].counts.crashes == 0
    await system.stop_all()
