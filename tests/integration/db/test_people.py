"""People: made once by the administrator, seen by themselves."""

import asyncio
from uuid import UUID

import asyncpg

from db.connection import Connection, prepare_connection
from db.people import OWNER_EMAIL, ensure_user, find_user, load_profile
from db.pool import Database
from tests.integration.db.samples import SAMPLE_ID_SQL, USER_ROWS


async def test_a_person_is_made_once(admin: Connection, owner: UUID) -> None:
    """The same email gives the same person, who has a profile."""
    assert await find_user(admin, "new@localhost") is None
    made = await ensure_user(admin, "new@localhost")
    assert await ensure_user(admin, "new@localhost") == made == await find_user(admin, "new@localhost")
    assert await ensure_user(admin, OWNER_EMAIL) == owner
    assert await admin.fetchval("select count(*) from profiles where user_id = $1", made) == 1


async def test_two_who_make_a_person_at_once_make_one(database_url: str) -> None:
    """Both are given the same."""
    admins = [await asyncpg.connect(database_url) for _ in range(3)]
    made = await asyncio.gather(*(ensure_user(admin, "new@localhost") for admin in admins))
    assert len(set(made)) == 1
    await asyncio.gather(*(admin.close() for admin in admins))


async def test_a_person_whose_profile_is_missing_gets_one(admin: Connection, owner: UUID) -> None:
    """As when Supabase's own sign-up made the person."""
    await admin.execute("delete from profiles")
    assert await ensure_user(admin, OWNER_EMAIL) == owner
    await prepare_connection(admin)
    profile = await load_profile(admin, owner)
    assert profile
    assert (profile.tier, profile.settings) == ("free", {})


async def test_a_profile_is_its_persons_own(database: Database, owner: UUID, other_user: UUID) -> None:
    """They change its settings, and nothing else of it; another's is not to be seen."""
    async with database.as_user(owner) as connection:
        await connection.execute("update profiles set settings = $1", {"theme": "dark"})
        profile = await load_profile(connection, owner)
        assert profile
        assert profile.settings == {"theme": "dark"}
        assert await load_profile(connection, other_user) is None
    async with database.as_user(other_user) as connection:
        profile = await load_profile(connection, other_user)
    assert profile
    assert profile.settings == {}


async def test_a_person_who_goes_takes_everything_along(admin: Connection, owner: UUID) -> None:
    """No row of theirs stays in any table."""
    await admin.execute(SAMPLE_ID_SQL)
    for insert in USER_ROWS.values():
        await admin.execute(insert, owner)
    await admin.execute("delete from auth.users where id = $1", owner)
    for table in USER_ROWS:
        assert await admin.fetchval(f"select count(*) from {table} where user_id = $1", owner) == 0, table
