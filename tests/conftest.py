"""Fixtures for every test: one embedded Postgres for the whole run, and a database of its own for each test.

The server is shared by all workers of the run; a database is copied from a migrated template in tens of
milliseconds.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from uuid import UUID, uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, settings

from db.connection import Connection, prepare_connection
from db.embedded import Attached, attach
from db.login import APP_ROLE
from db.migrate import migrate
from db.people import OWNER_EMAIL, ensure_user
from db.pool import Database

settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")  # a busy machine is no failure: no test looks at the wall's clock

for name in (
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_BASE_URL",
    "AGENTIC_ANTHROPIC_API_KEY",
    "AGENTIC_MODEL_BASE_URL",
    "AGENTIC_NOTIFY_URLS",
):
    os.environ.pop(name, None)  # no test spends the money of whoever runs it, or tells anybody anything

TEMPLATE = "agentic_template"
OWNER_ID = UUID("00000000-0000-7000-8000-00000000000a")
OTHER_ID = UUID("00000000-0000-7000-8000-00000000000b")
OTHER_EMAIL = "other@localhost"


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The loop that the product runs on."""
    return "asyncio"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attached]:
    """The run's database server, with the template in it."""
    base = tmp_path_factory.getbasetemp()
    home = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "home"
    with attach(home, durable=False) as attached:
        asyncio.run(_make_template(attached))
        yield attached


async def _make_template(server: Attached) -> None:
    """Make the migrated template with its two people, once for all workers of the run."""
    keeper = await asyncpg.connect(server.dsn("postgres"))
    try:
        await keeper.execute("select pg_advisory_lock(1)")
        if await keeper.fetchval("select true from pg_database where datname = $1", TEMPLATE):
            return
        await keeper.execute("create database template_in_the_making")
        await _fill_template(server.dsn("template_in_the_making"))
        await keeper.execute(f"alter database template_in_the_making rename to {TEMPLATE}")
    finally:
        await keeper.close()


async def _fill_template(dsn: str) -> None:
    admin = await asyncpg.connect(dsn)
    try:
        await migrate(admin)
        for user_id, email in ((OWNER_ID, OWNER_EMAIL), (OTHER_ID, OTHER_EMAIL)):
            await admin.execute("insert into auth.users (id, email) values ($1, $2)", user_id, email)
            await ensure_user(admin, email)
    finally:
        await admin.close()


async def _create(server: Attached, options: str) -> str:
    name = f"t_{uuid4().hex}"
    keeper = await asyncpg.connect(server.dsn("postgres"))
    try:
        await keeper.execute(f"create database {name} {options}")
    finally:
        await keeper.close()
    return name


async def _drop(server: Attached, name: str) -> None:
    keeper = await asyncpg.connect(server.dsn("postgres"))
    try:
        await keeper.execute(f"drop database {name} with (force)")
    finally:
        await keeper.close()


@pytest.fixture
async def database_url(server: Attached) -> AsyncIterator[str]:
    """The administrator's URL of this test's own database, migrated, with the owner in it."""
    name = await _create(server, f"template {TEMPLATE} strategy wal_log")
    yield server.dsn(name)
    await _drop(server, name)


@pytest.fixture
async def empty_database_url(server: Attached) -> AsyncIterator[str]:
    """The administrator's URL of a database of this test's own with nothing in it."""
    name = await _create(server, "strategy wal_log")
    yield server.dsn(name)
    await _drop(server, name)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """This test's own database, reached as the program reaches it."""
    opened = await Database.open(database_url, user=APP_ROLE)
    yield opened
    await opened.close()


@pytest.fixture
async def admin(database_url: str) -> AsyncIterator[Connection]:
    """The administrator's connection to this test's own database."""
    connection = await asyncpg.connect(database_url)
    await prepare_connection(connection)
    yield connection
    with suppress(asyncpg.PostgresError, asyncpg.InterfaceError):
        await connection.close(timeout=5)


@pytest.fixture
def owner() -> UUID:
    """The local owner, as whom the command line acts."""
    return OWNER_ID


@pytest.fixture
def other_user() -> UUID:
    """Somebody else, who must see nothing of the owner's."""
    return OTHER_ID
