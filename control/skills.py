"""Skills as a person works with them: save a version, list, look up, compare, put away."""

import re
from uuid import UUID

import msgspec

from config.models import ModelTable
from control.errors import Invalid, NotFound
from db import skills as store
from db.pool import Database
from db.skills import SkillRow, VersionRow
from skills.check import load
from skills.schema import front_matter
from skills.skill import Skill
from skills.skill_md import read
from skills.version import SkillVersion

_REFERENCE = re.compile(r"(?P<name>[^@]+)(@(?P<number>[1-9][0-9]{0,8}))?")


class Saved(msgspec.Struct, frozen=True):
    """What saving a file came to. `is_new` is False when the newest or an older version says the same."""

    id: UUID
    name: str
    version: int
    digest: str
    is_new: bool
    warnings: list[str]  # each with the line it is about


def parse_reference(text: str) -> tuple[str, int | None]:
    """Read "NAME" (its newest version) or "NAME@3". Raises Invalid for another form."""
    found = _REFERENCE.fullmatch(text)
    if found is None:
        raise Invalid(f"{text!r} names no version of a skill; write NAME or NAME@3")
    return found["name"], int(found["number"]) if found["number"] else None


async def save(
    database: Database,
    user_id: UUID,
    data: bytes | str,
    *,
    where: str = "SKILL.md",
    models: ModelTable | None = None,
) -> Saved:
    """Keep a SKILL.md's content as a version. The same meaning again gives the version there is.

    `where` names the file in errors; `models` are those known, if not the shipped table's. Raises SkillError with
    every problem found; nothing is kept then.
    """
    skill, findings = load(data, where=where, models=models)
    version = SkillVersion.of(skill)
    async with database.as_user(user_id) as connection:
        row, is_new = await store.save_version(
            connection,
            user_id,
            name=skill.name,
            digest=version.digest,
            body=version.text,
            spec=front_matter(skill),
        )
    warnings = [f"{where}:{found.line}: {found}" for found in findings]
    return Saved(row.id, row.name, row.number, row.digest, is_new, warnings)


async def find(database: Database, user_id: UUID, reference: str) -> VersionRow:
    """Give the version that "NAME" or "NAME@3" names. Raises NotFound, saying what there is."""
    name, number = parse_reference(reference)
    async with database.as_user(user_id) as connection:
        row = await store.find_version(connection, name, number)
        if row is not None:
            return row
        newest = await store.find_version(connection, name) if number else None
    if newest is not None:
        raise NotFound(f"there is no {name}@{number}; the newest is {name}@{newest.number}")
    raise _no_such(name)


async def history(database: Database, user_id: UUID, reference: str) -> tuple[VersionRow, list[VersionRow]]:
    """Give the version that a reference names, and all of its skill's versions, oldest first."""
    row = await find(database, user_id, reference)
    async with database.as_user(user_id) as connection:
        return row, await store.list_versions(connection, row.name)


async def list_skills(database: Database, user_id: UUID, *, archived: bool = False) -> list[SkillRow]:
    """Give a person's skills by name; those in the archive only when asked for."""
    async with database.as_user(user_id) as connection:
        return await store.list_skills(connection, archived=archived)


async def archive(database: Database, user_id: UUID, name: str) -> None:
    """Put a skill away; its versions and runs stay, and saving it again brings it back.

    Raises NotFound when there is none of that name, or it lies in the archive already.
    """
    async with database.as_user(user_id) as connection:
        done = await store.archive_skill(connection, name)
        known = await store.list_versions(connection, name)
    if not done and known:
        raise NotFound(f"the skill {name} is in the archive already")
    if not done:
        raise _no_such(name)


def skill_of(row: VersionRow) -> Skill:
    """Read the Skill that a version holds."""
    return read(row.body, where=f"{row.name}@{row.number}")


def _no_such(name: str) -> NotFound:
    return NotFound(
        f"there is no skill {name}; see `agentic skill list`, or save one: `agentic skill save FILE`"
    )
