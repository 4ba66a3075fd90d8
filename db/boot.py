"""From nothing to an open database: find the server, bring the schema up, find the owner, open the pool."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from uuid import UUID

import asyncpg

from db.connection import Connection, prepare_connection
from db.embedded import Attached, attach
from db.errors import DRIVER_ERRORS, Unavailable, translate, translated
from db.listen import POLL_S, Listener
from db.login import APP_ROLE, admin_login, app_login
from db.migrate import migrate, pending, read_migrations, retrying
from db.people import OWNER_EMAIL, ensure_user
from db.pool import Database

EMBEDDED_DATABASE = "agentic"
CONNECT_TIMEOUT_S = 20.0
COMMAND_TIMEOUT_S = 600.0

_STATE_SQL = """
select array(select version from supabase_migrations.schema_migrations order by version) as versions,
       array(select checksum from supabase_migrations.schema_migrations order by version) as checksums,
       (select id from auth.users where email = $1) as owner
"""
"""All that a start needs to know, in one question."""


class Prepared:
    """An open database, its owner, and what has to be given back at the end."""

    def __init__(self, database: Database, owner_id: UUID, admin_dsn: str, server: Attached | None) -> None:
        self.database = database
        self.owner_id = owner_id
        self._admin_dsn = admin_dsn
        self._server = server

    @asynccontextmanager
    async def admin(self) -> AsyncIterator[Connection]:
        """The administrator's connection, which goes round row security: to add people, nothing else."""
        async with _connected(self._admin_dsn) as connection:
            await prepare_connection(connection)
            yield connection

    def listener(self, *, poll_s: float = POLL_S) -> Listener:
        """What wakes this process when others notify it; one is enough for all of it. To be ended before `close`."""
        login = app_login(admin_login(self._admin_dsn))
        revive = self._server.ensure_running if self._server else None
        return Listener(
            self._admin_dsn, user=login.user, password=login.password, revive=revive, poll_s=poll_s
        )

    def troubles(self) -> list[str]:
        """What is wrong with the embedded server that still answers whoever only reads, a line for each."""
        is_full = self._server is not None and self._server.is_full()
        return ["The database's disk is full; free some space."] if is_full else []

    async def close(self) -> None:
        """Close the pool and let go of the embedded server, which stops with the last one that uses it."""
        await self.database.close()
        if self._server is not None:
            await asyncio.to_thread(self._server.detach)


async def prepare(home: Path, database_url: str | None = None, *, durable: bool = True) -> Prepared:
    """Open the database at `database_url`, or the embedded one of `home`, ready to be used.

    `database_url` is the administrator's; the program's own narrow login is derived from it. Raises one of
    `db.errors`, each with a line to act on; what was opened until then is given back.
    """
    if database_url:
        return await _prepared(database_url, None)
    server = await asyncio.to_thread(attach, home, durable=durable)
    try:
        return await _prepared(server.dsn(EMBEDDED_DATABASE), server)
    except BaseException:
        server.detach()
        raise


async def _prepared(admin_dsn: str, server: Attached | None) -> Prepared:
    try:
        owner_id = await _bring_up(admin_dsn)
    except Unavailable as error:
        if server is None or not isinstance(error.__cause__, asyncpg.InvalidCatalogNameError):
            raise
        await _create_database(server)
        owner_id = await _bring_up(admin_dsn)
    database = await _open_pool(admin_dsn, server.ensure_running if server else None)
    return Prepared(database, owner_id, admin_dsn, server)


async def _create_database(server: Attached) -> None:
    """Make our database on a new server; another process may have been first."""
    async with _connected(server.dsn("postgres")) as admin:
        with suppress(asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
            await admin.execute(f"create database {EMBEDDED_DATABASE}")


async def _bring_up(admin_dsn: str) -> UUID:
    """Bring the schema up where it is behind, and give the owner. One question when it is current."""
    async with _connected(admin_dsn) as admin:
        owner_id = await _owner_if_current(admin)
        if owner_id is None:
            await migrate(admin)
            owner_id = await ensure_user(admin, OWNER_EMAIL)
    return owner_id


async def _owner_if_current(admin: Connection) -> UUID | None:
    """Give the owner if nothing is missing. Raises NewerSchema or ChangedMigration."""
    try:
        row = await admin.fetchrow(_STATE_SQL, OWNER_EMAIL)
    except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError, asyncpg.InvalidSchemaNameError):
        return None
    missing = pending(read_migrations(), dict(zip(row["versions"], row["checksums"], strict=True)))
    return None if missing else row["owner"]


async def _open_pool(admin_dsn: str, revive: Callable[[], None] | None) -> Database:
    """Log in as the program itself; where that is refused, set the login's password first."""
    login = app_login(admin_login(admin_dsn))
    try:
        return await Database.open(admin_dsn, user=login.user, password=login.password, revive=revive)
    except Unavailable as error:
        refused = isinstance(error.__cause__, asyncpg.InvalidAuthorizationSpecificationError)
        if login.password is None or not refused:
            raise
    async with _connected(admin_dsn) as admin:
        await retrying(partial(admin.execute, f"alter role {APP_ROLE} password '{login.password}'"))
    return await Database.open(admin_dsn, user=login.user, password=login.password, revive=revive)


@asynccontextmanager
async def _connected(dsn: str) -> AsyncIterator[Connection]:
    """A single connection outside the pool, with the driver's errors translated."""
    try:
        connection = await asyncpg.connect(dsn, timeout=CONNECT_TIMEOUT_S, command_timeout=COMMAND_TIMEOUT_S)
    except ValueError:  # its text may hold a piece of the password
        raise Unavailable(
            "DATABASE_URL is not the address of a database, expected"
            " postgresql://USER:PASSWORD@HOST:PORT/NAME; special characters are written as %40 for @"
        ) from None
    except (OSError, *DRIVER_ERRORS) as error:
        raise translate(error) from error
    try:
        with translated():
            yield connection
    finally:
        await connection.close()
