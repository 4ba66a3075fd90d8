"""What a person tells a deployment is acknowledged, done once, and leaves the account as the rules say."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from actors.kernel import ManualTime
from actors.messages import Standing, Where
from db.commands import CommandRow, load_command, send_command
from db.journal import load_entries
from db.pool import Database
from domain.deployments import CommandKind, CommandState, Status
from domain.journal import HaltCause, HaltChanged, HaltPhase, IntentRecorded
from domain.orders import Fill
from tests.integration.actors.fleet import Process, deploy, process, row_of, until
from tests.integration.actors.test_rehearsal import version_of
from tests.integration.simulator.samples import T0, keep_market, skill_text

FEED = "replay:2025-01-02..2025-01-08@3600x"
BAR_MS = 1000
"""How much of real time an hour's bar takes."""


class Stage:
    """One deployment of the sample Skill on a paced replay, whose time the test moves."""

    def __init__(self, database: Database, owner: UUID, deployment: UUID, **more: Any) -> None:
        self.database, self.owner, self.deployment = database, owner, deployment
        self.time = ManualTime(T0)
        self._more = more
        self.process = Process(database, live_by=self.time, **more)

    async def again(self) -> None:
        """End this process without a word, and start another on what it left behind."""
        await self.process.stop()
        self.process = Process(self.database, live_by=self.time, **self._more)

    async def standing(self) -> Standing:
        ref = next(
            ref
            for stats in self.process.system.stats()
            if stats.name.startswith("engine:") and (ref := self.process.system.find(stats.name))
        )
        found: Standing = await ref.ask(Where(), timeout_s=5)
        return found

    async def begun(self) -> None:
        """Wait until it runs."""
        self.process.look()
        await until(lambda: self.is_(Status.RUNNING))
        await until(self._is_open)

    async def _is_open(self) -> bool:
        names = [one.name for one in self.process.system.stats()]
        there_is = any(name.startswith("engine:") for name in names)
        return there_is and (await self.standing()).is_open

    async def is_(self, *statuses: Status) -> bool:
        return (await row_of(self.database, self.deployment)).status in statuses

    async def bars(self, count: int) -> None:
        """Let so many bars go by."""
        for _ in range(count):
            before = (await self.standing()).index

            async def is_past(before: int = before) -> bool:
                await self.time.advance(BAR_MS // 4)
                now = await self.standing()
                return now.index > before and now.is_open

            await until(is_past)

    async def until_it_holds(self) -> None:
        """Let bars go by until there is a position."""
        while not (await self.standing()).positions:
            await self.bars(1)

    async def tell(self, kind: CommandKind, *, command_id: UUID | None = None, **args: Any) -> CommandRow:
        """Send a command; the fleet is woken as by its notification."""
        async with self.database.as_user(self.owner) as connection:
            command = await send_command(
                connection, self.owner, self.deployment, kind, args, command_id=command_id
            )
        self.process.look()
        return command

    async def told(self, kind: CommandKind, **args: Any) -> CommandRow:
        """Send a command, and wait for what becomes of it while the market goes on."""
        return await self.result(await self.tell(kind, **args))

    async def result(self, command: CommandRow) -> CommandRow:
        found = command

        async def is_over() -> bool:
            nonlocal found
            await self.time.advance(BAR_MS // 4)
            async with self.database.as_worker() as connection:
                loaded = await load_command(connection, command.id)
            assert loaded is not None
            found = loaded
            return found.is_over

        await until(is_over)
        return found

    async def journal(self) -> list[Any]:
        account = (await row_of(self.database, self.deployment)).account_id
        async with self.database.as_worker() as connection:
            return await load_entries(connection, account)

    async def fills(self) -> list[Fill]:
        return [entry for entry in await self.journal() if isinstance(entry, Fill)]


async def staged(database: Database, owner: UUID, text: str, **more: Any) -> Stage:
    await keep_market(database, hours=200)
    version = await version_of(database, owner, text)
    return Stage(database, owner, await deploy(database, owner, version, FEED), **more)


@pytest.fixture
async def stage(database: Database, owner: UUID) -> AsyncIterator[Stage]:
    """A deployment that runs."""
    one = await staged(database, owner, skill_text())
    await one.begun()
    yield one
    await one.process.stop()


async def test_a_pause_stops_the_ticks_and_nothing_else(stage: Stage) -> None:
    """Bars go by, the position stays; resumed, it trades again."""
    await stage.until_it_holds()
    assert (await stage.told(CommandKind.PAUSE)).state is CommandState.DONE
    held, fills = (await stage.standing()).positions, len(await stage.fills())
    await stage.bars(30)
    assert (await stage.standing()).positions == held
    assert len(await stage.fills()) == fills
    again = await stage.told(CommandKind.PAUSE)
    assert (again.state, again.result) == (CommandState.DONE, {"status": "paused"})
    assert (await stage.told(CommandKind.RESUME)).result == {"status": "running"}
    await stage.bars(30)
    assert len(await stage.fills()) > fills


async def test_a_flatten_ends_flat_and_paused(stage: Stage) -> None:
    """The latch is in the journal before the order that closes, and is lifted when the account is flat."""
    await stage.until_it_holds()
    done = await stage.told(CommandKind.FLATTEN)
    assert (done.state, done.result and done.result["status"]) == (CommandState.DONE, "paused")
    assert await stage.is_(Status.PAUSED)
    assert (await stage.standing()).is_flat
    entries = await stage.journal()
    latched = [e for e in entries if isinstance(e, HaltChanged)]
    assert [(e.phase, e.cause) for e in latched] == [
        (HaltPhase.FLATTENING, HaltCause.BY_HAND),
        (HaltPhase.HALTED, HaltCause.BY_HAND),
        (HaltPhase.ACTIVE, HaltCause.BY_HAND),
    ]
    closing = next(e for e in reversed(entries) if isinstance(e, IntentRecorded) and e.orders)
    assert entries.index(latched[0]) < entries.index(closing)
    assert all(order.reduce_only for order in closing.orders)


async def test_a_flat_account_is_flattened_at_once(stage: Stage) -> None:
    """And it is paused all the same."""
    assert (await stage.told(CommandKind.FLATTEN)).result is not None
    assert await stage.is_(Status.PAUSED)


async def test_a_kill_flattens_and_ends(stage: Stage) -> None:
    """Nothing is held, and it can't be resumed."""
    await stage.until_it_holds()
    done = await stage.told(CommandKind.KILL)
    assert (done.state, done.result) == (CommandState.DONE, {"status": "stopped", "holding": []})
    row = await row_of(stage.database, stage.deployment)
    assert (row.status, row.reason) == (Status.STOPPED, "killed")
    held = sum(fill.size * fill.side.sign for fill in await stage.fills())
    assert held == 0


async def test_a_stop_keeps_what_is_held(stage: Stage) -> None:
    """As its Skill says: positions are kept, and told."""
    await stage.until_it_holds()
    done = await stage.told(CommandKind.STOP)
    assert done.result == {"status": "stopped", "holding": ["BTC"]}
    assert (await row_of(stage.database, stage.deployment)).reason == "stopped"


async def test_a_stop_flattens_where_the_skill_says_so(database: Database, owner: UUID) -> None:
    """`on_stop: flatten`."""
    stage = await staged(database, owner, skill_text().replace("risk:", "on_stop: flatten\nrisk:"))
    await stage.begun()
    await stage.until_it_holds()
    done = await stage.told(CommandKind.STOP)
    assert done.result == {"status": "stopped", "holding": []}
    assert sum(fill.size * fill.side.sign for fill in await stage.fills()) == 0
    await stage.process.stop()


async def test_a_stop_waits_for_a_flatten_that_is_under_way(stage: Stage) -> None:
    """Else it would end with what was to be closed, on a market that is over then; also where its process ends."""
    await stage.until_it_holds()
    flatten, stop = await stage.tell(CommandKind.FLATTEN), await stage.tell(CommandKind.STOP)
    await until(lambda: stage.is_(Status.STOPPING))
    await stage.again()
    stage.process.look()
    flat, stopped = await stage.result(flatten), await stage.result(stop)
    assert (flat.state, stopped.state) == (CommandState.DONE, CommandState.DONE)
    assert stopped.result == {"status": "stopped", "holding": []}
    assert sum(fill.size * fill.side.sign for fill in await stage.fills()) == 0


async def test_a_position_is_closed_by_hand_once(stage: Stage) -> None:
    """Sent twice, and once more to the next process, it is one order."""
    await stage.until_it_holds()
    await stage.told(CommandKind.PAUSE)
    first = await stage.told(CommandKind.CLOSE, symbol="BTC")
    assert first.state is CommandState.DONE
    await stage.tell(CommandKind.CLOSE, command_id=first.id, symbol="BTC")
    await stage.again()
    stage.process.look()
    await until(stage._is_open)
    await stage.bars(2)
    intents = [e for e in await stage.journal() if isinstance(e, IntentRecorded)]
    assert sum(e.decision_id == first.id.hex for e in intents) == 1
    assert (await stage.standing()).is_flat


async def test_what_can_not_be_done_says_why(stage: Stage) -> None:
    """In one line, and nothing has changed."""
    for kind, args, why in [
        (CommandKind.RESET_HALT, {}, "no halt that could be lifted: the account is active"),
        (CommandKind.CLOSE, {"symbol": "ETH"}, "ETH"),
        (CommandKind.CLOSE, {}, "close takes symbol"),
        (CommandKind.CANCEL, {"order": "the last"}, "cancel takes order"),
        (CommandKind.UPGRADE, {"version_id": "2"}, "upgrade takes version_id"),
        (CommandKind.CANCEL, {"order": 99}, "there is no live order 99"),
        (CommandKind.ACKNOWLEDGE, {"symbol": "BTC"}, "foreign"),
    ]:
        refused = await stage.told(kind, **args)
        assert refused.state is CommandState.FAILED
        assert why in str(refused.error)
    assert await stage.is_(Status.RUNNING)


async def test_a_command_that_comes_while_nobody_runs_it_waits(stage: Stage) -> None:
    """The next process carries it out."""
    await stage.until_it_holds()
    await stage.process.stop()
    command = await stage.tell(CommandKind.FLATTEN)
    stage.process = Process(stage.database, live_by=stage.time)
    stage.process.look()
    assert (await stage.result(command)).state is CommandState.DONE
    assert await stage.is_(Status.PAUSED)


async def test_an_upgrade_goes_on_with_the_new_version(stage: Stage) -> None:
    """At a boundary between two ticks; what is held stays; the version that decides is the new one."""
    await stage.until_it_holds()
    text = skill_text(model_params="{fast: 2, slow: 5, size: 0.1}")
    version = await version_of(stage.database, stage.owner, text)
    done = await stage.told(CommandKind.UPGRADE, version_id=str(version.id))
    assert done.result == {"from": 1, "to": 2}
    await stage.bars(10)
    assert (await row_of(stage.database, stage.deployment)).skill_number == 2
    assert await stage.is_(Status.RUNNING)


async def test_an_account_belongs_to_one_process(stage: Stage) -> None:
    """A second one leaves it alone, and takes it when the first has ended."""
    await stage.bars(2)
    async with process(stage.database, live_by=stage.time) as second:
        second.look()
        await second.system.quiet()
        assert [one.name for one in second.system.stats()] == ["fleet"]
        await stage.process.stop()
        stage.process = second
        await stage.begun()
        await stage.bars(2)
