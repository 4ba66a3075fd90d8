"""A deployment that is over and still holds: a person closes what is left, in this process or the next."""

from collections.abc import AsyncIterator
from functools import partial
from uuid import UUID

import pytest

from actors.bulletin import Bulletin
from actors.deployment import DeploymentActor
from actors.kernel import Ending, Spec
from actors.obeying import end_left_over
from control.commands import command_all, send
from control.deployments import listed
from control.errors import Invalid
from db.accounts import give_up_lease, take_lease
from db.commands import CommandRow, acknowledge, load_command, send_command
from db.connection import Connection
from db.fleet import Wanted
from db.pool import Database
from domain.deployments import CommandKind, CommandState, Status, Step
from domain.journal import HaltCause, HaltChanged, HaltPhase, IntentRecorded
from domain.time import SECOND_MS
from tests.integration.actors.fleet import deploy, row_of, until
from tests.integration.actors.test_quotes import FEED, SKILL, Stage, faults
from tests.integration.actors.test_rehearsal import version_of
from tests.integration.db.deployed import move, new_deployment, way_to


@pytest.fixture
async def stage(database: Database, owner: UUID) -> AsyncIterator[Stage]:
    """A deployment that was stopped, and keeps a position."""
    version = await version_of(database, owner, SKILL)
    made = Stage(database, owner, await deploy(database, owner, version, FEED))
    await made.begun()
    await made.until_it_holds()
    stopped = await made.told(CommandKind.STOP)
    assert stopped.result == {"status": "stopped", "holding": ["BTC"]}
    yield made
    await made.end()


async def is_let_go(stage: Stage) -> bool:
    """Whether nothing of it runs any more."""
    stage.process.look()
    return [one.name for one in stage.process.system.stats()] == ["fleet"]


async def command_of(database: Database, command_id: UUID) -> CommandRow:
    async with database.as_worker() as connection:
        row = await load_command(connection, command_id)
    assert row is not None
    return row


@pytest.mark.parametrize("kind", [CommandKind.FLATTEN, CommandKind.KILL])
async def test_what_is_left_is_closed_by_hand(stage: Stage, admin: Connection, kind: CommandKind) -> None:
    """By the same latch as ever; it stays stopped, is shown as flat, and nobody looks after it any more."""
    done = await stage.told(kind)
    assert (done.state, done.result) == (CommandState.DONE, {"status": "stopped", "holding": []})
    assert await stage.is_(Status.STOPPED)
    latches = [entry for entry in await stage.journal() if isinstance(entry, HaltChanged)]
    assert [(one.phase, one.cause) for one in latches] == [
        (HaltPhase.FLATTENING, HaltCause.BY_HAND),
        (HaltPhase.HALTED, HaltCause.BY_HAND),
        (HaltPhase.ACTIVE, HaltCause.BY_HAND),
    ]
    await until(lambda: is_let_go(stage))
    assert (await stage.state()).positions == {}
    assert await faults(stage, admin) == []


async def test_one_position_is_closed_once(stage: Stage) -> None:
    """Also where the command is passed on again and again."""
    done = await stage.told(CommandKind.CLOSE, symbol="BTC")
    assert done.state is CommandState.DONE

    async def is_flat() -> bool:
        await stage.time.advance(SECOND_MS)
        return await is_let_go(stage)

    await until(is_flat)
    intents = [one for one in await stage.journal() if isinstance(one, IntentRecorded)]
    assert sum(one.decision_id == done.id.hex for one in intents) == 1


async def test_what_can_not_be_done_says_why(stage: Stage) -> None:
    """What is for one that runs, and what the engine refuses."""
    for kind, args, why in [
        (CommandKind.PAUSE, {}, "the deployment is stopped; pause is for one that runs"),
        (CommandKind.UPGRADE, {"version_id": "2"}, "upgrade is for one that runs"),
        (CommandKind.CLOSE, {"symbol": "ETH"}, "ETH"),
        (CommandKind.CLOSE, {}, "close takes symbol"),
        (CommandKind.CANCEL, {"order": 99}, "live order"),
    ]:
        refused = await stage.told(kind, **args)
        assert refused.state is CommandState.FAILED
        assert why in str(refused.error)
    assert (await stage.standing()).positions


async def test_the_next_process_does_what_was_sent_while_none_ran(stage: Stage) -> None:
    """And what the last one had begun when it was killed. What it showed stays, with what its account is worth now."""
    await stage.end()
    ticks = (await stage.state()).counts
    sent = await send(stage.database, stage.owner, stage.deployment, CommandKind.FLATTEN)
    async with stage.database.as_worker() as connection:
        assert await acknowledge(connection, sent.id)
    await stage.again(after_ms=0)
    stage.process.look()
    await until(stage.is_watched)

    async def is_done() -> bool:
        await stage.time.advance(SECOND_MS)
        return (await command_of(stage.database, sent.id)).is_over

    await until(is_done)
    assert (await command_of(stage.database, sent.id)).result == {"status": "stopped", "holding": []}
    state = await stage.state()
    assert (state.counts, state.positions) == (ticks, {})


