"""Queued runs under a real `agentic up`: carried out, and taken up again by the next one however this one ended."""

import asyncio
import signal
from pathlib import Path
from uuid import UUID

import pytest

from db.connection import Connection
from db.pool import Database
from tests.integration.cli.test_up import LONGEST_S, started
from tests.integration.cli.workers import (
    close,
    make_market,
    open_again,
    queue_runs,
    row_of,
    set_gates,
    until_held_at,
    until_it_is,
)
from tests.integration.simulator.samples import carry_out

ALONE = ("--group", "sim", "--no-demo")


async def test_runs_go_on_whatever_becomes_of_the_program(
    database: Database, admin: Connection, owner: UUID, database_url: str, tmp_path: Path
) -> None:
    """kill -9 in the middle, then SIGTERM further on: each time the run waits for the next start, and loses nothing."""
    await make_market(database)
    await set_gates(admin)
    await close(admin, "the first stretch")
    (run_id,), (other,) = await queue_runs(database, owner), await queue_runs(database, owner)
    await admin.execute("update sim_runs set queued_at = null where id = $1", other)

    with started(tmp_path / "home", *ALONE, DATABASE_URL=database_url) as (process, _):
        await until_held_at(admin, "the first stretch")
        process.kill()
        await until_it_is(admin, run_id, "queued")  # by the worker itself, which is alone now
    await close(admin, "the second stretch")
    await open_again(admin, "the first stretch")

    with started(tmp_path / "home", *ALONE, DATABASE_URL=database_url) as (process, _):
        await until_held_at(admin, "the second stretch")
        process.send_signal(signal.SIGTERM)
        _, errors = await asyncio.to_thread(process.communicate, timeout=LONGEST_S)
        assert (process.returncode, errors) == (0, "Stopping.\n")
    row = await row_of(database, run_id)
    assert (row.status, row.error, 0 < row.progress < 1) == ("queued", None, True)
    await open_again(admin, "the second stretch")

    with started(tmp_path / "home", *ALONE, DATABASE_URL=database_url):
        await until_it_is(admin, run_id, "done")
    assert (await row_of(database, run_id)).digests == (await carry_out(database, other)).digests


async def test_a_run_that_is_queued_while_it_is_up_is_begun(
    database: Database, admin: Connection, owner: UUID, database_url: str, tmp_path: Path
) -> None:
    """As many at once as the setting says."""
    await make_market(database)
    await set_gates(admin)
    await close(admin, "the first stretch")
    environment = {"DATABASE_URL": database_url, "AGENTIC_SIM_WORKERS": "2"}
    with started(tmp_path / "home", *ALONE, **environment):
        runs = await queue_runs(database, owner, count=3)
        for run_id in runs[:2]:
            await until_it_is(admin, run_id, "running")
        await until_held_at(admin, "the first stretch")
        assert (await row_of(database, runs[2])).status == "queued"
        await open_again(admin, "the first stretch")
        for run_id in runs:
            await until_it_is(admin, run_id, "done")


@pytest.mark.parametrize(("cores", "workers"), [({0}, 1), ({0, 1}, 1), (set(range(8)), 7)])
def test_one_core_is_left_to_what_ticks(
    monkeypatch: pytest.MonkeyPatch, cores: set[int], workers: int
) -> None:
    """Unless there is only one."""
    from cli.groups import sim

    monkeypatch.setattr(sim.os, "sched_getaffinity", lambda _: cores, raising=False)
    assert sim.default_workers() == workers
