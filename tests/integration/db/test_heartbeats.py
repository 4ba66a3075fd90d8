"""Processes that show themselves to each other."""

import msgspec

from db.connection import Connection
from db.heartbeats import Heartbeat, beat, forget, live_heartbeats
from db.pool import Database
from tests.integration.db.samples import T0

HERE = Heartbeat("host:1:abc", "host", 1, ["web", "sim"], T0, 0, {"children": [{"name": "page"}]})
THERE = Heartbeat("other:2:def", "other", 2, [], T0 + 1, 0, {})


async def live(database: Database, *stale_after_s: float) -> list[Heartbeat]:
    """Those that are live, without the instants of their last beats."""
    async with database.as_worker() as connection:
        found = await live_heartbeats(connection, *stale_after_s)
    assert all(one.beat_ts > T0 for one in found)
    return [msgspec.structs.replace(one, beat_ts=0) for one in found]


async def show(database: Database, *processes: Heartbeat) -> None:
    for process in processes:
        async with database.as_worker() as connection:
            await beat(connection, process)


async def test_a_process_is_seen_while_it_beats_until_it_is_forgotten(database: Database) -> None:
    """With what it last said of itself."""
    await show(database, THERE, HERE)
    assert await live(database) == [HERE, THERE]
    now = msgspec.structs.replace(HERE, groups=["web"], tree={"children": []})
    await show(database, now)
    assert await live(database) == [now, THERE]
    async with database.as_worker() as connection:
        await forget(connection, HERE.owner)
        await forget(connection, HERE.owner)
    assert await live(database) == [THERE]


async def test_one_that_fell_silent_is_not_live_and_gone_after_a_day(
    database: Database, admin: Connection
) -> None:
    """By the database's clock, whatever the processes' own say; one that beats again is there again."""
    await show(database, HERE, THERE)
    await admin.execute("update heartbeats set beat_at = now() - interval '30 seconds' where pid = 1")
    assert await live(database) == [THERE]
    assert await live(database, 60) == [HERE, THERE]
    await show(database, HERE)
    assert await live(database) == [HERE, THERE]
    await admin.execute("update heartbeats set beat_at = now() - interval '2 days'")
    await show(database, HERE)
    assert await live(database) == [HERE]
    assert await admin.fetchval("select count(*) from heartbeats") == 1
