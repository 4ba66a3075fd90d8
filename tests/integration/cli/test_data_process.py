"""An import that dies half-way: the process, or the server under it. Nothing of it is there, and the next one works."""

import asyncio
import json
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import asyncpg
import pytest

from db.connection import Connection
from db.embedded import attach
from db.postgres_files import files_of
from domain.time import HOUR_MS
from tests.integration.cli.test_process import COMMAND
from tests.unit.market.samples import T0, bar, bars, write

ROWS = 1000
PATIENCE_S = 30.0
IS_STORING = (
    "select count(*) from pg_stat_activity"
    " where datname = current_database() and wait_event_type = 'Lock' and query like '%with known as%'"
)
KEPT = "select (select count(*) from bars) + (select count(*) from instruments)"


@pytest.fixture
def home() -> Iterator[Path]:
    """A home with a short path, for the server's socket; its server is ended."""
    folder = Path(tempfile.mkdtemp(prefix="ag-", dir="/tmp"))
    yield folder
    kill_server(folder)
    shutil.rmtree(folder, ignore_errors=True)


def kill_server(home: Path) -> None:
    """End a home's server as the kernel does when memory is short."""
    with suppress(OSError, ValueError):
        os.kill(int(files_of(home).pid_file.read_text().split()[0]), signal.SIGKILL)


async def start(folder: Path, **environment: str) -> asyncio.subprocess.Process:
    """Begin to import a thousand bars, as a process of its own."""
    path = write(folder, bars(*map(bar, range(ROWS))))
    arguments = ("data", "import", "bars", str(path), "--symbol", "BTC", "--interval", "1h", "--json")
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("AGENTIC_", "DATABASE_"))
    }
    return await asyncio.create_subprocess_exec(
        COMMAND,
        *arguments,
        cwd=folder,
        env=kept | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def ended(process: asyncio.subprocess.Process) -> tuple[int | None, str, str]:
    """How a process ended, and what it said."""
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    return process.returncode, out.decode(), err.decode()


@asynccontextmanager
async def held_half_way(admin: Connection) -> AsyncIterator[None]:
    """Let an import come as far as half of its rows being in, and no further, while this lasts.

    Somebody else is just writing a row of its middle, and it has to wait for what becomes of that.
    """
    opens = T0 + ROWS // 2 * HOUR_MS
    await admin.execute(
        f"begin; insert into bars values ('BTC', {HOUR_MS}, {opens}, {opens + HOUR_MS}, 1, 1, 1, 1, 1, 'other')"
    )
    yield
    with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        await admin.execute("rollback")


async def until_it_stores(admin: Connection) -> None:
    """Wait until half of the rows are in the table."""
    async with asyncio.timeout(PATIENCE_S):
        while not await admin.fetchval(IS_STORING):
            await admin.fetchval("select pg_sleep(0.01), pg_stat_clear_snapshot()")


async def test_an_import_that_is_killed_leaves_nothing(
    database_url: str, admin: Connection, tmp_path: Path
) -> None:
    """kill -9 when half of the rows are in: not one is there, and the same command then keeps them all."""
    places = {"AGENTIC_HOME": str(tmp_path / "home"), "DATABASE_URL": database_url}
    async with held_half_way(admin):
        killed = await start(tmp_path, **places)
        await until_it_stores(admin)
        killed.kill()
        assert (await ended(killed))[0] == -signal.SIGKILL
    again = await ended(await start(tmp_path, **places))

    assert (again[0], again[2]) == (0, "")
    assert json.loads(again[1])["new"] == ROWS
    assert await admin.fetchval(KEPT) == ROWS + 1


async def test_an_import_whose_server_is_killed_leaves_nothing(home: Path, tmp_path: Path) -> None:
    """kill -9 of Postgres: one clear line, exit code 1; the next command starts the server and keeps all rows."""
    places = {"AGENTIC_HOME": str(home)}
    first = await start(tmp_path, **places)
    assert (await ended(first))[0] == 0
    with attach(home) as server:
        admin = await asyncpg.connect(server.dsn("agentic"))
        await admin.execute("truncate bars, instruments")
        async with held_half_way(admin):
            broken = await start(tmp_path, **places)
            await until_it_stores(admin)
            kill_server(home)
            code, out, err = await ended(broken)
        assert (code, out, err.count("\n")) == (1, "", 1)
        assert "what was not committed was undone" in err

        server.ensure_running()
        admin = await asyncpg.connect(server.dsn("agentic"))
        assert await admin.fetchval(KEPT) == 0
        await admin.close()
        again = await ended(await start(tmp_path, **places))
    assert again[0] == 0
    assert json.loads(again[1])["new"] == ROWS


async def test_an_import_that_is_interrupted_leaves_nothing(
    database_url: str, admin: Connection, tmp_path: Path
) -> None:
    """Ctrl-C: the process ends with 130, and nothing is kept."""
    places = {"AGENTIC_HOME": str(tmp_path / "home"), "DATABASE_URL": database_url}
    async with held_half_way(admin):
        process = await start(tmp_path, **places)
        await until_it_stores(admin)
        process.send_signal(signal.SIGINT)
        code, out, _ = await ended(process)

    assert (code, out) == (130, "")
    assert await admin.fetchval(KEPT) == 0
