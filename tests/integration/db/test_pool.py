"""The two ways to the database: as a person, and as the worker."""

from uuid import UUID

import pytest

from db.connection import Connection
from db.errors import LostConnection
from db.pool import Database


async def test_a_person_is_who_the_transaction_says(database: Database, owner: UUID) -> None:
    """Inside `as_user` the signed-in person is known to policies, and the role is a plain one."""
    async with database.as_user(owner) as connection:
        row = await connection.fetchrow("select auth.uid(), current_user, session_user")
    assert tuple(row) == (owner, "authenticated", "agentic_app")


async def test_the_role_ends_with_its_transaction(database: Database, owner: UUID) -> None:
    """A connection given back to the pool is nobody again."""
    async with database.as_user(owner):
        pass
    async with database._pool.acquire() as connection:
        row = await connection.fetchrow(
            "select current_user, nullif(current_setting('request.jwt.claims', true), '')"
        )
    assert tuple(row) == ("agentic_app", None)


async def test_what_ended_a_connection_is_told_and_not_what_followed(
    database: Database, admin: Connection
) -> None:
    """A server that ends the session in the middle of a transaction is what the error speaks of."""
    await admin.execute(
        "create function end_me() returns bool security definer language sql"
        " return pg_terminate_backend(pg_backend_pid())"
    )

    with pytest.raises(
        LostConnection, match=r"was lost; what was not committed was undone .*administrator command"
    ):
        async with database.as_worker() as connection:
            await connection.execute("select end_me()")

    async with database.as_worker() as connection:
        assert await connection.fetchval("select 1") == 1


async def test_an_error_of_the_programs_own_undoes_the_transaction(database: Database) -> None:
    """It passes unchanged, and nothing is kept."""

    async def write_and_fail() -> None:
        async with database.as_worker() as connection:
            await connection.execute(
                "insert into news (source, id, published_at, available_at, title) values ('t', '1', 0, 0, 'x')"
            )
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await write_and_fail()

    async with database.as_worker() as connection:
        assert await connection.fetchval("select count(*) from news") == 0
