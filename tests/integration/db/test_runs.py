"""Runs in the database: claimed by one worker, saved whole, lost when taken, and moved by the table alone."""

from collections.abc import Awaitable, Callable
from uuid import UUID, uuid4

import msgspec
import pytest

from db.connection import Connection
from db.errors import Conflict, Refused
from db.pool import Database
from db.queue import queue_again
from db.records import DecisionRow, FillRow, JournalRow, OrderRow, load_rows
from db.runs import (
    NEXT,
    Chunk,
    RunLost,
    RunRow,
    batch_runs,
    cancel_run,
    claim_run,
    create_run,
    delete_run,
    finish_run,
    list_runs,
    load_checkpoint,
    load_run,
    save_chunk,
    stop_run,
)
from db.series import load_series
from tests.integration.db.samples import ask_for_run, chunk, make_version

WORKER = "worker-1"
RESULTS = {
    "manifest": {"m": 1},
    "metrics": {"sharpe": 1.5},
    "digests": {"ledger": "ab"},
    "baselines": {"flat": 0},
}
RUN_TABLES = (
    "sim_runs",
    "sim_results",
    "sim_series",
    "journal_entries",
    "orders",
    "fills",
    "decision_snapshots",
)


async def claim(database: Database, run_id: UUID, worker: str = WORKER) -> RunRow | None:
    async with database.as_worker() as connection:
        return await claim_run(connection, worker, run_id)


async def save(database: Database, run_id: UUID, number: int, worker: str = WORKER) -> None:
    async with database.as_worker() as connection:
        await save_chunk(connection, run_id, worker, chunk(number))


async def finish(database: Database, run_id: UUID, worker: str = WORKER) -> None:
    async with database.as_worker() as connection:
        await finish_run(connection, run_id, worker, **RESULTS, warnings=["careful"], report_path="r.html")


async def stop(database: Database, run_id: UUID, status: str) -> None:
    async with database.as_worker() as connection:
        await stop_run(connection, run_id, WORKER, status, "it broke")


async def cancel(database: Database, owner: UUID, run_id: UUID) -> None:
    async with database.as_user(owner) as connection:
        await cancel_run(connection, run_id)


async def hand_over(database: Database, owner: UUID, run_id: UUID) -> bool:
    async with database.as_worker() as connection:
        return await queue_again(connection, owner, run_id)


async def load(database: Database, run_id: UUID) -> RunRow:
    async with database.as_worker() as connection:
        row = await load_run(connection, run_id)
    assert row
    return row


async def everything(admin: Connection) -> dict[str, list[str]]:
    """All that the database has of runs, as text."""
    return {
        table: [row["t"] for row in await admin.fetch(f"select t::text as t from {table} t order by 1")]
        for table in RUN_TABLES
    }


async def silence(admin: Connection, run_id: UUID) -> None:
    """Let a run's worker have been silent for a minute."""
    await admin.execute("update sim_runs set heartbeat = now() - interval '1 minute' where id = $1", run_id)


STEPS: dict[str, tuple[str, Callable[[Database, UUID, UUID], Awaitable[object]]]] = {
    "claim what is asked for": ("running", lambda database, owner, run_id: claim(database, run_id)),
    "finish": ("done", lambda database, owner, run_id: finish(database, run_id)),
    "fail": ("failed", lambda database, owner, run_id: stop(database, run_id, "failed")),
    "interrupt": ("interrupted", lambda database, owner, run_id: stop(database, run_id, "interrupted")),
    "cancel": ("cancelled", lambda database, owner, run_id: cancel(database, owner, run_id)),
    "hand over": ("queued", lambda database, owner, run_id: hand_over(database, owner, run_id)),
}
"""Every way to move a run, and the status that it leads to."""


@pytest.mark.parametrize("status", NEXT)
@pytest.mark.parametrize("step", STEPS)
async def test_a_run_moves_as_the_table_says_and_else_stays(
    database: Database, admin: Connection, owner: UUID, status: str, step: str
) -> None:
    """An illegal step is refused and changes nothing; a running run is left to the worker that is at it."""
    run_id = await ask_for_run(database, owner)
    await admin.execute("update sim_runs set status = $1, worker = $2, heartbeat = now()", status, WORKER)
    before = await everything(admin)
    target, take = STEPS[step]
    refused = False
    try:
        refused = await take(database, owner, run_id) in (None, False) and target in ("running", "queued")
    except (RunLost, Refused):
        refused = True
    allowed = target in NEXT[status] and not (status == "running" and target in ("running", "queued"))
    assert refused == (not allowed)
    assert (await load(database, run_id)).status == (target if allowed else status)
    assert (await everything(admin) == before) == (not allowed)


async def test_the_table_knows_every_status_of_the_database(admin: Connection) -> None:
    """No status is reached that is not in it, or in it and not allowed by the database."""
    (definition,) = await admin.fetchrow(
        "select pg_get_constraintdef(oid) from pg_constraint where conname = 'sim_runs_status_check'"
    )
    assert set(definition.split("'")[1::2]) == set(NEXT)
    assert {status for following in NEXT.values() for status in following} | {"queued"} == set(NEXT)


