"""The group `notifications`: woken by what is grave, and a process of its own that sends what another tells."""

import asyncio
import signal
from pathlib import Path
from uuid import UUID

import anyio

from actors.kernel import ManualTime, WallTime
from actors.notices.postbox import Postbox
from cli.boot import House
from cli.groups.notifications import children
from config.settings import Settings
from db.boot import Prepared
from db.connection import Connection
from db.pool import Database
from domain.notices import GaveUp
from supervisor.supervisor import Identity, Supervisor
from tests.integration.cli.test_up import LONGEST_S, started
from tests.standins.inbox import inbox_thread
from tests.standins.provider import NO_MODELS
from tests.unit.actors.notices.samples import T0

TOKEN = "planted-0123456789"


async def settled(admin: Connection, count: int = 1) -> None:
    """Wait until it is written down what came of so many."""
    with anyio.fail_after(LONGEST_S):
        while await admin.fetchval("select count(*) from notifications where error is not null") < count:
            await anyio.sleep(0.01)


async def test_what_is_grave_is_not_waited_for(
    database: Database, database_url: str, admin: Connection, owner: UUID
) -> None:
    """It wakes the notifier, through the one connection of the process that listens."""
    time = ManualTime(T0)
    prepared = Prepared(database, owner, database_url, None)
    listener = prepared.listener(poll_s=LONGEST_S)
    home = House(Settings(), database, owner, time, prepared, NO_MODELS, listener)
    identity = Identity(owner="here:1:x", host="here", pid=1, groups=["notifications"], started_ts=T0)
    supervisor = Supervisor(identity, time, lambda: 0.5)
    postbox = Postbox(database, time)
    async with supervisor.keeping(children(home, supervisor), asyncio.Event()), listener:
        for n in range(1, 5):  # the first are found by looks that come with the start
            grave = GaveUp(ts=T0, deployment="grave", reason="")
            postbox.tell(owner, None, grave, key=f"{n}")
            await postbox.empty()
            await settled(admin, n)


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
            postbox = Postbox(database, WallTime())
            postbox.tell(owner, None, notice, key="failed")
            await postbox.empty()
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
