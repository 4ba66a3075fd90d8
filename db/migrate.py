"""Bring a database's schema up to this program's: the shim where Supabase is absent, then the migrations.

Migrations are plain SQL files `<YYYYMMDDHHMMSS>_<name>.sql`, applied in order, each in one transaction under
an advisory lock, and recorded where Supabase records them, with a checksum of the file beside. An applied
file never changes; a database that is ahead of the program is left alone.
"""

import hashlib
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import asyncpg
import msgspec

from db.connection import Connection
from db.errors import ChangedMigration, DatabaseError, NewerSchema, translate, translated

T = TypeVar("T")

MIGRATIONS = Path(__file__).parent / "migrations"
SHIM = Path(__file__).parent / "schema" / "shim.sql"

APPLIED_SQL = "select version, checksum from supabase_migrations.schema_migrations order by version"
_LOCK_SQL = "select pg_advisory_xact_lock(hashtextextended('agentic:migrate', 0))"
_IS_APPLIED_SQL = "select true from supabase_migrations.schema_migrations where version = $1"
_RECORD_SQL = """
insert into supabase_migrations.schema_migrations (version, statements, name, checksum)
values ($1, $2, $3, $4)
"""
_TABLE_SQL = """
create schema if not exists supabase_migrations;
create table if not exists supabase_migrations.schema_migrations (
  version text primary key, statements text[], name text);
alter table supabase_migrations.schema_migrations add column if not exists checksum text;
"""
_FILE_NAME = re.compile(r"([0-9]{14})_([a-z0-9_]+)\.sql")
_ROLE_RACE = {"XX000", "23505", "42710"}
"""What Postgres says when two databases of a server change a role at once; trying again is the cure."""
_ROLE_RACE_TRIES = 10


class Migration(msgspec.Struct, frozen=True):
    """One file of the schema's history."""

    version: str
    name: str
    sql: str

    @property
    def file_name(self) -> str:
        return f"{self.version}_{self.name}.sql"

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def read_migrations(folder: Path = MIGRATIONS) -> tuple[Migration, ...]:
    """Read a folder's migrations in order. Raises DatabaseError naming a file that is not named as one.

    Nor may two have one version, as happens when two people write one at a time: one would be taken for done.
    """
    found: list[Migration] = []
    for path in sorted(folder.glob("*.sql")):
        name = _FILE_NAME.fullmatch(path.name)
        if name is None:
            raise DatabaseError(f"{path} is not named as a migration, expected <YYYYMMDDHHMMSS>_<name>.sql")
        if found and found[-1].version == name[1]:
            raise DatabaseError(
                f"{path} has the version of {found[-1].file_name}, expected one of its own; rename the newer file"
            )
        found.append(Migration(name[1], name[2], path.read_text(encoding="utf-8")))
    return tuple(found)


def pending(known: Sequence[Migration], applied: Mapping[str, str | None]) -> list[Migration]:
    """Say which migrations a database still needs; `applied` gives the checksum by version.

    A checksum of None is that of a migration which Supabase's own tool applied, and is believed.
    Raises NewerSchema for a version that is not known, ChangedMigration for a file that was edited.
    """
    if ahead := sorted(applied.keys() - {migration.version for migration in known}):
        raise NewerSchema(
            f"the database is newer than this program: it has migration {ahead[-1]}, the newest known is "
            f"{known[-1].version if known else 'none'}; update the program, or use another database"
        )
    for migration in known:
        expected = applied.get(migration.version)
        if expected not in (None, migration.checksum):
            raise ChangedMigration(
                f"migration {migration.file_name} was edited after it was applied: found "
                f"checksum {migration.checksum[:12]}, expected {expected[:12]}; restore the file, and write "
                "the change as a new migration"
            )
    return [migration for migration in known if migration.version not in applied]


async def migrate(admin: Connection, folder: Path = MIGRATIONS) -> list[str]:
    """Apply what is missing and give the versions applied. Safe to run from many processes at once."""
    known = read_migrations(folder)
    with translated():
        plain = await _check_rights(admin)
        await retrying(lambda: _run_locked(admin, _TABLE_SQL + (SHIM.read_text() if plain else "")))
        missing = pending(known, dict(await admin.fetch(APPLIED_SQL)))
        done = []
        for migration in missing:
            with _named(migration):
                if await retrying(partial(_apply, admin, migration)):
                    done.append(migration.version)
    return done


@contextmanager
def _named(migration: Migration) -> Iterator[None]:
    """Say in an error which migration it was."""
    try:
        yield
    except asyncpg.PostgresError as error:
        ours = translate(error)
        raise type(ours)(f"migration {migration.file_name} failed: {ours}") from error


async def _check_rights(admin: Connection) -> bool:
    """Refuse a user who could not set up the tables; say whether this is plain Postgres, not Supabase."""
    user, may, plain = await admin.fetchrow(
        "select rolname, rolsuper or rolbypassrls, to_regrole('supabase_admin') is null"
        " from pg_roles where rolname = current_user"
    )
    if not may:
        raise DatabaseError(
            f"the database user {user} can't set up the tables: it needs to be a superuser or to have "
            "BYPASSRLS; put such a user in DATABASE_URL"
        )
    return bool(plain)


async def _run_locked(admin: Connection, sql: str) -> None:
    async with admin.transaction():
        await admin.execute(_LOCK_SQL)
        await admin.execute(sql)


async def _apply(admin: Connection, migration: Migration) -> bool:
    """Apply one migration whole or not at all; False when another process did it first."""
    async with admin.transaction():
        await admin.execute(_LOCK_SQL)
        if await admin.fetchval(_IS_APPLIED_SQL, migration.version):
            return False
        await admin.execute(migration.sql)
        row = (migration.version, [migration.sql], migration.name, migration.checksum)
        await admin.execute(_RECORD_SQL, *row)
    return True


async def retrying(step: Callable[[], Awaitable[T]]) -> T:
    """Take a step that touches roles, again while another database of the server touches them too."""
    for _ in range(_ROLE_RACE_TRIES):
        try:
            return await step()
        except asyncpg.PostgresError as error:
            if error.sqlstate not in _ROLE_RACE:
                raise
    return await step()
