"""Worker processes of a test's database, and ways to hold one at a certain point of its run."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from control import queue, runs, skills
from control.runs import RunRequest
from db.connection import Connection
from db.pool import Database
from db.runs import RunRow, load_run
from domain.caps import LOOSEST
from tests.integration.simulator.samples import keep_market, skill_text
from tests.standins.provider import NO_MODELS

PATIENCE_S = 60.0
SKILL = skill_text(model="baseline:random", model_params="{size: 0.05}")
HOURS = 1_400
"""So long that a run is saved twice on its way: after 1,000 bars, and at its end."""

POINTS = {"the first stretch": 4711, "the second stretch": 4712, "the results": 4713}
"""What a worker can be held in the middle of writing, and the lock that it has to wait for there."""

_GATES = """
create function wait_for_the_test() returns trigger language plpgsql as
  $$ begin perform pg_advisory_xact_lock_shared(tg_argv[0]::int); return new; end $$;
create trigger first before insert on sim_series for each row when (new.seq = 0)
  execute function wait_for_the_test(4711);
create trigger second before insert on sim_series for each row when (new.seq = 1)
  execute function wait_for_the_test(4712);
create trigger results before insert on sim_results for each row execute function wait_for_the_test(4713)
"""
_LOCKS = """
select {} (select from pg_locks join pg_database d on d.oid = database
  where locktype = 'advisory' and d.datname = current_database() and {})
"""
IS_HELD = _LOCKS.format("exists", "objid between 4711 and 4713 and not granted")
NOBODY_IS_LEFT = _LOCKS.format("not exists", "objid not between 4711 and 4713")
"""The lock that a worker has on its run is gone, as its process is."""


async def set_gates(admin: Connection) -> None:
    """Make the points at which workers can be held. Until one is closed, they pass."""
    await admin.execute(_GATES)


async def close(admin: Connection, point: str) -> None:
    """Let nobody past a point of their run."""
    await admin.execute("select pg_advisory_lock($1)", POINTS[point])


async def open_again(admin: Connection, point: str) -> None:
    """Let those who wait at a point go on."""
    await admin.execute("select pg_advisory_unlock($1)", POINTS[point])


async def until_held_at(admin: Connection, point: str) -> None:
    """Wait until a worker waits at a point that is closed."""
    await until(admin, _LOCKS.format("exists", "objid = $1 and not granted"), POINTS[point])


async def hang_up(admin: Connection) -> None:
    """Have the server notice at once that those who wait at a point are gone, as it would when it writes to them."""
    await admin.execute(
        "select pg_terminate_backend(pid) from pg_locks join pg_database d on d.oid = database"
        " where locktype = 'advisory' and d.datname = current_database()"
        " and objid between 4711 and 4713 and not granted"
    )
    await until(admin, f"select not ({IS_HELD})")


@asynccontextmanager
async def held_in(admin: Connection, point: str) -> AsyncIterator[None]:
    """While this lasts, a worker comes to this point of its run, and no further."""
    await set_gates(admin)
    await close(admin, point)
    yield
    await open_again(admin, point)


async def until(admin: Connection, sql: str, *arguments: object) -> None:
    """Wait until a query finds something to be true."""
    async with asyncio.timeout(PATIENCE_S):
        while not await admin.fetchval(sql, *arguments):
            await admin.fetchval("select pg_sleep(0.01), pg_stat_clear_snapshot()")


async def until_it_is(admin: Connection, run_id: UUID, *statuses: str) -> None:
    """Wait until a run has come to one of these statuses."""
    await until(admin, "select status = any($2) from sim_runs where id = $1", run_id, list(statuses))


async def make_market(database: Database) -> None:
    """The bars that the runs are about."""
    await keep_market(database, hours=HOURS)


async def queue_runs(database: Database, owner: UUID, count: int = 1, text: str = SKILL) -> list[UUID]:
    """Leave runs of a Skill to the workers."""
    saved = await skills.save(database, owner, text)
    version = await skills.find(database, owner, f"{saved.name}@{saved.version}")
    specs = await runs.specs_of(database, owner, version, RunRequest(runs=count), LOOSEST, NO_MODELS)
    return await queue.enqueue(database, owner, version, specs)


async def row_of(database: Database, run_id: UUID) -> RunRow:
    """A run as it is kept."""
    async with database.as_worker() as connection:
        row = await load_run(connection, run_id)
    assert row is not None
    return row
