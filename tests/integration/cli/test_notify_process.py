"""The group `notifications` as a process of its own: told in one process, sent by another."""

import signal
from pathlib import Path
from uuid import UUID

import anyio

from actors.notices.kept import KeptNotices
from db.connection import Connection
from db.pool import Database
from domain.notices import GaveUp
from domain.time import SystemClock
from tests.integration.cli.test_up import LONGEST_S, started
from tests.standins.inbox import inbox_thread

TOKEN = "planted-0123456789"


async def settled(admin: Connection) -> None:
    """Wait until it is written down what came of a try."""
    with anyio.fail_after(LONGEST_S):
        while not await admin.fetchval("select true from notifications where error is not null"):
            await anyio.sleep(0.01)


async def everything(admin: Connection) -> str:
    """All rows of the tables of this program, as text."""
    tables = await admin.fetch("select tablename as name from pg_tables where schemaname = 'public'")
    rows = [await admin.fetch(f"select t::text as row from {table['name']} t") for table in tables]
    return "\n".join(row["row"] for each in rows for row in each)


async def test_what_one_process_tells_another_sends(
    database: Database, database_url: str, admin: Connection, owner: UUID, tmp_path: Path
) -> None:
    """Tried again after a failure, ended in order, with no secret in its log or in the database."""
    (tmp_path / "home").mkdir()
    with inbox_thread(["refuse"], token=TOKEN) as service:
        urls = f"{service.url},{service.url}"
        options = {"DATABASE_URL": database_url, "AGENTIC_NOTIFY_URLS": urls, "AGENTIC_LOG_LEVEL": "debug"}
        with started(tmp_path / "home", "--group", "notifications", **options) as (process, said):
            notice = GaveUp(ts=0, deployment="trend", reason="crashed 5 times in 60 s")
            await KeptNotices(database, SystemClock()).tell(owner, None, notice, key="failed")
            await settled(admin)
            process.send_signal(signal.SIGTERM)
            output, errors = await anyio.to_thread.run_sync(process.communicate)

    assert said["groups"] == ["notifications"]
    assert process.returncode == 0
    assert service.titles == ["trend failed and was given up"]
    assert "it answered 500; it is tried again" in errors
    rows = await everything(admin)
    assert "crashed 5 times in 60 s" in rows
    assert TOKEN not in output + errors + rows