async def test_a_silent_workers_run_is_taken_and_the_worker_finds_out(
    database: Database, admin: Connection, owner: UUID
) -> None:
    """It goes on from the last checkpoint; what the first one still writes is refused whole, by name."""
    run_id = await ask_for_run(database, owner)
    await claim(database, run_id)
    await save(database, run_id, 0)
    assert await claim(database, run_id, worker="worker-2") is None
    await silence(admin, run_id)
    taken = await claim(database, run_id, worker="worker-2")
    assert taken
    assert (taken.id, taken.worker, taken.status, taken.progress > 0) == (run_id, "worker-2", "running", True)
    before = await everything(admin)
    for late in (save(database, run_id, 1), finish(database, run_id), stop(database, run_id, "failed")):
        with pytest.raises(RunLost, match=r"it is running by worker-2"):
            await late
    assert await everything(admin) == before
    await save(database, run_id, 1, worker="worker-2")


async def test_a_cancelled_runs_worker_finds_out_at_its_next_chunk(database: Database, owner: UUID) -> None:
    """The line says what became of the run."""
    run_id = await ask_for_run(database, owner)
    await claim(database, run_id)
    await cancel(database, owner, run_id)
    with pytest.raises(RunLost, match=f"run {run_id} is no longer this process's: it is cancelled"):
        await save(database, run_id, 0)


@pytest.mark.parametrize("how", ["cancelled", "failed", "interrupted"])
async def test_a_stopped_run_is_resumed_by_name_from_its_checkpoint(
    database: Database, owner: UUID, how: str
) -> None:
    """It has its checkpoint and rows then, and no error or end any more."""
    run_id = await ask_for_run(database, owner)
    started = await claim(database, run_id)
    await save(database, run_id, 0)
    await (cancel(database, owner, run_id) if how == "cancelled" else stop(database, run_id, how))
    assert (await load(database, run_id)).finished_ts
    resumed = await claim(database, run_id, worker="worker-2")
    assert started
    assert resumed
    assert (resumed.status, resumed.error, resumed.finished_ts) == ("running", None, None)
    assert (resumed.started_ts, resumed.progress) == (started.started_ts, pytest.approx(0.1))
    async with database.as_worker() as connection:
        assert await load_checkpoint(connection, run_id) == b"checkpoint 0"
    await save(database, run_id, 1, worker="worker-2")


async def test_a_chunk_is_written_whole_and_read_back_as_it_was(database: Database, owner: UUID) -> None:
    """Journal, orders, fills, decisions, series and checkpoint of two chunks, as their person reads them."""
    run_id = await ask_for_run(database, owner)
    await claim(database, run_id)
    for number in range(2):
        await save(database, run_id, number)
    async with database.as_user(owner) as connection:
        for kind, name in (
            (JournalRow, "journal"),
            (OrderRow, "orders"),
            (FillRow, "fills"),
            (DecisionRow, "decisions"),
        ):
            expected = [row for number in range(2) for row in getattr(chunk(number), name)]
            found = await load_rows(connection, kind, run_id)
            if kind is JournalRow:
                expected = [row._replace(body={"size": "0.10", "n": row.seq}) for row in expected]
            assert found == expected
        series = await load_series(connection, run_id)
        assert await load_checkpoint(connection, run_id) == b"checkpoint 1"
    assert series.equity.tolist() == [1000.5, 1001.5]  # type: ignore[union-attr]
    assert series.ticks.tolist() == [0, 1]
    assert series.ts.tolist() == [chunk(number).journal[0].ts for number in range(2)]


async def test_a_chunk_that_fails_leaves_nothing(database: Database, admin: Connection, owner: UUID) -> None:
    """A fill that is there already refuses the journal, the checkpoint and the heartbeat with it."""
    run_id = await ask_for_run(database, owner)
    await claim(database, run_id)
    await save(database, run_id, 0)
    before = await everything(admin)
    again = msgspec.structs.replace(chunk(1), fills=chunk(0).fills)
    with pytest.raises(Conflict):
        async with database.as_worker() as connection:
            await save_chunk(connection, run_id, WORKER, again)
    assert await everything(admin) == before


async def test_progress_never_goes_back_and_a_checkpoint_stays_without_a_new_one(
    database: Database, owner: UUID
) -> None:
    """A chunk that brings neither is a heartbeat."""
    run_id = await ask_for_run(database, owner)
    await claim(database, run_id)
    await save(database, run_id, 4)
    async with database.as_worker() as connection:
        await save_chunk(connection, run_id, WORKER, Chunk(progress=0.2))
        assert await load_checkpoint(connection, run_id) == b"checkpoint 4"
    assert (await load(database, run_id)).progress == pytest.approx(0.5)


