"""`agentic sim run --queue`, `resume --queue` and `watch`: what is said of runs that are left to the workers."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from db.connection import Connection
from db.pool import Database
from db.queue import take_next
from simulator.run import execute
from tests.integration.cli.conftest import Agentic
from tests.integration.cli.test_sim_process import Agentic as Processes
from tests.integration.cli.test_sim_process import ended
from tests.integration.cli.workers import until, until_it_is
from tests.integration.simulator.samples import keep_market, skill_text
from tests.standins.provider import NO_MODELS

NOBODY = "no `agentic up` with sim workers is running: what is queued waits until one is started\n"
IS_QUEUED = "select exists (select from sim_runs where status = 'queued')"
BEAT = """
insert into heartbeats (owner, host, pid, groups, started_at, beat_at, tree)
  values ('o', 'h', 1, $1, now(), clock_timestamp(), '{}')
"""


@pytest.fixture
async def market(database: Database) -> None:
    """Two hundred hours of a symbol."""
    await keep_market(database)


@pytest.fixture
def sim(agentic: Agentic, market: None, tmp_path: Path) -> Callable[..., Any]:
    """`sim("run", "sample.md")` gives the document of `agentic sim run sample.md --json`, which must succeed."""
    (tmp_path / "sample.md").write_text(skill_text())

    def call(*arguments: str) -> Any:
        done = agentic("sim", *arguments, "--json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    return call


def carry_out_next(database_url: str, count: int = 1) -> None:
    """Play the workers: carry so many runs of the queue out."""

    async def work() -> None:
        database = await Database.open(database_url, user="agentic_app")
        for number in range(count):
            async with database.as_worker() as connection:
                row = await take_next(connection, f"w{number}")
            assert row
            await execute(database, row.id, f"w{number}", NO_MODELS, of_queue=True)
        await database.close()

    asyncio.run(work())


def change(database_url: str, sql: str, *arguments: object) -> None:
    """Change something in the database, as nobody else would."""

    async def work() -> None:
        admin = await asyncpg.connect(database_url)
        await admin.execute(sql, *arguments)
        await admin.close()

    asyncio.run(work())


def test_a_queued_run_is_left_to_the_workers(
    agentic: Agentic, sim: Callable[..., Any], database_url: str
) -> None:
    """It is named, so is how to follow it, and whether there is anybody to carry it out."""
    left = agentic("sim", "run", "sample.md", "--queue")
    (run,) = sim("list")
    short = run["run_id"][-8:]

    assert (left.exit_code, left.stdout) == (0, f"queued run {run['run_id']}\n")
    assert left.stderr == f"{NOBODY}`agentic sim watch {short}` follows it\n"
    assert agentic("sim", "show", "last").stdout == (
        f"run {run['run_id']} is queued\n`agentic sim watch {short}` follows it\n"
    )
    change(database_url, BEAT, ["web", "sim"])
    assert sim("run", "sample.md", "--queue")["workers"] is True
    assert NOBODY not in agentic("sim", "run", "sample.md", "--queue").stderr


def test_a_process_without_workers_is_none(
    agentic: Agentic, sim: Callable[..., Any], database_url: str
) -> None:
    """Neither one that serves the page only, nor one that was last heard of long ago."""
    change(database_url, BEAT, ["web"])
    assert NOBODY in agentic("sim", "run", "sample.md", "--queue").stderr
    change(
        database_url,
        "update heartbeats set groups = '{sim}', beat_at = clock_timestamp() - interval '1 minute'",
    )
    assert NOBODY in agentic("sim", "run", "sample.md", "--queue").stderr


def test_a_batch_is_queued_as_one(agentic: Agentic, sim: Callable[..., Any], database_url: str) -> None:
    """All ids are given; watching any of them watches all, and shows the band."""
    left = sim("run", "sample.md", "--queue", "--runs", "2", "--mask")
    assert (left["status"], left["workers"], len(left["run_ids"])) == ("queued", False, 3)
    assert left["run_id"] == left["run_ids"][0]
    carry_out_next(database_url, 3)
    watched = sim("watch", left["run_ids"][2])
    assert (watched["run_id"], watched["status"]) == (left["run_ids"][2], "done")
    assert (watched["runs"]["n"], watched["control"]["run_id"]) == (2, left["run_ids"][2])


def test_many_queued_runs_are_counted(agentic: Agentic, sim: Callable[..., Any]) -> None:
    """A screen full of ids says nothing."""
    lines = agentic("sim", "run", "sample.md", "--queue", "--runs", "12").stdout.splitlines()
    assert (len(lines), lines[-1]) == (11, "and 2 more")


def test_a_queued_run_gives_what_it_would_have_given_here(
    sim: Callable[..., Any], database_url: str, tmp_path: Path
) -> None:
    """The same digests; `watch` shows it as `show` does, and writes its report."""
    here = sim("run", "sample.md")
    left = sim("run", "sample.md", "--queue")
    carry_out_next(database_url)
    watched = sim("watch", left["run_id"], "--report", "report.html")
    assert watched["digests"] == here["digests"]
    assert watched == {**sim("show", left["run_id"]), "report": "report.html"}
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")


async def test_waiting_ends_when_a_worker_is_done(
    database: Database, admin: Connection, owner: UUID, market: None, database_url: str, tmp_path: Path
) -> None:
    """`run --queue --wait` is `run` with the work done elsewhere."""
    agentic = Processes(tmp_path, AGENTIC_HOME=str(tmp_path / "home"), DATABASE_URL=database_url)
    process = await agentic.start("sim", "run", "sample.md", "--queue", "--wait", "--json")
    await until(admin, IS_QUEUED)
    async with database.as_worker() as connection:
        row = await take_next(connection, "w")
    assert row
    finished = await execute(database, row.id, "w", NO_MODELS, of_queue=True)
    code, out, err = await ended(process)
    assert (code, json.loads(out)["digests"]) == (0, finished.digests)
    assert err == f"{NOBODY}run {row.id}\n"


async def test_whoever_waits_is_told_of_a_failure(
    database: Database, admin: Connection, owner: UUID, market: None, database_url: str, tmp_path: Path
) -> None:
    """One line that says why, and exit code 1, as when it had been carried out here."""
    agentic = Processes(tmp_path, AGENTIC_HOME=str(tmp_path / "home"), DATABASE_URL=database_url)
    process = await agentic.start("sim", "run", "sample.md", "--queue", "--wait", "--json")
    await until(admin, IS_QUEUED)
    run_id = await admin.fetchval(
        "update sim_runs set status = 'failed', error = 'it broke', finished_at = now() returning id"
    )
    code, out, err = await ended(process)
    assert (code, out, err) == (1, "", f"{NOBODY}run {run_id} is failed: it broke\n")


async def test_whoever_waits_can_stop_waiting(
    admin: Connection, market: None, database_url: str, tmp_path: Path
) -> None:
    """Ctrl-C ends the waiting, not the run."""
    agentic = Processes(tmp_path, AGENTIC_HOME=str(tmp_path / "home"), DATABASE_URL=database_url)
    process = await agentic.start("sim", "run", "sample.md", "--queue", "--wait")
    await until(admin, IS_QUEUED)
    assert process.stderr is not None
    assert (await process.stderr.readline()).decode() == NOBODY
    process.send_signal(2)
    code, _, err = await ended(process)
    run_id = await admin.fetchval("select id from sim_runs")
    assert code == 130
    assert (
        err == f"not waited for any more; it goes on, and `agentic sim watch {str(run_id)[-8:]}` follows it\n"
    )
    await until_it_is(admin, run_id, "queued")


def test_queued_and_running_runs_are_cancelled_and_queued_again(
    agentic: Agentic, sim: Callable[..., Any], database_url: str
) -> None:
    """Each time with a line that says how it stands."""
    left = sim("run", "sample.md", "--queue")
    run_id, short = left["run_id"], left["run_id"][-8:]
    again = agentic("sim", "resume", short, "--queue")
    assert (again.exit_code, again.stderr) == (
        1,
        f"run {run_id} can't be put into the queue: it is in the queue\n",
    )
    assert sim("cancel", "last")["status"] == "cancelled"
    assert sim("resume", "last", "--queue")["run_ids"] == [run_id]
    change(
        database_url,
        "update sim_runs set status = 'running', worker = 'w', progress = 0.42, heartbeat = now()",
    )
    assert agentic("sim", "show", "last").stdout == (
        f"run {run_id} is running 42%\n`agentic sim watch {short}` follows it\n"
    )
    assert "running 42%" in agentic("sim", "list").stdout
    assert "it is running" in agentic("sim", "resume", "last", "--queue").stderr
    assert sim("cancel", "last")["status"] == "cancelled"
    sim("resume", "last", "--queue")
    assert "queued 42%" in agentic("sim", "list").stdout


def test_a_queued_run_can_be_taken_in_hand(sim: Callable[..., Any]) -> None:
    """`resume` carries it out here, and nothing is left in the queue."""
    left = sim("run", "sample.md", "--queue")
    assert sim("resume", left["run_id"])["status"] == "done"


def test_what_nobody_carries_out_is_not_waited_for(
    agentic: Agentic, sim: Callable[..., Any], database_url: str
) -> None:
    """It would be for ever."""
    run_id = sim("run", "sample.md", "--queue")["run_id"]
    change(database_url, "update sim_runs set queued_at = null")
    watched = agentic("sim", "watch", "last")
    assert (watched.exit_code, watched.stderr) == (
        1,
        f"run {run_id} is left to nobody; `agentic sim resume {run_id}` carries it out\n",
    )


def test_a_person_may_not_fill_the_queue_without_end(
    agentic: Agentic, sim: Callable[..., Any], database_url: str
) -> None:
    """Those of others don't count."""
    sim("run", "sample.md", "--queue")
    change(
        database_url,
        "insert into sim_runs (id, user_id, skill_version_id, config, queued_at) select gen_random_uuid(), user_id,"
        " skill_version_id, config, now() from sim_runs, generate_series(1, 9990)",
    )
    refused = agentic("sim", "run", "sample.md", "--queue", "--runs", "10")
    assert refused.exit_code == 1
    assert refused.stderr == (
        "9,991 of your runs wait already, and at most 10,000 may; cancel some, or wait for them\n"
    )
    sim("run", "sample.md", "--queue", "--runs", "9")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "sample.md", "--wait"), "--wait"),
        (("run", "sample.md", "--queue", "--report", "r.html"), "--report"),
        (("resume", "last", "--wait"), "--wait"),
    ],
)
def test_options_that_make_no_sense_together_are_wrong_usage(
    agentic: Agentic, arguments: tuple[str, ...], said: str
) -> None:
    """Before anything is saved or looked up."""
    done = agentic("sim", *arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr
