"""Deployments: asked for by their person, moved by the worker along the table, one at a time on an account."""

import asyncio
from uuid import UUID, uuid4

import pytest

from db.connection import Connection
from db.deployments import (
    CHANNEL,
    create_deployment,
    find_deployments,
    list_deployments,
    load_deployment,
    move_deployment,
    open_deployments,
    set_version,
)
from db.errors import Conflict, Refused
from db.pool import Database
from domain.deployments import NEXT, Status, Step
from tests.integration.db.accounts import new_account
from tests.integration.db.deployed import deployment_of, move, new_deployment, way_to
from tests.integration.db.samples import make_version


async def test_what_was_asked_for_is_there(database: Database, owner: UUID, other_user: UUID) -> None:
    """Whole, for its person and the worker, and for nobody else."""
    account = await new_account(database, owner)
    config = {"cash": "10000.50", "seed": 7, "platform": {"max_leverage": "3"}}
    found = await new_deployment(database, owner, account_id=account, feed="replay:1..2@max", config=config)
    async with database.as_user(owner) as connection:
        row = await load_deployment(connection, found)
    assert row
    assert (row.id, row.user_id, row.account_id, row.feed, row.mode) == (
        found,
        owner,
        account,
        "replay:1..2@max",
        "paper",
    )
    assert (row.status, row.reason, row.config) == (Status.PROVISIONING, None, config)
    assert isinstance(row.status, Status)
    assert (row.skill_name, row.skill_number, row.started_ts, row.ended_ts) == ("trend", 1, None, None)
    assert await deployment_of(database, found) == row
    async with database.as_user(other_user) as connection:
        assert await load_deployment(connection, found) is None


@pytest.mark.parametrize("status", list(Status))
async def test_it_moves_by_the_table_alone(database: Database, owner: UUID, status: Status) -> None:
    """A step that the table does not have is refused, and changes nothing."""
    for step in Step:
        found = await new_deployment(database, owner)
        before = await move(database, found, *way_to(status))
        assert before.status is status
        expected = NEXT[status].get(step)
        if expected is None:
            with pytest.raises(Refused, match=f"that is {status} can't take the step {step}"):
                await move(database, found, step, reason="never mind")
            assert await deployment_of(database, found) == before
        else:
            assert (await move(database, found, step)).status is expected


async def test_its_row_says_when_it_began_and_ended_and_why_it_stands_there(
    database: Database, owner: UUID
) -> None:
    """The beginning is the first one; a reason lasts as long as what it explains, and is cut to a length."""
    found = await new_deployment(database, owner)
    first = await move(database, found, Step.STARTED)
    halted = await move(database, found, Step.FLATTEN, Step.HALTED, reason="daily loss of 5 %")
    assert (halted.reason, halted.ended_ts) == ("daily loss of 5 %", None)
    lifted = await move(database, found, Step.LIFTED)
    assert (lifted.reason, lifted.started_ts) == (None, first.started_ts)
    failed = await move(database, found, Step.GAVE_UP, reason="NUL \0, " + "x" * 5000)
    assert (failed.started_ts, failed.reason) == (first.started_ts, "NUL \ufffd, " + "x" * 993)
    assert failed.ended_ts is not None
    assert first.started_ts is not None
    assert failed.ended_ts >= first.started_ts >= first.created_ts


async def test_two_that_move_it_at_once_take_turns(database: Database, owner: UUID) -> None:
    """One stops it, and for the other it is stopping already: no step is taken from where it no longer stands."""
    found = await new_deployment(database, owner)
    async with database.as_worker() as connection:
        await move_deployment(connection, found, Step.STOP)
        other = asyncio.create_task(move(database, found, Step.STOP))
        async with database.as_worker() as looking:
            while not await looking.fetchval("select exists (select from pg_locks where not granted)"):
                pass
    with pytest.raises(Refused, match="that is stopping can't take the step stop"):
        await other


