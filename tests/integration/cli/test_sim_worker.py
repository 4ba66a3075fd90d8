"""One run in a process of its own: it is carried out, and however the process ends, the run is left in order."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import UUID

import pytest

from cli.sim_process import Process, ended, launch
from db.connection import Connection
from db.pool import Database
from db.queue import take_next
from tests.integration.cli.workers import (
    IS_HELD,
    NOBODY_IS_LEFT,
    PATIENCE_S,
    held_in,
    make_market,
    queue_runs,
    row_of,
    until,
)
from tests.integration.simulator.samples import carry_out

Start = Callable[[str], Awaitable[Process]]


@pytest.fixture
def start(database: Database, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Start:
    """`start("w1")` takes the run whose turn it is under this name, and starts a worker for it."""
    monkeypatch.setenv("AGENTIC_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cli").mkdir()
    (tmp_path / "cli" / "sim_worker.py").write_text("raise SystemExit(99)")  # a folder of somebody's own

    async def call(worker: str) -> Process:
        async with database.as_worker() as connection:
            row = await take_next(connection, worker)
        assert row
        return await launch(row.id, worker)

    return call


async def end_of(process: Process) -> str | None:
    """How a worker ended."""
    return await asyncio.wait_for(process.wait(), PATIENCE_S)


async def test_a_worker_carries_its_run_out(database: Database, owner: UUID, start: Start) -> None:
    """To the same digests as in this process; a folder of the same name where it is started does not matter."""
    await make_market(database)
    first, second = await queue_runs(database, owner), await queue_runs(database, owner)
    assert await end_of(await start("w1")) is None
    row = await row_of(database, first[0])
    assert (row.status, row.worker, row.error) == ("done", "w1", None)
    assert row.digests == (await carry_out(database, second[0])).digests


async def test_a_worker_stands_behind_other_processes(
    database: Database, admin: Connection, owner: UUID, start: Start
) -> None:
    """What ticks shares no process with it and goes first; and Ctrl-C on the terminal is not for it."""
    await make_market(database)
    await queue_runs(database, owner)
    async with held_in(admin, "the first stretch"):
        process = await start("w1")
        await until(admin, IS_HELD)
        pid = process._process.pid
        assert os.getpriority(os.PRIO_PROCESS, pid) == min(19, os.getpriority(os.PRIO_PROCESS, 0) + 10)
        assert os.getpgid(pid) == pid != os.getpgid(0)
    assert await end_of(process) is None


@pytest.mark.parametrize("point", ["the first stretch", "the second stretch"])
@pytest.mark.parametrize("how", ["is told", "is left alone"])
async def test_a_worker_that_is_to_stop_puts_its_run_back(
    database: Database,
    admin: Connection,
    owner: UUID,
    start: Start,
    how: str,
    point: str,
) -> None:
    """By SIGTERM, or as whoever started it is gone: the run is whole, waits, and goes on to the same digests."""
    await make_market(database)
    (run_id,), (other,) = await queue_runs(database, owner), await queue_runs(database, owner)
    async with held_in(admin, point):
        process = await start("w1")
        await until(admin, IS_HELD)
        if how == "is told":
            process.tell()
        else:
            assert process._process.stdin is not None
            process._process.stdin.close()
        assert await end_of(process) is None
    row = await row_of(database, run_id)
    assert (row.status, row.error, row.progress > 0) == ("queued", None, point == "the second stretch")

    assert await end_of(await start("w2")) is None
    assert (await row_of(database, run_id)).digests == (await carry_out(database, other)).digests


async def test_a_worker_that_is_killed_leaves_whole_stretches(
    database: Database, admin: Connection, owner: UUID, start: Start
) -> None:
    """Nobody could say anything: the run says that it is running, until whoever waits for the process gives it back."""
    await make_market(database)
    (run_id,) = await queue_runs(database, owner)
    async with held_in(admin, "the second stretch"):
        process = await start("w1")
        await until(admin, IS_HELD)
        process.kill()
        assert await end_of(process) == "was killed by signal 9"
        process.kill()  # nothing is left to be killed
        process.tell()
        await until(admin, NOBODY_IS_LEFT)
        assert await admin.fetchval("select count(*) from sim_series") == 1
    row = await row_of(database, run_id)
    assert (row.status, 0 < row.progress < 1) == ("running", True)


async def test_a_worker_whose_run_was_taken_from_it_writes_nothing(
    database: Database, admin: Connection, owner: UUID, start: Start
) -> None:
    """Cancelled in the middle: it finds out as it saves, ends, and leaves the run as its person wanted it."""
    await make_market(database)
    (run_id,) = await queue_runs(database, owner)
    async with held_in(admin, "the first stretch"):
        process = await start("w1")
        await until(admin, IS_HELD)
        await admin.execute("update sim_runs set worker = 'another'")
    assert await end_of(process) is None
    row = await row_of(database, run_id)
    assert (row.status, row.worker, row.progress) == ("running", "another", 0)
    assert await admin.fetchval("select count(*) from sim_series") == 0


async def test_a_run_that_cant_be_made_fails_once(
    database: Database, admin: Connection, owner: UUID, start: Start
) -> None:
    """The run says why, and its worker has ended in order: nothing is tried again."""
    await make_market(database)
    (run_id,) = await queue_runs(database, owner)
    await admin.execute("delete from bars")
    assert await end_of(await start("w1")) is None
    row = await row_of(database, run_id)
    assert row.status == "failed"
    assert row.error is not None
    assert row.error.startswith("there are no 1h bars of BTC")


async def test_a_worker_without_its_database_says_so(
    database: Database, owner: UUID, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has ended in order: the run is not to blame."""
    await make_market(database)
    await queue_runs(database, owner)
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    assert await end_of(await start("w1")) is None


@pytest.mark.parametrize(
    ("code", "said"),
    [(0, None), (75, None), (1, "ended with exit code 1"), (-11, "was killed by signal 11")],
)
def test_an_exit_code_says_what_became_of_a_worker(code: int, said: str | None) -> None:
    """Those of a worker that ended in order say nothing."""
    assert ended(code) == said
