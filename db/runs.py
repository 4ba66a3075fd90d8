"""Where simulation runs are kept: asked for, claimed by a worker, saved chunk by chunk, finished.

A worker is named by a text that is new with every start of a process. What it writes is tied to its claim:
once the run was cancelled, or taken by another because this one stopped its heartbeat, nothing more is
written.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from db.connection import Connection
from db.errors import DatabaseError, Refused
from db.records import DecisionRow, FillRow, JournalRow, OrderRow, delete_rows, write_rows
from db.series import Series, write_series
from domain.ids import uuid7

STALE_AFTER_S = 30.0
"""A running run whose worker was silent for so long may be taken by another."""

NEXT: Mapping[str, frozenset[str]] = {
    "queued": frozenset({"running", "cancelled", "queued"}),  # again: handed over to the workers
    "running": frozenset(
        {"running", "done", "failed", "cancelled", "interrupted", "queued"}
    ),  # again: a stale one is taken; queued: its worker ended too early
    "interrupted": frozenset({"running", "cancelled", "queued"}),
    "failed": frozenset({"running", "queued"}),  # resumed by hand, once what failed is put right
    "cancelled": frozenset({"running", "queued"}),  # resumed by hand
    "done": frozenset(),
}
"""What may become of a run in each status."""


class RunLost(DatabaseError):
    """The run was cancelled, or another worker took it; this worker must stop."""


class RunRow(msgspec.Struct, frozen=True):
    """A run without its checkpoint and series. Instants are UTC ms; `progress` runs from 0 to 1.

    `batch` is what it has in common with the runs that were asked for together with it; `queued_ts` is since when it is
    the queue's to carry out, None where whoever asked for it does.
    """

    id: UUID
    user_id: UUID
    skill_version_id: UUID
    skill_name: str
    skill_number: int
    status: str
    created_ts: int
    started_ts: int | None
    finished_ts: int | None
    config: dict[str, Any]
    manifest: dict[str, Any] | None
    warnings: list[Any]
    error: str | None
    progress: float
    worker: str | None
    report_path: str | None
    metrics: dict[str, Any] | None
    digests: dict[str, Any] | None
    baselines: dict[str, Any] | None
    batch: UUID | None
    queued_ts: int | None = None

    @property
    def is_synthetic(self) -> bool:
        """Whether it was made on made-up data; not known, and so False, before it has a manifest."""
        return any(series["synthetic"] for series in (self.manifest or {}).get("data", ()))


class Chunk(msgspec.Struct, frozen=True):
    """What a run adds since its last checkpoint, with the checkpoint that it leads to."""

    progress: float
    checkpoint: bytes | None = None
    journal: Sequence[JournalRow] = ()
    orders: Sequence[OrderRow] = ()
    fills: Sequence[FillRow] = ()
    decisions: Sequence[DecisionRow] = ()
    series: Series | None = None


_RUN_SQL = """
select r.id, r.user_id, r.skill_version_id, s.name, v.number, r.status, r.created_at, r.started_at,
  r.finished_at, r.config, r.manifest, r.warnings, r.error, r.progress, r.worker, r.report_path,
  o.metrics, o.digests, o.baselines, r.batch, r.queued_at
from sim_runs r
join skill_versions v on v.id = r.skill_version_id
join skills s on s.id = v.skill_id
left join sim_results o on o.run_id = r.id
"""
_CLAIM_SQL = """
update sim_runs set status = 'running', worker = $2, heartbeat = clock_timestamp(), error = null,
  started_at = coalesce(started_at, clock_timestamp()), finished_at = null, queued_at = null
where id = (
  select id from sim_runs
  where id = $1 and case when status = 'running' then heartbeat < clock_timestamp() - make_interval(secs => $4)
                         else status = any($3) end
  for update skip locked)
returning id
"""
_HOLD_SQL = """
update sim_runs set heartbeat = clock_timestamp(), progress = greatest(progress, $3),
  checkpoint = coalesce($4, checkpoint)