@pytest.mark.parametrize("status", list(Status))
async def test_an_account_has_one_deployment_that_is_not_over(
    database: Database, owner: UUID, status: Status
) -> None:
    """However it stands, until it is over."""
    account = await new_account(database, owner)
    found = await new_deployment(database, owner, account_id=account)
    await move(database, found, *way_to(status))
    if status.is_over:
        await new_deployment(database, owner, account_id=account)
    else:
        with pytest.raises(Conflict, match="one_for_an_account"):
            await new_deployment(database, owner, account_id=account)


async def test_open_are_those_that_are_not_over(database: Database, owner: UUID, other_user: UUID) -> None:
    """The worker sees everybody's, a person theirs."""
    found = {status: await new_deployment(database, owner) for status in Status}
    for status, each in found.items():
        await move(database, each, *way_to(status))
    theirs = await new_deployment(database, other_user)
    expected = [each for status, each in found.items() if not status.is_over]
    async with database.as_worker() as connection:
        assert [row.id for row in await open_deployments(connection)] == [*expected, theirs]
    async with database.as_user(owner) as connection:
        listed = await list_deployments(connection, only_open=True)
    assert [row.id for row in listed] == expected[::-1]


async def test_lists_are_read_page_by_page_newest_first(database: Database, owner: UUID) -> None:
    """And found by the ending of their ids."""
    made = [await new_deployment(database, owner) for _ in range(5)]
    async with database.as_user(owner) as connection:
        first = await list_deployments(connection, limit=2)
        second = await list_deployments(connection, limit=5, before=first[-1].id)
        assert [row.id for row in (*first, *second)] == made[::-1]
        assert await find_deployments(connection, str(made[2])[-12:].upper()) == [made[2]]
        assert await find_deployments(connection, "") == made[::-1]
        assert await find_deployments(connection, "no such") == []


async def test_an_upgrade_is_to_another_version_of_the_same_skill(
    database: Database, owner: UUID, other_user: UUID
) -> None:
    """Another Skill, another person's version, and one that there is not, are refused."""
    found = await new_deployment(database, owner)
    async with database.as_user(owner) as connection:
        second = await make_version(connection, owner, digest="d2")
        another = await make_version(connection, owner, "another")
    async with database.as_user(other_user) as connection:
        theirs = await make_version(connection, other_user)
    for wrong in (another.id, theirs.id, uuid4()):
        with pytest.raises(Refused, match="another version of the same Skill"):
            async with database.as_worker() as connection:
                await set_version(connection, found, wrong)
    async with database.as_worker() as connection:
        await set_version(connection, found, second.id)
    row = await deployment_of(database, found)
    assert (row.skill_version_id, row.skill_number) == (second.id, 2)


async def test_what_cant_be_is_refused(database: Database, owner: UUID, other_user: UUID) -> None:
    """Another's account, an account of another mode, a step of no deployment, and a config beyond all measure."""
    async with database.as_user(owner) as connection:
        version = await make_version(connection, owner)
    mine, theirs = await new_account(database, owner), await new_account(database, other_user)
    for account, mode, config in (
        (theirs, "paper", {}),
        (mine, "mainnet", {}),
        (mine, "paper", {"notes": "x" * 70_000}),
    ):
        with pytest.raises(Refused):
            async with database.as_user(owner) as connection:
                await create_deployment(
                    connection,
                    owner,
                    skill_version_id=version.id,
                    account_id=account,
                    mode=mode,
                    feed="live",
                    config=config,
                )
    with pytest.raises(Refused, match="there is no deployment"):
        await move(database, uuid4(), Step.STARTED)


async def test_a_new_one_is_told_of_with_its_id(database: Database, admin: Connection, owner: UUID) -> None:
    """Once it is committed."""
    heard: asyncio.Queue[str] = asyncio.Queue()
    await admin.add_listener(CHANNEL, lambda *told: heard.put_nowait(told[3]))
    found = await new_deployment(database, owner)
    async with asyncio.timeout(60):
        assert await heard.get() == str(found)
