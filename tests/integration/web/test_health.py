"""Whether the process is well, as it tells those who watch over it."""

import asyncio

import pytest
from aiohttp.test_utils import TestClient, TestServer

from control.access import Access
from db.connection import Connection
from db.login import APP_ROLE
from db.pool import Database
from domain.time import ManualClock
from tests.databases import OWNER_ID
from tests.integration.web.conftest import Site
from web import health
from web.app import make_app
from web.sign_in import SignIn


def served(database: Database, troubles: list[str]) -> TestClient:
    """A page over a database, of a process that has these troubles."""
    clock = ManualClock()
    desk = SignIn(OWNER_ID, clock, lambda: "token", lambda _: None)
    app = make_app(Access(database, clock), desk, lambda: troubles)
    return TestClient(TestServer(app, host="127.0.0.1"))


async def test_a_process_that_is_well_is_alive_and_ready(site: Site) -> None:
    """Nobody has to sign in for that."""
    alive, ready = await site.client.get("/healthz"), await site.client.get("/readyz")

    assert (alive.status, await alive.text()) == (200, "ok\n")
    assert (ready.status, await ready.json()) == (200, {"ready": True, "problems": []})


async def test_without_its_database_it_is_alive_but_not_ready(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It says so without a word on where the database is; the reason goes to the log."""
    database = await Database.open(database_url, user=APP_ROLE)
    async with served(database, []) as client:
        await database.close()

        assert (await client.get("/healthz")).status == 200
        ready = await client.get("/readyz")
        said = await ready.json()

    assert ready.status == 503
    assert said == {"ready": False, "problems": ["The database does not answer."]}
    assert [record.getMessage()[:10] for record in caplog.records] == ["not ready:"]


async def test_a_part_that_does_not_run_is_named(database: Database) -> None:
    """As the supervisor says it, beside what is wrong with the database."""
    troubles = ["the page is failed"]
    async with served(database, troubles) as client:
        ready = await client.get("/readyz")
        troubles.clear()
        ready_again = await client.get("/readyz")

        assert (ready.status, (await ready.json())["problems"]) == (503, ["the page is failed"])
        assert ready_again.status == 200


@pytest.mark.parametrize(
    "change",
    [
        "delete from supabase_migrations.schema_migrations where version = "
        "(select max(version) from supabase_migrations.schema_migrations)",
        "insert into supabase_migrations.schema_migrations (version) values ('29990101000000')",
    ],
    ids=["older", "newer"],
)
async def test_another_schema_than_its_own_is_no_ground_to_stand_on(
    site: Site, admin: Connection, change: str
) -> None:
    """Another program's, be it older or newer, may mean something else by the same rows."""
    await admin.execute(change)
    ready = await site.client.get("/readyz")

    assert ready.status == 503
    assert "can't be worked with" in (await ready.json())["problems"][0]


async def test_a_database_that_hangs_is_not_waited_for(
    site: Site, admin: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks has a deadline, too."""
    monkeypatch.setattr(health, "READY_S", 0.05)
    async with admin.transaction():
        await admin.execute("lock table supabase_migrations.schema_migrations in access exclusive mode")
        async with asyncio.timeout(10):
            ready = await site.client.get("/readyz")

    assert ready.status == 503
    assert "did not answer within" in (await ready.json())["problems"][0]
