"""A run whose process, or whose server, ends in the middle: nothing half-written, and it goes on to the same bytes."""

import asyncio
import json
import os
import pty
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from db.connection import Connection
from db.embedded import attach
from tests.integration.cli.test_process import COMMAND
from tests.integration.db.client import end_server
from tests.integration.simulator.samples import skill_text

PATIENCE_S = 60.0
SKILL = skill_text(model="baseline:random", model_params="{size: 0.05}")
MARKET = (
    "data",
    "synth",
    "--symbol",
    "BTC",
    "--interval",
    "1h",
    "--from",
    "2025-01-01",
    "--to",
    "2025-05-01",
)
RUN = ("sim", "run", "sample.md", "--json")
STUCK = """
create function wait_at_the_second() returns trigger language plpgsql as
  $$ begin if new.seq = 1 then perform pg_advisory_xact_lock_shared(4711); end if; return new; end $$;
create trigger wait_at_the_second before insert on sim_series for each row execute function wait_at_the_second()
"""
"""Whoever saves the second stretch of a run has to wait in the middle of it while somebody holds lock 4711."""

LOCKS = """
select count(*) > 0 from pg_locks join pg_database d on d.oid = database
where locktype = 'advisory' and d.datname = current_database()
"""
IS_STUCK = LOCKS + " and objid = 4711 and not granted"
NOBODY_IS_LEFT = f"select not ({LOCKS})"
WRITTEN = """
select status, (select count(*) from sim_series where run_id = id) as stretches,
  (select coalesce(max(seq), 0) from journal_entries where account_id = id) as entries,
  (select count(*) from fills where account_id = id) as fills
from sim_runs order by id desc limit 1
"""


@pytest.fixture
def home() -> Iterator[Path]:
    """A home with a short path, for the server's socket; its server is ended."""
    folder = Path(tempfile.mkdtemp(prefix="ag-", dir="/tmp"))
    yield folder
    end_server(folder)
    shutil.rmtree(folder, ignore_errors=True)