async def test_nobody_lets_it_run_again(stage: Stage) -> None:
    """An actor that is started by what was known a moment before ends at once, and takes no command."""
    process = stage.process
    await until(stage.is_watched)
    (name,) = [one.name for one in process.system.stats() if one.name.startswith("engine:")]
    engine = process.system.find(name)
    assert engine is not None
    (row,) = [line.row for line in await listed(stage.database, stage.owner)]
    wanted = Wanted(row.id, row.user_id, row.account_id, row.skill_name, row.feed, Status.RUNNING, True)
    bulletin = Bulletin(process.office, wanted)
    late = process.system.spawn(
        Spec(
            "late",
            lambda: DeploymentActor(
                partial(process.staging.stage, row.id, engine), engine, process.office, bulletin
            ),
        )
    )
    assert (await late.ended()).ending is Ending.FINISHED


async def test_one_that_failed_is_closed_too(database: Database, owner: UUID) -> None:
    """A kill gets it flat; it stays failed."""
    version = await version_of(database, owner, SKILL)
    stage = Stage(database, owner, await deploy(database, owner, version, FEED))
    await stage.begun()
    await stage.until_it_holds()
    await stage.end()
    await move(database, stage.deployment, Step.GAVE_UP)
    await stage.again(after_ms=0)
    stage.process.look()
    await until(stage.is_watched)
    done = await stage.told(CommandKind.KILL)
    await stage.end()
    assert (done.state, done.result) == (CommandState.DONE, {"status": "failed", "holding": []})


async def test_it_is_listed_and_told_with_all_others_until_it_is_flat(stage: Stage) -> None:
    """Who closes everything closes that, too; who pauses all does not mean it."""
    database, owner = stage.database, stage.owner
    assert [line.row.id for line in await listed(database, owner)] == [stage.deployment]
    assert await command_all(database, owner, CommandKind.PAUSE, wait=False) == []
    (sent,) = await command_all(database, owner, CommandKind.FLATTEN, wait=False)
    assert sent.deployment_id == stage.deployment

    async def is_done() -> bool:
        stage.process.look()
        await stage.time.advance(SECOND_MS)
        return (await command_of(database, sent.id)).is_over

    await until(is_done)
    assert (await command_of(database, sent.id)).state is CommandState.DONE
    assert await listed(database, owner) == []
    with pytest.raises(Invalid, match="is stopped and holds nothing; there is nothing to close"):
        await send(database, owner, stage.deployment, CommandKind.CLOSE, {"symbol": "BTC"})
    with pytest.raises(Invalid, match="resume is for one that runs"):
        await send(database, owner, stage.deployment, CommandKind.RESUME)


async def test_what_a_replay_left_can_not_be_traded(
    database: Database, admin: Connection, owner: UUID
) -> None:
    """Its market is over with it."""
    deployment = await new_deployment(database, owner, feed="replay:2025-01-02..2025-01-08@max")
    await move(database, deployment, *way_to(Status.STOPPED))
    await admin.execute("update trading_accounts set holds = true")
    with pytest.raises(Invalid, match="is stopped, and so is its replay: nothing can be traded there"):
        await send(database, owner, deployment, CommandKind.FLATTEN)
    assert await listed(database, owner) == []


@pytest.mark.parametrize(
    ("kind", "was_begun", "holds", "state"),
    [
        (CommandKind.STOP, True, False, CommandState.DONE),
        (CommandKind.STOP, True, True, CommandState.DONE),
        (CommandKind.KILL, True, False, CommandState.DONE),
        (CommandKind.FLATTEN, True, False, CommandState.DONE),
        (CommandKind.FLATTEN, True, True, CommandState.FAILED),
        (CommandKind.CLOSE, True, False, CommandState.FAILED),
        (CommandKind.KILL, False, False, CommandState.FAILED),
        (CommandKind.PAUSE, False, False, CommandState.FAILED),
    ],
)
async def test_no_command_to_what_is_over_stays_open(
    database: Database,
    admin: Connection,
    owner: UUID,
    kind: CommandKind,
    was_begun: bool,
    holds: bool,
    state: CommandState,
) -> None:
    """Done where it came to what it was for, and else failed; not before its process has let go of the account."""
    deployment = await new_deployment(database, owner, feed="replay:2025-01-02..2025-01-08@max")
    account = (await row_of(database, deployment)).account_id
    async with database.as_user(owner) as connection:
        sent = await send_command(connection, owner, deployment, kind, {})
    async with database.as_worker() as connection:
        await take_lease(connection, account, "somebody")
        if was_begun:
            await acknowledge(connection, sent.id)
    await end_left_over(database)
    await move(database, deployment, *way_to(Status.STOPPED))
    await admin.execute("update trading_accounts set holds = $1", holds)
    await end_left_over(database)
    assert not (await command_of(database, sent.id)).is_over
    async with database.as_worker() as connection:
        await give_up_lease(connection, account, "somebody")
    await end_left_over(database)
    ended = await command_of(database, sent.id)
    assert ended.state is state
    assert ended.error in (None, "the deployment was stopped before this was done")


async def test_an_overdue_command_expires_though_nobody_waits_for_it(
    database: Database, admin: Connection, owner: UUID
) -> None:
    """As after `--no-wait`."""
    deployment = await new_deployment(database, owner)
    async with database.as_user(owner) as connection:
        sent = await send_command(connection, owner, deployment, CommandKind.RESUME, {})
    await admin.execute("update agent_commands set deadline_at = now() - interval '1 second'")
    await end_left_over(database)
    assert (await command_of(database, sent.id)).state is CommandState.EXPIRED
