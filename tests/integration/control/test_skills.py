"""Skills kept, looked up, compared and put away, each person's for themselves."""

from uuid import UUID

import pytest

from cli.skill_starter import STARTER
from control import skills
from control.errors import Invalid, NotFound
from db.pool import Database
from skills.problems import SkillError

FIRST = STARTER.format(name="btc-trend")
SECOND = FIRST.replace("fast: 20", "fast: 10")


async def test_a_version_is_what_the_file_means(database: Database, owner: UUID) -> None:
    """Another meaning is another version; the same one, however it is written, is the one there is."""
    first = await skills.save(database, owner, FIRST)
    second = await skills.save(database, owner, SECOND)
    again = await skills.save(database, owner, FIRST.replace("# exposure over equity", "# another comment"))

    assert (first.version, first.is_new) == (1, True)
    assert (second.version, second.is_new) == (2, True)
    assert (again.version, again.is_new, again.id) == (1, False, first.id)


async def test_a_version_is_found_by_its_number_or_as_the_newest(database: Database, owner: UUID) -> None:
    """And reads back as the Skill that was saved."""
    await skills.save(database, owner, FIRST)
    await skills.save(database, owner, SECOND)

    newest = await skills.find(database, owner, "btc-trend")
    older, every = await skills.history(database, owner, "btc-trend@1")

    assert newest.number == 2
    assert skills.skill_of(newest).model_params["fast"] == 10
    assert skills.skill_of(older).model_params["fast"] == 20
    assert [row.number for row in every] == [1, 2]


async def test_what_does_not_exist_is_refused_with_what_there_is(database: Database, owner: UUID) -> None:
    """An unknown number names the newest one, an unknown name says where to look."""
    await skills.save(database, owner, FIRST)

    with pytest.raises(NotFound, match="no btc-trend@2; the newest is btc-trend@1"):
        await skills.find(database, owner, "btc-trend@2")
    with pytest.raises(NotFound, match="no skill eth-trend"):
        await skills.find(database, owner, "eth-trend")


@pytest.mark.parametrize("reference", ["", "@1", "a@", "a@0", "a@x", "a@1@2", "a@-1", "a@9999999999"])
def test_a_reference_of_another_form_is_refused(reference: str) -> None:
    """Only NAME and NAME@N name a version."""
    with pytest.raises(Invalid, match="write NAME or NAME@3"):
        skills.parse_reference(reference)


async def test_a_file_with_a_fault_leaves_nothing_behind(database: Database, owner: UUID) -> None:
    """Its problems are raised with their lines."""
    with pytest.raises(SkillError, match=r"x\.md:10: risk\.max_lev "):
        await skills.save(database, owner, FIRST.replace("max_leverage", "max_lev"), where="x.md")

    assert await skills.list_skills(database, owner) == []


async def test_doubts_come_back_with_their_lines(database: Database, owner: UUID) -> None:
    """A Skill that reads well but may not do what was meant is kept, and told about."""
    saved = await skills.save(database, owner, FIRST.replace("# require_stop", "require_stop"), where="x.md")

    assert saved.is_new
    assert saved.warnings == [
        "x.md:14: risk.require_stop refuses every order of baseline:sma-cross, which sets no stops"
    ]


async def test_the_archive_hides_a_skill_and_keeps_its_versions(database: Database, owner: UUID) -> None:
    """It leaves the list, is still found, can't be put away twice, and comes back when it is saved."""
    await skills.save(database, owner, FIRST)
    await skills.archive(database, owner, "btc-trend")

    assert await skills.list_skills(database, owner) == []
    assert [row.name for row in await skills.list_skills(database, owner, archived=True)] == ["btc-trend"]
    assert (await skills.find(database, owner, "btc-trend@1")).number == 1
    with pytest.raises(NotFound, match="in the archive already"):
        await skills.archive(database, owner, "btc-trend")

    await skills.save(database, owner, FIRST)

    assert [row.name for row in await skills.list_skills(database, owner)] == ["btc-trend"]


async def test_nobody_sees_anothers_skills(database: Database, owner: UUID, other_user: UUID) -> None:
    """To somebody else they don't exist, and the same name is theirs to use."""
    await skills.save(database, owner, FIRST)

    assert await skills.list_skills(database, other_user) == []
    with pytest.raises(NotFound):
        await skills.find(database, other_user, "btc-trend")
    with pytest.raises(NotFound):
        await skills.archive(database, other_user, "btc-trend")

    assert (await skills.save(database, other_user, SECOND)).version == 1
    assert skills.skill_of(await skills.find(database, owner, "btc-trend")).model_params["fast"] == 20
