"""Telling a deployment what to do: carried out once, answered, kept where it makes an account safer."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest

from actors.kernel import ManualTime
from control.commands import KEPT, KEPT_S, answer, command, command_all, latest, send
from control.errors import Invalid, NotFound
from db.commands import CHANNEL as COMMANDS
from db.commands import load_command
from db.listen import Listener
from db.login import APP_ROLE
from db.pool import Database
from domain.deployments import CommandKind, CommandState, Status
from tests.integration.actors.fleet import Process, row_of, until
from tests.integration.control.deployed import SLOW, deployed
from tests.integration.simulator.samples import T0, keep_market

SOON = 0.05
"""How long, in seconds, an answer is waited for that can't come."""
NEVER_S = 3600.0


@pytest.fixture
async def deployment(database: Database, owner: UUID) -> UUID:
    """A deployment that nobody runs yet."""
    await keep_market(database)
    return await deployed(database, owner, feed=SLOW)


@pytest.fixture
async def running(database: Database, deployment: UUID) -> AsyncIterator[Process]:
    """A process that runs it, on a clock that stands still."""
    process = Process(database, live_by=ManualTime(T0))
    process.look()

    async def is_running() -> bool:
        return (await row_of(database, deployment)).status is Status.RUNNING

    await until(is_running)
    yield process
    await process.stop()


async def test_a_command_is_answered(
    database: Database, owner: UUID, deployment: UUID, running: Process
) -> None:
    """With what came of it; and the deployment is where it was told to be."""
    sent = await send(database, owner, deployment, CommandKind.PAUSE)
    running.look()
    done = await answer(database, owner, sent)

    assert (done.state, done.result) == (CommandState.DONE, {"status": "paused"})
    assert (await row_of(database, deployment)).status is Status.PAUSED
    assert [one.id for one in await latest(database, owner, deployment)] == [sent.id]


async def test_an_answer_is_heard_of_at_once(
    database: Database,
    database_url: str,
    owner: UUID,
    deployment: UUID,
    running: Process,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By a listener: nobody looks by themselves in this test, and each of many hears of their own."""
    monkeypatch.setattr("control.commands.LOOK_EVERY_S", NEVER_S)
    async with asyncio.timeout(60), Listener(database_url, user=APP_ROLE, poll_s=NEVER_S) as listener:
        heard = asyncio.Event()
        listener.on(COMMANDS, lambda payload: (heard.set(), running.look()))
        await heard.wait()
        for kind, status in [(CommandKind.PAUSE, "paused"), (CommandKind.RESUME, "running")]:
            done = await command(database, owner, deployment, kind, timeout_s=NEVER_S, listener=listener)
            assert done.result == {"status": status}
        (stopped,) = await command_all(
            database, owner, CommandKind.STOP, timeout_s=NEVER_S, listener=listener
        )
    assert stopped.state is CommandState.DONE


async def test_what_can_not_be_done_says_why(
    database: Database, owner: UUID, deployment: UUID, running: Process
) -> None:
    """There is no such order, and the engine says so."""
    sent = await send(database, owner, deployment, CommandKind.CANCEL, {"order": 99})
    running.look()
    done = await answer(database, owner, sent)

    assert done.state is CommandState.FAILED
    assert done.error == "there is no live order 99"


async def test_the_same_command_sent_again_is_the_same(
    database: Database, owner: UUID, deployment: UUID, running: Process
) -> None:
    """Also after it was carried out, and though the deployment is over by then."""
    command_id = uuid4()
    first = await send(database, owner, deployment, CommandKind.STOP, command_id=command_id)
    running.look()
    done = await answer(database, owner, first)
    again = await command(database, owner, deployment, CommandKind.STOP, command_id=command_id)

    assert done.state is CommandState.DONE
    assert again == done
    with pytest.raises(Invalid, match="is stopped; there is nothing to stop"):
        await command(database, owner, deployment, CommandKind.STOP)


async def test_what_is_not_kept_expires_and_is_not_carried_out_later(
    database: Database, owner: UUID, deployment: UUID
) -> None:
    """Nobody took it in time: whoever sent it knows that it will not happen."""
    lost = await command(database, owner, deployment, CommandKind.RESUME, timeout_s=SOON)

    assert lost.state is CommandState.EXPIRED
    async with database.as_worker() as connection:
        there = await load_command(connection, lost.id)
    assert there is not None
    assert there.is_over


@pytest.mark.parametrize("kind", sorted(KEPT))
async def test_what_makes_an_account_safer_is_kept(
    database: Database, owner: UUID, deployment: UUID, kind: CommandKind
) -> None:
    """Until somebody runs the deployment: a kill is never lost."""
    kept = await command(database, owner, deployment, kind, timeout_s=SOON)
    assert kept.state is CommandState.QUEUED
    assert kept.deadline_ts - kept.created_ts > (KEPT_S - 60) * 1000

    process = Process(database, live_by=ManualTime(T0))
    process.look()

    async def is_over() -> bool:
        process.look()
        async with database.as_worker() as connection:
            there = await load_command(connection, kept.id)
        return there is not None and there.is_over

    await until(is_over)
    await process.stop()
    async with database.as_worker() as connection:
        there = await load_command(connection, kept.id)
    assert there is not None
    assert there.state is CommandState.DONE


async def test_all_are_told_at_once(database: Database, owner: UUID, deployment: UUID) -> None:
    """Those that are open; what is meant for one can't be told to all."""
    other = await deployed(database, owner, feed=SLOW)

    sent = await command_all(database, owner, CommandKind.PAUSE, wait=False)

    assert {one.deployment_id for one in sent} == {deployment, other}
    assert {one.state for one in sent} == {CommandState.QUEUED}
    with pytest.raises(Invalid, match="one deployment at a time"):
        await command_all(database, owner, CommandKind.CLOSE)


async def test_nobody_commands_another_persons_deployment(
    database: Database, owner: UUID, other_user: UUID, deployment: UUID
) -> None:
    """They do not even see that it is there."""
    with pytest.raises(NotFound):
        await command(database, other_user, deployment, CommandKind.KILL, wait=False)
    assert await command_all(database, other_user, CommandKind.KILL, wait=False) == []
    assert await latest(database, owner, deployment) == []