class Agentic:
    """The command as processes of one folder and one database."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self._folder = folder
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("AGENTIC_", "DATABASE_"))}
        self._environment = kept | environment
        (folder / "sample.md").write_text(SKILL)

    async def start(
        self, *arguments: str, stderr: int = asyncio.subprocess.PIPE
    ) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            COMMAND,
            *arguments,
            cwd=self._folder,
            env=self._environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
        )

    async def done(self, *arguments: str) -> Any:
        """Run a command that must succeed, and give its document."""
        code, out, err = await ended(await self.start(*arguments, "--json"))
        assert code == 0, err
        return json.loads(out)


async def ended(process: asyncio.subprocess.Process) -> tuple[int | None, str, str]:
    """How a process ended, and what it said."""
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    return process.returncode, out.decode(), err.decode()


@asynccontextmanager
async def held_in_the_middle(admin: Connection) -> AsyncIterator[None]:
    """While this lasts, a run that is started comes to the middle of saving its second stretch, and no further."""
    await admin.execute(STUCK)
    await admin.execute("select pg_advisory_lock(4711)")
    yield
    with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        await admin.execute(
            "select pg_advisory_unlock(4711); drop trigger wait_at_the_second on sim_series;"
            " drop function wait_at_the_second"
        )


async def until(admin: Connection, sql: str) -> None:
    """Wait until a query finds something."""
    async with asyncio.timeout(PATIENCE_S):
        while not await admin.fetchval(sql):
            await admin.fetchval("select pg_sleep(0.01), pg_stat_clear_snapshot()")


async def written(admin: Connection) -> dict[str, Any]:
    """What there is of the newest run."""
    row = await admin.fetchrow(WRITTEN)
    assert row is not None
    return dict(row)


async def test_a_run_that_is_killed_goes_on_at_once(
    database_url: str, admin: Connection, tmp_path: Path
) -> None:
    """kill -9 in the middle of saving: only whole stretches are there, and `sim resume` gives the same digests."""
    agentic = Agentic(tmp_path, AGENTIC_HOME=str(tmp_path / "home"), DATABASE_URL=database_url)
    await agentic.done(*MARKET)
    whole = await agentic.done(*RUN[:-1])
    async with held_in_the_middle(admin):
        process = await agentic.start(*RUN)
        await until(admin, IS_STUCK)
        during = await written(admin)
        process.kill()
        assert (await ended(process))[0] == -signal.SIGKILL
    await until(admin, NOBODY_IS_LEFT)

    assert (during["status"], during["stretches"]) == ("running", 1)
    assert min(during["entries"], during["fills"]) > 0
    assert await written(admin) == during
    resumed = await agentic.done("sim", "resume", "last")
    assert resumed["digests"] == whole["digests"]
    assert resumed["run_id"] != whole["run_id"]


async def test_a_run_that_is_interrupted_says_how_it_goes_on(
    database_url: str, admin: Connection, tmp_path: Path
) -> None:
    """Ctrl-C: 130, a line that names the command, nothing half-written, and the same digests afterwards."""
    agentic = Agentic(tmp_path, AGENTIC_HOME=str(tmp_path / "home"), DATABASE_URL=database_url)
    await agentic.done(*MARKET)
    whole = await agentic.done(*RUN[:-1])
    async with held_in_the_middle(admin):
        process = await agentic.start(*RUN)
        await until(admin, IS_STUCK)
        process.send_signal(signal.SIGINT)
        code, out, err = await ended(process)
    found = await written(admin)

    assert (code, out, err.count("\n")) == (130, "", 1)
    assert "agentic sim resume" in err
    assert (found["status"], found["stretches"]) == ("interrupted", 1)
    assert (await agentic.done(*err.split("`")[1].split()[1:]))["digests"] == whole["digests"]


async def test_a_run_whose_server_is_killed_goes_on(home: Path, tmp_path: Path) -> None:
    """kill -9 of Postgres in the middle of saving: one clear line, exit code 1, and the same digests afterwards."""
    agentic = Agentic(tmp_path, AGENTIC_HOME=str(home))
    await agentic.done(*MARKET)
    whole = await agentic.done(*RUN[:-1])
    with attach(home) as server:
        admin = await asyncpg.connect(server.dsn("agentic"))
        async with held_in_the_middle(admin):
            process = await agentic.start(*RUN)
            await until(admin, IS_STUCK)
            end_server(home)
            code, out, err = await ended(process)
        assert (code, out, err.count("\n")) == (1, "", 1)
        assert "what was not committed was undone" in err
        server.ensure_running()
        admin = await asyncpg.connect(server.dsn("agentic"))
        assert (await written(admin))["stretches"] == 1
        await admin.execute("drop trigger wait_at_the_second on sim_series")
        await admin.close()
        assert (await agentic.done("sim", "resume", "last"))["digests"] == whole["digests"]


async def test_another_machines_settings_change_nothing(database_url: str, tmp_path: Path) -> None:
    """Another home, time zone, language and order of hashing: the same digests."""
    digests = []
    for number, more in enumerate(
        ({}, {"TZ": "Asia/Tokyo", "LC_ALL": "C", "PYTHONHASHSEED": "7", "PYTHONOPTIMIZE": "1"})
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        agentic = Agentic(folder, AGENTIC_HOME=str(folder / "home"), DATABASE_URL=database_url, **more)
        await agentic.done(*MARKET)
        digests.append((await agentic.done(*RUN[:-1]))["digests"])
    assert digests[0] == digests[1]


async def test_progress_is_shown_on_a_terminal(database_url: str, tmp_path: Path) -> None:
    """On stderr alone: the document on stdout stays whole."""
    agentic = Agentic(tmp_path, AGENTIC_HOME=str(tmp_path / "home"), DATABASE_URL=database_url, TERM="xterm")
    await agentic.done(*MARKET)
    ours, theirs = pty.openpty()
    process = await agentic.start(*RUN, stderr=theirs)
    os.close(theirs)
    assert process.stdout is not None
    seen = b""
    with suppress(OSError):  # how the terminal's end is told when nobody writes to it any more
        while piece := await asyncio.to_thread(os.read, ours, 65_536):
            seen += piece
    os.close(ours)

    assert json.loads(await process.stdout.read())["status"] == "done"
    assert await process.wait() == 0
    assert b"running" in seen
    assert b"100%" in seen
