"""Commands: sent once, taken once, carried out once, and lost to nobody."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from db.commands import (
    CHANNEL,
    MOST_ARGS_BYTES,
    MOST_OPEN,
    RESULTS,
    CommandRow,
    acknowledge,
    expire_overdue,
    fail,
    finish,
    latest_commands,
    load_command,
    open_commands,
    send_command,
)
from db.connection import Connection
from db.errors import Conflict, Refused
from db.pool import Database
from domain.deployments import COMMAND_NEXT, CommandKind, CommandState
from tests.integration.db.deployed import new_deployment


async def send(
    database: Database,
    user_id: UUID,
    deployment_id: UUID,
    kind: CommandKind = CommandKind.PAUSE,
    args: dict[str, Any] | None = None,
    **more: Any,
) -> CommandRow:
    """Send a command, as its person."""
    async with database.as_user(user_id) as connection:
        return await send_command(connection, user_id, deployment_id, kind, args or {}, **more)


async def command_of(database: Database, command_id: UUID) -> CommandRow:
    async with database.as_worker() as connection:
        row = await load_command(connection, command_id)
    assert row is not None
    return row


async def open_of(database: Database, deployment_id: UUID) -> list[UUID]:
    async with database.as_worker() as connection:
        return [row.id for row in await open_commands(connection, deployment_id)]


async def make_overdue(admin: Connection, command_id: UUID) -> None:
    await admin.execute(
        "update agent_commands set deadline_at = now() - interval '1 second' where id = $1", command_id
    )


@pytest.fixture
async def deployment(database: Database, owner: UUID) -> UUID:
    return await new_deployment(database, owner)


async def test_a_command_waits_until_it_is_taken_and_then_carried_out(
    database: Database, owner: UUID, deployment: UUID
) -> None:
    """Its row tells its story, with what came of it."""
    sent = await send(database, owner, deployment, CommandKind.CLOSE, {"symbol": "BTC"}, deadline_s=90)
    assert (sent.kind, sent.args, sent.state) == (CommandKind.CLOSE, {"symbol": "BTC"}, CommandState.QUEUED)
    assert isinstance(sent.kind, CommandKind)
    assert isinstance(sent.state, CommandState)
    assert abs(sent.deadline_ts - sent.created_ts - 90_000) <= 1000
    assert await command_of(database, sent.id) == sent
    async with database.as_worker() as connection:
        assert await acknowledge(connection, sent.id)
        assert not await acknowledge(connection, sent.id)
    assert await open_of(database, deployment) == [sent.id]
    async with database.as_worker() as connection:
        await finish(connection, sent.id, {"closed": "0.1"})
    done = await command_of(database, sent.id)
    assert (done.state, done.result, done.error, done.is_over) == (
        CommandState.DONE,
        {"closed": "0.1"},
        None,
        True,
    )
    assert done.acknowledged_ts is not None
    assert done.finished_ts is not None
    assert sent.created_ts <= done.acknowledged_ts <= done.finished_ts
    assert await open_of(database, deployment) == []


async def bring_to(database: Database, admin: Connection, command_id: UUID, state: CommandState) -> None:
    """Take a command to a state on the only way there is."""
    if state is CommandState.EXPIRED:
        await make_overdue(admin, command_id)
    async with database.as_worker() as connection:
        if state is CommandState.EXPIRED:
            await expire_overdue(connection)
        elif state is not CommandState.QUEUED:
            await acknowledge(connection, command_id)
        if state is CommandState.DONE:
            await finish(connection, command_id, {})
        if state is CommandState.FAILED:
            await fail(connection, command_id, "it broke")


async def step_to(database: Database, command_id: UUID, state: CommandState) -> bool:
    """Try a step; whether it was taken."""
    async with database.as_worker() as connection:
        match state:
            case CommandState.ACKNOWLEDGED:
                return await acknowledge(connection, command_id)
            case CommandState.EXPIRED:
                return command_id in await expire_overdue(connection)
            case CommandState.DONE:
                await finish(connection, command_id, {})
            case _:
                await fail(connection, command_id, "too late")
    return True


@pytest.mark.parametrize("state", list(CommandState))
async def test_it_moves_by_the_table_alone(
    database: Database, admin: Connection, owner: UUID, deployment: UUID, state: CommandState
) -> None:
    """A step that the table does not have changes nothing, and an ending that was not due is refused."""
    for wanted in [each for each in CommandState if each is not CommandState.QUEUED]:
        sent = await send(database, owner, deployment)
        await bring_to(database, admin, sent.id, state)
        if wanted is CommandState.EXPIRED:
            await make_overdue(admin, sent.id)
        before = await command_of(database, sent.id)
        if wanted in COMMAND_NEXT[state]:
            assert await step_to(database, sent.id, wanted)
            assert (await command_of(database, sent.id)).state is wanted
            continue
        if wanted in (CommandState.DONE, CommandState.FAILED):
            with pytest.raises(Refused, match=f"can't become {wanted}: it is {state}"):
                await step_to(database, sent.id, wanted)
        else:
            assert not await step_to(database, sent.id, wanted)
        assert await command_of(database, sent.id) == before


async def test_sent_twice_it_is_one_command(database: Database, owner: UUID, deployment: UUID) -> None:
    """Also once it is over; with other content, or to another deployment, it is a conflict."""
    again = {"command_id": uuid4()}
    args = {"symbol": "BTC", "n": 1}
    first = await send(database, owner, deployment, CommandKind.CLOSE, args, **again)
    assert await send(database, owner, deployment, CommandKind.CLOSE, args, **again) == first
    assert await open_of(database, deployment) == [first.id]
    async with database.as_worker() as connection:
        await acknowledge(connection, first.id)
        await finish(connection, first.id, {})
    late = await send(database, owner, deployment, CommandKind.CLOSE, args, deadline_s=1, **again)
    assert late == await command_of(database, first.id)
    other = await new_deployment(database, owner)
    for where, kind, said in (
        (deployment, CommandKind.CANCEL, args),
        (deployment, CommandKind.CLOSE, {"symbol": "ETH", "n": 1}),
        (other, CommandKind.CLOSE, args),
    ):
        with pytest.raises(Conflict, match="that of another command"):
            await send(database, owner, where, kind, said, **again)


async def test_sent_twice_at_once_it_is_one_command(
    database: Database, owner: UUID, deployment: UUID
) -> None:
    """Whoever comes second waits for the first and is given its row."""
    command_id = uuid4()
    rows = await asyncio.gather(*(send(database, owner, deployment, command_id=command_id) for _ in range(6)))
    assert len(set(map(str, rows))) == 1
    assert await open_of(database, deployment) == [command_id]


async def test_anothers_id_and_anothers_deployment_are_out_of_reach(
    database: Database, owner: UUID, other_user: UUID, deployment: UUID
) -> None:
    """Nothing is learnt of the command that has the id."""
    sent = await send(database, owner, deployment)
    theirs = await new_deployment(database, other_user)
    with pytest.raises(Conflict, match="is taken"):
        await send(database, other_user, theirs, command_id=sent.id)
    with pytest.raises(Refused, match="foreign key"):
        await send(database, other_user, deployment)
    async with database.as_user(other_user) as connection:
        assert await load_command(connection, sent.id) is None
        assert await latest_commands(connection, deployment) == []


async def test_one_process_of_many_takes_it(database: Database, owner: UUID, deployment: UUID) -> None:
    """However many are awake."""
    sent = await send(database, owner, deployment)

    async def take() -> bool:
        async with database.as_worker() as connection:
            return await acknowledge(connection, sent.id)

    assert sorted(await asyncio.gather(*(take() for _ in range(6)))) == [False] * 5 + [True]


async def test_what_was_begun_and_what_waits_is_found_after_a_restart_oldest_first(
    database: Database, admin: Connection, owner: UUID, deployment: UUID
) -> None:
    """And neither what is over nor what came too late."""
    rows = [await send(database, owner, deployment, command_id=uuid4()) for _ in range(4)]
    elsewhere = await send(database, owner, await new_deployment(database, owner))
    async with database.as_worker() as connection:
        for row in (rows[0], rows[1]):
            await acknowledge(connection, row.id)
        await fail(connection, rows[0].id, "no position")
    await make_overdue(admin, rows[1].id)
    await make_overdue(admin, rows[2].id)
    assert await open_of(database, deployment) == [rows[1].id, rows[3].id]
    async with database.as_worker() as connection:
        assert await expire_overdue(connection) == [rows[2].id]
        assert await expire_overdue(connection) == []
    expired = await command_of(database, rows[2].id)
    assert (expired.state, expired.error) == (CommandState.EXPIRED, "nobody took it before its deadline")
    assert (await command_of(database, elsewhere.id)).state is CommandState.QUEUED
    assert (await command_of(database, rows[0].id)).error == "no position"


async def test_what_came_of_it_is_kept_however_it_is_worded(
    database: Database, owner: UUID, deployment: UUID
) -> None:
    """A command that could never be ended would be carried out again after every start."""
    failed, done = [await send(database, owner, deployment) for _ in range(2)]
    async with database.as_worker() as connection:
        for row in (failed, done):
            await acknowledge(connection, row.id)
        await fail(connection, failed.id, "NUL \0 and half \ud800 " + "x" * 2000)
        await finish(connection, done.id, {"said": "\0"})
    assert (await command_of(database, failed.id)).error == ("NUL \ufffd and half ? " + "x" * 2000)[:1000]
    assert (await command_of(database, done.id)).result == {"said": "\ufffd"}


async def test_the_latest_are_listed_newest_first(database: Database, owner: UUID, deployment: UUID) -> None:
    """In pages."""
    rows = [await send(database, owner, deployment) for _ in range(3)]
    async with database.as_user(owner) as connection:
        assert [row.id for row in await latest_commands(connection, deployment, limit=2)] == [
            rows[2].id,
            rows[1].id,
        ]


async def test_what_is_sent_is_bounded(
    database: Database, admin: Connection, owner: UUID, deployment: UUID
) -> None:
    """In its arguments, its deadline, and in how many may wait; the database holds it too."""
    with pytest.raises(Refused, match="at most 4,000 bytes"):
        await send(database, owner, deployment, args={"note": "x" * MOST_ARGS_BYTES})
    for deadline_s in (0.0, -1.0, 1e9, float("nan")):
        with pytest.raises(Refused, match="deadline of a command"):
            await send(database, owner, deployment, deadline_s=deadline_s)
    for values in ("'stop', '{}', now() + interval '1 year'", "'dance', '{}', now()", "'stop', '[]', now()"):
        with pytest.raises(Refused, match="check constraint"):
            async with database.as_user(owner) as connection:
                await connection.execute(
                    "insert into agent_commands (id, user_id, deployment_id, kind, args, deadline_at)"
                    f" values (gen_random_uuid(), '{owner}', '{deployment}', {values})"
                )
    await admin.execute(
        "insert into agent_commands (id, user_id, deployment_id, kind, deadline_at)"
        " select gen_random_uuid(), $1, $2, 'stop', now() from generate_series(1, $3)",
        owner,
        deployment,
        MOST_OPEN - 1,
    )
    last = await send(database, owner, deployment)
    with pytest.raises(Refused, match="100 commands to deployment"):
        await send(database, owner, deployment)
    assert await send(database, owner, deployment, command_id=last.id) == last
    async with database.as_worker() as connection:
        await expire_overdue(connection)
    await send(database, owner, deployment)


async def test_every_kind_can_be_sent(database: Database, owner: UUID, deployment: UUID) -> None:
    """The table's list of kinds is the program's."""
    for kind in CommandKind:
        assert (await send(database, owner, deployment, kind)).kind is kind


async def test_the_deployment_is_woken_and_its_person_told_when_it_is_over(
    database: Database, admin: Connection, owner: UUID, deployment: UUID
) -> None:
    """Once each; sending again what is there wakes nobody."""
    heard: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
    for channel in (CHANNEL, RESULTS):
        await admin.add_listener(channel, lambda *told: heard.put_nowait((told[2], told[3])))
    done, failed, expired = [await send(database, owner, deployment) for _ in range(3)]
    await send(database, owner, deployment, command_id=done.id)
    await make_overdue(admin, expired.id)
    async with database.as_worker() as connection:
        await acknowledge(connection, done.id)
        await acknowledge(connection, failed.id)
        await finish(connection, done.id, {})
    async with database.as_worker() as connection:
        await fail(connection, failed.id, "x" * 5000)
    async with database.as_worker() as connection:
        await expire_overdue(connection)
    async with asyncio.timeout(60):
        said = [await heard.get() for _ in range(6)]
    assert said == [(CHANNEL, str(deployment))] * 3 + [
        (RESULTS, str(row.id)) for row in (done, failed, expired)
    ]
    await admin.execute("select 1")
    assert heard.empty()
