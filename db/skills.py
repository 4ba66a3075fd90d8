"""Where skills and their immutable versions are kept."""

from typing import Any
from uuid import UUID

import msgspec

from db.connection import Connection
from db.errors import Refused
from domain.ids import uuid7


class SkillRow(msgspec.Struct, frozen=True):
    """A skill in a list. `versions` counts them; the newest is `latest_number`. Instants are UTC ms."""

    id: UUID
    name: str
    created_ts: int
    archived_ts: int | None
    latest_number: int | None
    latest_digest: str | None


class VersionRow(msgspec.Struct, frozen=True):
    """One version of a skill: the SKILL.md's text as saved, and its parsed front matter."""

    id: UUID
    skill_id: UUID
    name: str
    number: int
    digest: str
    body: str
    spec: dict[str, Any]
    created_ts: int


_VERSION_SQL = """
select v.id, v.skill_id, s.name, v.number, v.digest, v.body, v.spec, v.created_at
from skill_versions v join skills s on s.id = v.skill_id
"""


async def save_version(
    connection: Connection, user_id: UUID, *, name: str, digest: str, body: str, spec: Any
) -> tuple[VersionRow, bool]:
    """Keep a version of the skill called `name`, which is made (or taken out of the archive) if need be.

    The same text again gives the version there is; the flag says whether it is new. `spec` is any JSON
    value, or its bytes.
    """
    skill_id = await connection.fetchval(
        "insert into skills (id, user_id, name) values ($1, $2, $3)"
        " on conflict (user_id, name) do update set archived_at = null returning id",
        uuid7(),
        user_id,
        name,
    )  # the upsert locks the skill's row, so two savers get different numbers
    version_id = await connection.fetchval(
        "insert into skill_versions (id, user_id, skill_id, number, digest, body, spec)"
        " select $1, $2, $3, coalesce(max(number), 0) + 1, $4, $5, $6 from skill_versions where skill_id = $3"
        " on conflict (skill_id, digest) do nothing returning id",
        uuid7(),
        user_id,
        skill_id,
        digest,
        body,
        spec,
    )
    row = await connection.fetchrow(
        _VERSION_SQL + "where v.skill_id = $1 and v.digest = $2", skill_id, digest
    )
    if row is None:
        raise Refused(f"the skill {name!r} is not yours to save")
    return VersionRow(*row), version_id is not None


async def load_version(connection: Connection, version_id: UUID) -> VersionRow | None:
    """Give one version, or None where there is none to be seen."""
    row = await connection.fetchrow(_VERSION_SQL + "where v.id = $1", version_id)
    return VersionRow(*row) if row else None


async def find_version(connection: Connection, name: str, number: int | None = None) -> VersionRow | None:
    """Give a version of the skill called `name`: the one with this number, else the newest."""
    row = await connection.fetchrow(
        _VERSION_SQL + "where s.name = $1 and ($2::int is null or v.number = $2)"
        " order by v.number desc limit 1",
        name,
        number,
    )
    return VersionRow(*row) if row else None


async def list_versions(connection: Connection, name: str) -> list[VersionRow]:
    """Give all versions of the skill called `name`, oldest first."""
    rows = await connection.fetch(_VERSION_SQL + "where s.name = $1 order by v.number", name)
    return [VersionRow(*row) for row in rows]


async def list_skills(connection: Connection, *, archived: bool = False) -> list[SkillRow]:
    """Give the skills one can see, by name; those in the archive only when asked for."""
    rows = await connection.fetch(
        "select s.id, s.name, s.created_at, s.archived_at, v.number, v.digest from skills s"
        " left join lateral (select number, digest from skill_versions where skill_id = s.id"
        "   order by number desc limit 1) v on true"
        " where $1 or s.archived_at is null order by s.name",
        archived,
    )
    return [SkillRow(*row) for row in rows]


async def archive_skill(connection: Connection, name: str) -> bool:
    """Put a skill away; its versions and runs stay. False when there is none of that name."""
    done = await connection.fetchval(
        "update skills set archived_at = now() where name = $1 and archived_at is null returning id", name
    )
    return done is not None
