"""People: who there is, and the local owner that exists from the first start."""

from uuid import UUID

import msgspec

from db.connection import Connection
from domain.ids import uuid7

OWNER_EMAIL = "owner@localhost"


class Profile(msgspec.Struct, frozen=True):
    """A person as the program knows them. `created_ts` is UTC ms."""

    user_id: UUID
    tier: str
    settings: dict[str, object]
    created_ts: int


async def ensure_user(admin: Connection, email: str) -> UUID:
    """Give the person with this email, made if there is none. Needs the administrator's connection."""
    async with admin.transaction():
        await admin.execute("select pg_advisory_xact_lock(hashtextextended('agentic:people', 0))")
        found: UUID | None = await admin.fetchval("select id from auth.users where email = $1", email)
        user_id = found or uuid7()
        if found is None:
            await admin.execute("insert into auth.users (id, email) values ($1, $2)", user_id, email)
        await admin.execute(
            "insert into public.profiles (user_id) values ($1) on conflict do nothing", user_id
        )
    return user_id


async def find_user(admin: Connection, email: str) -> UUID | None:
    """Give the person with this email, or None. Needs the administrator's connection."""
    found: UUID | None = await admin.fetchval("select id from auth.users where email = $1", email)
    return found


async def load_profile(connection: Connection, user_id: UUID) -> Profile | None:
    """Give a person's profile, or None where it can't be seen."""
    row = await connection.fetchrow(
        "select user_id, tier, settings, created_at from profiles where user_id = $1", user_id
    )
    return Profile(*row) if row else None
