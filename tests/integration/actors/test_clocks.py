"""A clock that is set back: no tick is decided twice, and no hour's funding is paid twice."""

from collections import Counter
from uuid import UUID

from db.connection import Connection
from db.pool import Database
from domain.journal import IntentRecorded
from domain.time import MINUTE_MS
from tests.integration.actors.fleet import deploy
from tests.integration.actors.test_quotes import FEED, SKILL, Stage, faults
from tests.integration.actors.test_rehearsal import version_of


async def test_no_tick_is_decided_again_after_the_clock_was_set_back(
    database: Database, owner: UUID, admin: Connection
) -> None:
    """Those that held left no decision, and those that acted did: all of them come round again, in another process."""
    stage = Stage(
        database, owner, await deploy(database, owner, await version_of(database, owner, SKILL), FEED)
    )
    await stage.begun()
    await stage.until_it_holds()
    while len([e for e in await stage.journal() if isinstance(e, IntentRecorded)]) < 3:
        await stage.minutes(1)
    before = [e for e in await stage.journal() if isinstance(e, IntentRecorded)]
    back = stage.time.now_ms() - before[0].ts + MINUTE_MS
    await stage.end()
    await stage.again(after_ms=-back)
    await stage.begun()
    await stage.minutes(back // MINUTE_MS + 3)
    state = await stage.state()
    decided = Counter(
        (e.decision_id, e.ts) for e in await stage.journal() if isinstance(e, IntentRecorded) and e.action
    )
    assert set(decided.values()) == {1}
    assert state.restarts == 0
    assert state.last_error is None
    assert await faults(stage, admin) == []
    await stage.end()
