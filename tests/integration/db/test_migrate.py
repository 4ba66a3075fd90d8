"""Bringing a database up: once, in order, whole or not at all, whoever else does it at the same time."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from db.connection import Connection
from db.errors import ChangedMigration, DatabaseError, NewerSchema
from db.migrate import APPLIED_SQL, SHIM, migrate, read_migrations


async def connected(url: str) -> "asyncpg.Connection[asyncpg.Record]":
    return await asyncpg.connect(url)


async def applied(admin: Connection) -> list[str]:
    return [row["version"] for row in await admin.fetch(APPLIED_SQL)]


def write(folder: Path, number: int, sql: str) -> None:
    (folder / f"2025010100000{number}_step.sql").write_text(sql)


async def test_every_migration_is_applied_once_and_in_order(empty_database_url: str) -> None:
    """The first time gives all versions, the second none; the database has what its files say."""
    admin = await connected(empty_database_url)
    versions = [migration.version for migration in read_migrations()]
    assert await migrate(admin) == versions
    assert await migrate(admin) == []
    assert await applied(admin) == versions
    kept = await admin.fetch(
        "select statements, checksum from supabase_migrations.schema_migrations order by version"
    )
    assert [(row["statements"], row["checksum"]) for row in kept] == [
        ([migration.sql], migration.checksum) for migration in read_migrations()
    ]
    await admin.close()


async def test_many_at_once_apply_each_migration_once(empty_database_url: str, tmp_path: Path) -> None:
    """Whoever comes first does it; between them they did each exactly once."""
    write(tmp_path, 0, "create table counted (version int)")
    for number in range(1, 6):
        write(tmp_path, number, f"insert into counted values ({number})")
    admins = [await connected(empty_database_url) for _ in range(6)]
    done = await asyncio.gather(*(migrate(admin, tmp_path) for admin in admins))
    assert sorted(version for versions in done for version in versions) == await applied(admins[0])
    counted = await admins[0].fetch("select version from counted order by version")
    assert [row["version"] for row in counted] == [1, 2, 3, 4, 5]
    await asyncio.gather(*(admin.close() for admin in admins))


async def test_the_real_migrations_stand_several_first_starts_at_once(empty_database_url: str) -> None:
    """Roles belong to the server, the rest to the database: all callers end with the same schema."""
    admins = [await connected(empty_database_url) for _ in range(4)]
    done = await asyncio.gather(*(migrate(admin) for admin in admins))
    assert sorted(version for versions in done for version in versions) == await applied(admins[0])
    await asyncio.gather(*(admin.close() for admin in admins))


async def test_an_edited_file_is_refused_and_nothing_is_applied(
    empty_database_url: str, tmp_path: Path
) -> None:
    """Not even what would come after it."""
    admin = await connected(empty_database_url)
    write(tmp_path, 0, "create table a ()")
    await migrate(admin, tmp_path)
    write(tmp_path, 0, "create table a (n int)")
    write(tmp_path, 1, "create table b ()")
    with pytest.raises(ChangedMigration):
        await migrate(admin, tmp_path)
    assert await admin.fetchval("select to_regclass('public.b')") is None
    await admin.close()


async def test_a_newer_database_is_left_alone(empty_database_url: str, tmp_path: Path) -> None:
    """An older program finds a migration that it does not know, and stops."""
    admin = await connected(empty_database_url)
    write(tmp_path, 0, "create table a ()")
    write(tmp_path, 1, "create table b ()")
    await migrate(admin, tmp_path)
    (tmp_path / "20250101000001_step.sql").unlink()
    with pytest.raises(NewerSchema):
        await migrate(admin, tmp_path)
    assert len(await applied(admin)) == 2
    await admin.close()


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("create table half (n int); select nonsense", 'column "nonsense" does not exist'),
        ("create table half (n int primary key); insert into half values (1), (1)", "duplicate key"),
        ("create table half (n int); create role agentic_worker", 'role "agentic_worker" already exists'),
    ],
)
async def test_a_migration_that_fails_leaves_nothing_and_is_named(
    empty_database_url: str, tmp_path: Path, bad: str, reason: str
) -> None:
    """Those before it stay, and once the file is mended it is applied."""
    admin = await connected(empty_database_url)
    await admin.execute("do $$ begin create role agentic_worker; exception when others then null; end $$")
    write(tmp_path, 0, "create table good ()")
    write(tmp_path, 1, bad)
    with pytest.raises(DatabaseError) as failed:
        await migrate(admin, tmp_path)
    assert str(failed.value).startswith("migration 20250101000001_step.sql failed: ")
    assert reason in str(failed.value)
    assert "\n" not in str(failed.value)
    assert await applied(admin) == ["20250101000000"]
    assert await admin.fetchval("select to_regclass('public.half')") is None
    write(tmp_path, 1, "create table half ()")
    assert await migrate(admin, tmp_path) == ["20250101000001"]
    await admin.close()


async def test_the_shim_may_be_run_again(admin: Connection, tmp_path: Path) -> None:
    """It makes what is missing, and leaves the people alone."""
    before = await admin.fetch("select id, email from auth.users order by id")
    for _ in range(2):
        await admin.execute(SHIM.read_text())
    assert await admin.fetch("select id, email from auth.users order by id") == before
    assert await migrate(admin) == []


async def test_where_supabase_is_the_shim_keeps_out(empty_database_url: str, tmp_path: Path) -> None:
    """Its role is on that server, so the schema `auth` is its own."""
    admin = await connected(empty_database_url)
    async with admin.transaction():
        await admin.execute("create role supabase_admin")
        await migrate(admin, tmp_path)
        assert await admin.fetchval("select to_regnamespace('auth')") is None
        await admin.execute("drop role supabase_admin")
    await admin.close()


async def test_a_user_who_could_not_set_up_the_tables_is_refused(empty_database_url: str) -> None:
    """The line names the user and what is missing."""
    admin = await connected(empty_database_url)
    async with admin.transaction():
        await admin.execute("create role nobody_much; set local role nobody_much")
        with pytest.raises(DatabaseError, match="the database user nobody_much can't set up the tables"):
            await migrate(admin)
        await admin.execute("reset role; drop role nobody_much")
    await admin.close()
