"""Skills in the database: versions never change, are numbered without gaps, and are told by their digest."""

import asyncio
from uuid import UUID, uuid4

import asyncpg
import pytest

from db.connection import Connection
from db.errors import NotPermitted, Refused
from db.pool import Database
from db.skills import archive_skill, find_version, list_skills, list_versions, load_version, save_version
from tests.integration.db.samples import make_version


async def test_a_version_comes_back_as_it_was_saved(database: Database, owner: UUID) -> None:
    """Its text to the last character, its parsed front matter, and the name of its skill."""
    body = "---\nname: x\n---\nYou trade “carefully”.\n\tTabs\r\n"
    spec = {"risk": {"max_leverage": "3"}, "symbols": ["BTC"], "n": 1, "none": None}
    async with database.as_user(owner) as connection:
        saved, new = await save_version(connection, owner, name="x", digest="d", body=body, spec=spec)
        assert new
        assert (saved.body, saved.spec, saved.name, saved.number, saved.digest) == (body, spec, "x", 1, "d")
        assert await load_version(connection, saved.id) == saved
        assert await find_version(connection, "x") == saved
        assert await find_version(connection, "x", 1) == saved


async def test_the_same_text_is_the_same_version(database: Database, owner: UUID) -> None:
    """Saved again it is not new, even after others; a new text has the next number."""
    async with database.as_user(owner) as connection:
        first = await make_version(connection, owner, "x", "d1")
        second = await make_version(connection, owner, "x", "d2")
        again, new = await save_version(connection, owner, name="x", digest="d1", body="", spec={})
        assert (again, new, second.number) == (first, False, 2)
        assert await find_version(connection, "x") == second
        assert await find_version(connection, "x", 3) is None
        assert await find_version(connection, "y") is None
        assert [row.digest for row in await list_versions(connection, "x")] == ["d1", "d2"]


async def test_savers_at_once_get_different_numbers(database: Database, owner: UUID) -> None:
    """Six texts at the same time become versions 1 to 6; one text six times becomes one more."""

    async def save(digest: str) -> int:
        async with database.as_user(owner) as connection:
            return (await make_version(connection, owner, "x", digest)).number

    assert sorted(await asyncio.gather(*(save(f"d{n}") for n in range(6)))) == [1, 2, 3, 4, 5, 6]
    assert await asyncio.gather(*(save("same") for _ in range(6))) == [7] * 6


async def test_a_version_never_changes(database: Database, admin: Connection, owner: UUID) -> None:
    """Not by its person, not by the worker, and not even by the administrator."""
    async with database.as_user(owner) as connection:
        saved = await make_version(connection, owner)
    update = "update skill_versions set body = 'another'"
    for act in (database.as_user(owner), database.as_worker()):
        with pytest.raises(NotPermitted):
            async with act as connection:
                await connection.execute(update)
    with pytest.raises(asyncpg.RestrictViolationError, match="a row of skill_versions never changes"):
        await admin.execute(update)
    async with database.as_user(owner) as connection:
        assert await load_version(connection, saved.id) == saved
        assert not (await connection.execute("select from skill_versions")).endswith(" 0")
    for act in (database.as_user(owner), database.as_worker()):
        with pytest.raises(NotPermitted):
            async with act as connection:
                await connection.execute("delete from skill_versions")


async def test_two_people_may_call_their_skills_the_same(
    database: Database, owner: UUID, other_user: UUID
) -> None:
    """Each sees their own, and cannot reach the other's by its id."""
    async with database.as_user(owner) as connection:
        mine = await make_version(connection, owner, "x")
    async with database.as_user(other_user) as connection:
        theirs = await make_version(connection, other_user, "x")
        assert theirs.id != mine.id
        assert await load_version(connection, mine.id) is None
        assert await list_versions(connection, "x") == [theirs]


async def test_saving_in_anothers_name_is_refused(database: Database, owner: UUID, other_user: UUID) -> None:
    """Whether or not they have a skill of that name."""
    async with database.as_user(other_user) as connection:
        await make_version(connection, other_user, "theirs")
    for name in ("theirs", "new"):
        with pytest.raises((NotPermitted, Refused)):
            async with database.as_user(owner) as connection:
                await make_version(connection, other_user, name)
    async with database.as_user(other_user) as connection:
        assert [(skill.name, skill.latest_number) for skill in await list_skills(connection)] == [
            ("theirs", 1)
        ]


async def test_an_archived_skill_is_out_of_sight_and_comes_back_when_saved(
    database: Database, owner: UUID, other_user: UUID
) -> None:
    """Its versions stay; it is archived once, and not by somebody else."""
    async with database.as_user(owner) as connection:
        await make_version(connection, owner, "x", "d1")
        await make_version(connection, owner, "y", "d1")
    async with database.as_user(other_user) as connection:
        assert not await archive_skill(connection, "x")
    async with database.as_user(owner) as connection:
        assert await archive_skill(connection, "x")
        assert not await archive_skill(connection, "x")
        assert not await archive_skill(connection, "z")
        assert [skill.name for skill in await list_skills(connection)] == ["y"]
        everything = await list_skills(connection, archived=True)
        assert [(skill.name, skill.archived_ts is not None) for skill in everything] == [
            ("x", True),
            ("y", False),
        ]
        assert await find_version(connection, "x")
        await make_version(connection, owner, "x", "d2")
        found = {skill.name: skill for skill in await list_skills(connection)}
        assert (found["x"].latest_number, found["x"].latest_digest, found["x"].archived_ts) == (2, "d2", None)


async def test_what_there_is_not_is_none(database: Database, owner: UUID) -> None:
    """No skills, no versions, and no version of an unknown id."""
    async with database.as_user(owner) as connection:
        assert await list_skills(connection) == []
        assert await list_versions(connection, "x") == []
        assert await load_version(connection, uuid4()) is None
