"""Fixtures for every test: one embedded Postgres for the whole run, and a database of its own for each test.

The server is shared by all workers of the run; a database is copied from a migrated template in tens of
milliseconds.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from uuid import UUID

import asyncpg
import pytest
from hypothesis import HealthCheck, settings

from db.connection import Connection, prepare_connection
from db.embedded import Attached, attach
from db.login import APP_ROLE
from db.pool import Database
from tests.databases import EMPTY, OTHER_ID, OWNER_ID, make_template, one_of

settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")  # a busy machine is no failure: no test looks at the wall's clock

signal.signal(
    signal.SIGINT, signal.default_int_handler
)  # who starts tests in the background may have it ignored

for name in (
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_BASE_URL",
    "AGENTIC_ANTHROPIC_API_KEY",
    "AGENTIC_MODEL_BASE_URL",
    "AGENTIC_NOTIFY_URLS",
):
    os.environ.pop(name, None)  # no test spends the money of whoever runs it, or tells anybody anything


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
        asyncio.run(make_template(attached))
        yield attached


@pytest.fixture
async def database_url(server: Attached) -> AsyncIterator[str]:
    """The administrator's URL of this test's own database, migrated, with the owner in it."""
    async with one_of(server) as url:
        yield url


@pytest.fixture
async def empty_database_url(server: Attached) -> AsyncIterator[str]:
    """The administrator's URL of a database of this test's own with nothing in it."""
    async with one_of(server, EMPTY) as url:
        yield url


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