where id = $1 and worker = $2 and status = 'running' returning user_id
"""


async def create_run(
    connection: Connection,
    user_id: UUID,
    skill_version_id: UUID,
    config: Any,
    batch: UUID | None = None,
    *,
    queued: bool = False,
) -> UUID:
    """Ask for a run of a skill version. `config` is any JSON value, or its bytes; `batch` is new to each batch.

    It waits for whoever asked for it to carry it out, unless it is `queued` for the workers (see `db.queue`).
    """
    run_id = uuid7()
    await connection.execute(
        "insert into sim_runs (id, user_id, skill_version_id, config, batch, queued_at)"
        " values ($1, $2, $3, $4, $5, case when $6 then now() end)",
        run_id,
        user_id,
        skill_version_id,
        config,
        batch,
        queued,
    )
    return run_id


async def claim_run(
    connection: Connection, worker: str, run_id: UUID, *, stale_after_s: float = STALE_AFTER_S
) -> RunRow | None:
    """Take a run in hand and give it, or None where it can't be taken.

    One that was stopped goes on from its last checkpoint, one that is queued is taken out of the queue, and one that
    is running is taken when its worker has been silent for `stale_after_s`.
    """
    claimed = await connection.fetchval(_CLAIM_SQL, run_id, worker, before("running"), stale_after_s)
    return None if claimed is None else await load_run(connection, claimed)


async def hold_run(connection: Connection, run_id: UUID) -> bool:
    """Hold a run until the connection's transaction ends, however it does. False when another process holds it."""
    held: bool = await connection.fetchval(
        "select pg_try_advisory_xact_lock(hashtextextended($1, 0))", f"agentic:run:{run_id}"
    )
    return held


async def save_chunk(connection: Connection, run_id: UUID, worker: str, chunk: Chunk) -> None:
    """Write a chunk with its checkpoint, whole in the connection's transaction; also the heartbeat.

    Raises RunLost when the run is no longer this worker's; the transaction is then to be left by that error.
    """
    user_id = await connection.fetchval(_HOLD_SQL, run_id, worker, chunk.progress, chunk.checkpoint)
    if user_id is None:
        raise await _lost(connection, run_id, worker)
    await write_rows(connection, user_id, run_id, chunk.journal)
    await write_rows(connection, user_id, run_id, chunk.orders)
    await write_rows(connection, user_id, run_id, chunk.fills)
    await write_rows(connection, user_id, run_id, chunk.decisions)
    if chunk.series is not None and len(chunk.series.ts):
        await write_series(connection, user_id, run_id, chunk.series)


async def finish_run(
    connection: Connection,
    run_id: UUID,
    worker: str,
    *,
    manifest: Any,
    metrics: Any,
    digests: Any,
    baselines: Any,
    warnings: Sequence[Any] = (),
    report_path: str | None = None,
) -> None:
    """End a run well, with its results. Raises RunLost when it is no longer this worker's."""
    user_id = await connection.fetchval(
        "update sim_runs set status = 'done', finished_at = clock_timestamp(), progress = 1, manifest = $3,"
        " warnings = $4, report_path = $5, checkpoint = null"
        " where id = $1 and worker = $2 and status = 'running' returning user_id",
        run_id,
        worker,
        manifest,
        list(warnings),
        report_path,
    )
    if user_id is None:
        raise await _lost(connection, run_id, worker)
    await connection.execute(
        "insert into sim_results (run_id, user_id, metrics, digests, baselines) values ($1, $2, $3, $4, $5)",
        run_id,
        user_id,
        metrics,
        digests,
        baselines,
    )


async def stop_run(connection: Connection, run_id: UUID, worker: str, status: str, error: str | None) -> None:
    """End a run that did not get to its end: `failed` with its one-line error, or `interrupted`.

    Raises RunLost when it is no longer this worker's.
    """
    stopped = await connection.fetchval(
        "update sim_runs set status = $3, finished_at = clock_timestamp(), error = $4"
        " where id = $1 and worker = $2 and status = 'running' returning id",
        run_id,
        worker,
        status,
        error,
    )
    if stopped is None:
        raise await _lost(connection, run_id, worker)


