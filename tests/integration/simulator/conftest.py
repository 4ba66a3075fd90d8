"""A second database, as another machine has it."""

from collections.abc import AsyncIterator

import pytest

from db.embedded import Attached
from db.login import APP_ROLE
from db.pool import Database
from tests.conftest import TEMPLATE, _create, _drop


@pytest.fixture
async def another_database(server: Attached, database_url: str) -> AsyncIterator[Database]:
    """Another migrated database. Asks for this test's own first, which makes sure that the template is there."""
    name = await _create(server, f"template {TEMPLATE} strategy wal_log")
    opened = await Database.open(server.dsn(name), user=APP_ROLE)
    yield opened
    await opened.close()
    await _drop(server, name)
