"""The queue of runs: asked for by people, taken by the workers of `agentic up`, given back by those that end too early.

People take turns: next is whoever was served longest ago, and of theirs the run that has waited longest. So a
thousand runs of one person hold up another's single one by no more than the runs that are being carried out.

The row is the truth; a notification only wakes the workers, who look every few seconds anyhow.
"""

from collections.abc import Mapping
from uuid import UUID

from db.connection import Connection
from db.runs import STALE_AFTER_S, RunRow, before, load_run

CHANNEL = "agentic_runs"
MOST_ATTEMPTS = 3
"""How many workers in a row may end at a run without getting it any further."""

_TAKE_SQL = """
with turns as (
  select user_id, (select max(taken_at) from sim_runs t where t.user_id = w.user_id) as served
  from (select distinct user_id from sim_runs where status = 'queued' and queued_at is not null) w)
update sim_runs set status = 'running', worker = $1, error = null, finished_at = null,
  heartbeat = clock_timestamp(), taken_at = clock_timestamp(),
  started_at = coalesce(started_at, clock_timestamp()),
  attempts = case when progress > attempted_at then 1 else attempts + 1 end, attempted_at = progress
where id = (
  select r.id from sim_runs r join turns using (user_id) where r.status = 'queued' and r.queued_at is not null
  order by turns.served nulls first, r.queued_at, r.id limit 1 for update of r skip locked)
returning id
"""
_GIVE_BACK_SQL = """
update sim_runs set
  status = case when done_for then 'failed' else 'queued' end,
  error = case when done_for then $1 end,
  finished_at = case when done_for then clock_timestamp() end,
  attempts = case when $2 then 0 else attempts end
from (select id as found, not $2 and attempts >= $3 and progress <= attempted_at as done_for from sim_runs
      where status = 'running' and queued_at is not null and {which}) judged
where id = found returning id, status
"""
_OURS = _GIVE_BACK_SQL.format(which="id = $4 and worker = $5 for update")
_SILENT = _GIVE_BACK_SQL.format(
    which="heartbeat < clock_timestamp() - make_interval(secs => $4) for update skip locked"
)


async def wake_workers(connection: Connection) -> None:
    """Tell the workers, once the connection's transaction is committed, that there is something to do."""
    await connection.execute("select pg_notify($1, '')", CHANNEL)


async def take_next(connection: Connection, worker: str) -> RunRow | None:
    """Take the run whose turn it is for a worker and give it, or None where none waits.

    `worker` is new with every run that is taken: what is written is tied to it. A run that somebody else is taking at
    this moment is stepped over.
    """
    taken = await connection.fetchval(_TAKE_SQL, worker)
    return None if taken is None else await load_run(connection, taken)


async def give_back(connection: Connection, run_id: UUID, worker: str, why: str | None) -> str | None:
    """Put a run back whose worker ended before it did; give its status then, or None where it is not that worker's.

    `why` says what became of the worker, such as "was killed by signal 9". It is None where the worker ended in order,
    which is nothing to count. Where so many in a row came no further the run is failed in the place of being tried
    for ever.
    """
    row = await connection.fetchrow(_OURS, _gave_up(why), why is None, MOST_ATTEMPTS, run_id, worker)
    return None if row is None else str(row["status"])


async def give_back_silent(connection: Connection, stale_after_s: float = STALE_AFTER_S) -> list[UUID]:
    """Put the runs back whose workers have not been heard of for so long, and give them."""
    why = _gave_up("was not heard of any more")
    rows = await connection.fetch(_SILENT, why, False, MOST_ATTEMPTS, stale_after_s)
    return [row["id"] for row in rows]


async def queue_again(connection: Connection, user_id: UUID, run_id: UUID) -> bool:
    """Put a person's run that was stopped into the queue, as the worker; it goes on from where it was.

    False where there is none of theirs that can go on, or it is in the queue already.
    """
    done = await connection.fetchval(
        "update sim_runs set status = 'queued', queued_at = clock_timestamp(), error = null, finished_at = null,"
        " attempts = 0 where id = $1 and user_id = $2"
        " and status = any($3) and status <> 'running' and (status <> 'queued' or queued_at is null) returning id",
        run_id,
        user_id,
        before("queued"),
    )
    if done is not None:
        await wake_workers(connection)
    return done is not None


async def waiting(connection: Connection) -> int:
    """How many runs wait in the queue, of those that one can see."""
    count: int = await connection.fetchval(
        "select count(*) from sim_runs where status = 'queued' and queued_at is not null"
    )
    return count


async def lost(connection: Connection, held: Mapping[str, UUID]) -> set[str]:
    """Of workers and the runs that they took, those whose run is not theirs any more."""
    rows = await connection.fetch(
        "select held.worker from unnest($1::text[], $2::uuid[]) held (worker, run_id) where not exists ("
        " select from sim_runs r where r.id = run_id and r.worker = held.worker and r.status = 'running')",
        list(held),
        list(held.values()),
    )
    return {row["worker"] for row in rows}


def _gave_up(why: str | None) -> str:
    return f"{MOST_ATTEMPTS} workers in a row ended without getting it any further; the last one {why or 'was stopped'}"
