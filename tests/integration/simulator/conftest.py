"""A second database, as another machine has it."""

from collections.abc import AsyncIterator

import pytest

from db.embedded import Attached
from db.login import APP_ROLE
from db.pool import Database
from tests.databases import one_of


@pytest.fixture
async def another_database(server: Attached, database_url: str) -> AsyncIterator[Database]:
    """Another migrated database. Asks for this test's own first, which makes sure that the template is there."""
    async with one_of(server) as url:
        opened = await Database.open(url, user=APP_ROLE)
        yield opened
        await opened.close()