async def test_a_finished_run_has_its_results_and_no_checkpoint(database: Database, owner: UUID) -> None:
    """It is done once; a second end is refused."""
    run_id = await ask_for_run(database, owner)
    await claim(database, run_id)
    await save(database, run_id, 0)
    await finish(database, run_id)
    row = await load(database, run_id)
    assert (row.status, row.progress, row.warnings, row.report_path) == ("done", 1.0, ["careful"], "r.html")
    assert {
        "manifest": row.manifest,
        "metrics": row.metrics,
        "digests": row.digests,
        "baselines": row.baselines,
    } == (RESULTS)
    async with database.as_worker() as connection:
        assert await load_checkpoint(connection, run_id) is None
    with pytest.raises(RunLost, match="it is done"):
        await finish(database, run_id)


async def test_a_run_that_there_is_not_is_told_so(database: Database, owner: UUID, other_user: UUID) -> None:
    """To cancel, load or claim; and another's run is none."""
    theirs = await ask_for_run(database, other_user)
    for run_id in (uuid4(), theirs):
        with pytest.raises(Refused, match=f"run {run_id} can't be cancelled: there is none"):
            await cancel(database, owner, run_id)
        async with database.as_user(owner) as connection:
            assert await load_run(connection, run_id) is None
    assert await claim(database, uuid4()) is None


async def test_a_run_of_anothers_version_is_refused(
    database: Database, owner: UUID, other_user: UUID
) -> None:
    """Even one whose id is known."""
    async with database.as_user(other_user) as connection:
        theirs = await make_version(connection, other_user)
    with pytest.raises(Refused):
        async with database.as_user(owner) as connection:
            await create_run(connection, owner, theirs.id, {})


async def test_deleting_a_run_leaves_nothing_of_it(
    database: Database, admin: Connection, owner: UUID, other_user: UUID
) -> None:
    """In no table; other runs keep theirs; somebody else can't; and its worker finds out."""
    kept, doomed = [await ask_for_run(database, owner) for _ in range(2)]
    for run_id in (kept, doomed):
        await claim(database, run_id)
        await save(database, run_id, 0)
    await finish(database, kept)
    before = await everything(admin)
    async with database.as_worker() as connection:
        assert not await delete_run(connection, other_user, doomed)
    assert await everything(admin) == before
    async with database.as_worker() as connection:
        assert await delete_run(connection, owner, doomed)
        assert not await delete_run(connection, owner, doomed)
    assert await everything(admin) == {
        table: [row for row in rows if str(doomed) not in row] for table, rows in before.items()
    }
    assert all(any(str(kept) in row for row in rows) for rows in (await everything(admin)).values())
    with pytest.raises(RunLost, match=f"run {doomed} was deleted"):
        await save(database, doomed, 1)


async def test_runs_are_listed_newest_first_by_page_and_by_skill(
    database: Database, owner: UUID, other_user: UUID
) -> None:
    """Each person's own."""
    mine = [await ask_for_run(database, owner, name) for name in ("a", "b", "a", "a")]
    await ask_for_run(database, other_user, "a")
    async with database.as_user(owner) as connection:
        newest = await list_runs(connection, limit=3)
        rest = await list_runs(connection, limit=3, before=newest[-1].id)
        of_a = await list_runs(connection, skill_name="a")
    assert [row.id for row in newest + rest] == mine[::-1]
    assert [row.id for row in of_a] == [mine[3], mine[2], mine[0]]
    assert {(row.skill_name, row.skill_number) for row in newest} == {("a", 1), ("b", 1)}


async def test_runs_that_were_asked_for_together_are_found_together(
    database: Database, owner: UUID, other_user: UUID
) -> None:
    """In the order in which they were asked for, each with its batch; by nobody else; another run has none."""
    batch, another = uuid4(), uuid4()
    alone = await ask_for_run(database, owner)
    async with database.as_user(owner) as connection:
        version = await make_version(connection, owner)
        first, _, last = [
            await create_run(connection, owner, version.id, {"n": n}, of)
            for n, of in enumerate((batch, another, batch))
        ]
        found = await batch_runs(connection, owner, batch)
    assert [(run.id, run.config, run.batch) for run in found] == [
        (first, {"n": 0}, batch),
        (last, {"n": 2}, batch),
    ]
    assert (await load(database, alone)).batch is None
    async with database.as_user(other_user) as connection:
        assert await batch_runs(connection, owner, batch) == []


async def test_a_batch_is_one_persons_whoever_names_it(
    database: Database, owner: UUID, other_user: UUID
) -> None:
    """The worker, who reads runs back, does not put a stranger's run beside them, nor theirs beside a stranger's."""
    batch = uuid4()
    for user_id in (owner, other_user):
        async with database.as_user(user_id) as connection:
            version = await make_version(connection, user_id)
            await create_run(connection, user_id, version.id, {}, batch)
    async with database.as_worker() as connection:
        for user_id in (owner, other_user):
            assert [run.user_id for run in await batch_runs(connection, user_id, batch)] == [user_id]
