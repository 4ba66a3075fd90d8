"""The two ways to the database: as a person, and as the worker."""

from uuid import UUID

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