async def cancel_run(connection: Connection, run_id: UUID) -> None:
    """Cancel a run, as its person. Its worker finds out at its next chunk. Raises Refused when it is over."""
    cancelled = await connection.fetchval(
        "update sim_runs set status = 'cancelled', finished_at = clock_timestamp()"
        " where id = $1 and status = any($2) returning id",
        run_id,
        before("cancelled"),
    )
    if cancelled is None:
        status = await connection.fetchval("select status from sim_runs where id = $1", run_id)
        raise Refused(
            f"run {run_id} can't be cancelled: " + (f"it is {status}" if status else "there is none")
        )


async def delete_run(connection: Connection, user_id: UUID, run_id: UUID) -> bool:
    """Delete a person's run with all it recorded, as the worker. False when it is not there or not theirs.

    What models answered is kept, as other runs may have used it, and so is what the day cost.
    """
    found = await connection.fetchval(
        "select id from sim_runs where id = $1 and user_id = $2 for update", run_id, user_id
    )
    if found is not None:
        await delete_rows(connection, run_id)
        await connection.execute(
            "delete from inference_totals where user_id = $1 and scope = $2", user_id, f"run:{run_id}"
        )
        await connection.execute("delete from sim_runs where id = $1", run_id)
    return found is not None


async def load_run(connection: Connection, run_id: UUID) -> RunRow | None:
    """Give one run with its results, or None where there is none to be seen."""
    row = await connection.fetchrow(_RUN_SQL + "where r.id = $1", run_id)
    return RunRow(*row) if row else None


async def find_runs(connection: Connection, ending: str, *, limit: int = 10) -> list[UUID]:
    """Give the ids of the runs one can see whose id ends like this, newest first."""
    rows = await connection.fetch(
        "select id from sim_runs where right(id::text, length($1)) = lower($1) order by id desc limit $2",
        ending,
        limit,
    )
    return [row["id"] for row in rows]


async def list_runs(
    connection: Connection, *, limit: int = 50, before: UUID | None = None, skill_name: str | None = None
) -> list[RunRow]:
    """Give the newest runs one can see; `before` is the last id of the page before."""
    rows = await connection.fetch(
        _RUN_SQL + "where ($2::uuid is null or r.id < $2) and ($3::text is null or s.name = $3)"
        " order by r.id desc limit $1",
        limit,
        before,
        skill_name,
    )
    return [RunRow(*row) for row in rows]


async def batch_runs(connection: Connection, user_id: UUID, batch: UUID) -> list[RunRow]:
    """Give a person's runs of a batch, in the order in which they were asked for.

    Theirs alone, also as the worker, who sees all: anybody may name a batch of somebody else's in a run of their own.
    """
    rows = await connection.fetch(
        _RUN_SQL + "where r.batch = $1 and r.user_id = $2 order by r.id", batch, user_id
    )
    return [RunRow(*row) for row in rows]


async def load_checkpoint(connection: Connection, run_id: UUID) -> bytes | None:
    """Give what the run goes on from, or None when it starts at its beginning."""
    checkpoint: bytes | None = await connection.fetchval(
        "select checkpoint from sim_runs where id = $1", run_id
    )
    return checkpoint


def before(status: str) -> list[str]:
    """The statuses from which a run may come to `status`."""
    return [name for name, following in NEXT.items() if status in following]


async def _lost(connection: Connection, run_id: UUID, worker: str) -> RunLost:
    row = await connection.fetchrow("select status, worker from sim_runs where id = $1", run_id)
    if row is None:
        return RunLost(f"run {run_id} was deleted")
    by = f" by {row['worker']}" if row["worker"] != worker else ""
    return RunLost(f"run {run_id} is no longer this process's: it is {row['status']}{by}")
