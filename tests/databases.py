"""The databases of tests: each copied from a migrated template in tens of milliseconds."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import asyncpg

from db.embedded import Attached
from db.migrate import migrate
from db.people import OWNER_EMAIL, ensure_user

TEMPLATE = "agentic_template"
OWNER_ID = UUID("00000000-0000-7000-8000-00000000000a")
OTHER_ID = UUID("00000000-0000-7000-8000-00000000000b")
OTHER_EMAIL = "other@localhost"

FROM_TEMPLATE = f"template {TEMPLATE} strategy wal_log"
EMPTY = "strategy wal_log"


async def make_template(server: Attached) -> None:
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


@asynccontextmanager
async def one_of(server: Attached, options: str = FROM_TEMPLATE) -> AsyncIterator[str]:
    """The administrator's URL of a database that lives as long as the block."""
    name = await _create(server, options)
    try:
        yield server.dsn(name)
    finally:
        await _drop(server, name)
